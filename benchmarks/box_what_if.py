"""A box what-if with its ledger against torchvision's own filter, and against a whole forward."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch

from benchmarks.measure import Measure, alternate, report
from benchmarks.subject import image, subject, trace
from detector import Replayer, Thresholds


def run(rounds: int = 15) -> None:
    """Print and write the table."""
    detector, found = subject(), trace()
    heads, size = detector.model.roi_heads, found.input.network_size
    on_device = image().to(found.head.boxes.device)
    measures = []
    for score in (0.05, 0.001):
        replayer = Replayer(found)
        replayer.replay()
        changed = moving(found.thresholds, score)

        def replay(replayer: Replayer = replayer, changed: Iterator[Thresholds] = changed) -> object:
            return replayer.replay(next(changed))

        def torchvision(score: float = score) -> object:
            before, heads.score_thresh = heads.score_thresh, score
            try:
                with torch.no_grad():
                    return heads.postprocess_detections(
                        found.head.class_logits, found.head.deltas, [found.head.boxes], [size]
                    )
            finally:
                heads.score_thresh = before

        slots = int((replayer.replay(next(changed)).class_scores[:, 1:] > score).sum())
        ours, theirs = alternate(replay, torchvision, rounds=rounds)
        measures.append(
            Measure(f"score {score:g} ({slots:,} slots) / torchvision's filter", ours, theirs, 2.0)
        )
        if score == 0.05:
            ours, forward = alternate(replay, lambda: bare_forward(on_device), rounds=5)
            measures.append(
                Measure(f"score {score:g}: times faster than a forward", ours, forward, 150, at_most=False)
            )
    report(f"box what-if: {len(found.head.boxes):,} RoIs, 91 classes, with ledger", measures)


def moving(thresholds: Thresholds, score: float) -> Iterator[Thresholds]:
    """The box score a hair higher each time: a replayer remembers its last answer, and that must not count."""
    return (thresholds.replace(box_score=score + step * 1e-9) for step in count(1))


def bare_forward(tensor: torch.Tensor) -> object:
    """The model alone."""
    with torch.no_grad():
        return subject().model([tensor])


if __name__ == "__main__":
    run()
