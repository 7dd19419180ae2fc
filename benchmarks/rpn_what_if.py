"""An RPN what-if that knows 90% of its RoIs against the second stage run cold on all of them."""

from __future__ import annotations

import torch

from benchmarks.measure import Measure, alternate, report
from benchmarks.subject import subject, trace
from detector import Replayer, Thresholds
from detector.tracing.looking import looking


def run(rounds: int = 5) -> None:
    """Print and write the table."""
    detector, found = subject(), trace()
    model, size = detector.model, found.input.network_size
    maps = {name: value[None] for name, value in found.backbone.pyramid.items()}
    changed, share = _thresholds_that_keep(0.9)
    boxes = Replayer(found, detector).replay(changed).head.boxes

    # A fresh replayer for each call, as it stands before the slider moves: it must not know the answer yet.
    fresh = [Replayer(found, detector) for _ in range(rounds + 1)]
    for replayer in fresh:
        replayer.replay()

    def what_if() -> object:
        return fresh.pop().replay(changed)

    def cold() -> object:
        with looking(model):
            pooled = model.roi_heads.box_roi_pool(maps, [boxes], [size])
            return model.roi_heads.box_predictor(model.roi_heads.box_head(pooled))

    ours, theirs = alternate(what_if, cold, rounds=rounds)
    name = f"{share:.0%} of {len(boxes):,} RoIs seen before / cold head"
    report("RPN what-if: other proposals from the captured pyramid", [Measure(name, ours, theirs, 0.35)])


def _thresholds_that_keep(share: float) -> tuple[Thresholds, float]:
    """RPN thresholds under which about `share` of the RoIs are those of the capture."""
    found, detector = trace(), subject()
    known = set(found.head.anchor.tolist())
    replayer = Replayer(found, detector)
    best = None
    for step in range(1, 60):
        changed = found.thresholds.replace(rpn_nms=min(1.0, found.thresholds.rpn_nms + step * 0.002))
        kept = replayer.proposals(changed).kept.tolist()
        seen = sum(anchor in known for anchor in kept) / len(kept)
        if best is None or abs(seen - share) < abs(best[1] - share):
            best = changed, seen
    assert best is not None
    return best


if __name__ == "__main__":
    torch.manual_seed(0)
    run()
