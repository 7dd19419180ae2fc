"""A verdict with its evidence for each of 20 objects, and a cause for each false positive, against a forward."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.box_what_if import bare_forward
from benchmarks.measure import Measure, alternate, report
from benchmarks.subject import image, subject, trace
from detector import GroundTruth, Replayer, diagnose

OBJECTS = 20
BAR = 0.05


def run(rounds: int = 7) -> None:
    """Print and write the table."""
    subject()
    found, on_device = trace(), image().to(trace().head.boxes.device)
    replayer = Replayer(found)
    replay = replayer.replay()
    boxes, labels = objects()
    known = GroundTruth(boxes, labels)

    def cold() -> object:
        # New objects each time: what is remembered of an image must not count.
        return diagnose(replay, GroundTruth(boxes, labels))

    def looked_at_before() -> object:
        return diagnose(replay, known)

    diagnosis = diagnose(replay, known)
    false, rungs = len(diagnosis.false_positives), len({verdict.rung for verdict in diagnosis.verdicts})
    measures = []
    for name, verdicts in (("an image for the first time", cold), ("the same again", looked_at_before)):
        ours, forward = alternate(verdicts, lambda: bare_forward(on_device), rounds=rounds)
        measures.append(Measure(f"{name} / forward", ours, forward, BAR))
    report(
        f"verdicts: {OBJECTS} objects on {rungs} rungs, {false} false positives, {len(replay.head.boxes):,} RoIs, "
        f"{len(replay.proposals):,} anchors",
        measures,
    )


def objects() -> tuple[Tensor, Tensor]:
    """Boxes [20, 4] and labels: a few near detections, the others anywhere, so that they end at many rungs."""
    boxes, labels = scattered(OBJECTS, 91)
    replay = Replayer(trace()).replay()
    near = torch.tensor([0, 10, 30, 60])
    boxes[: len(near)], labels[: len(near)] = replay.boxes[near].cpu(), replay.labels[near].cpu()
    return boxes, labels


def scattered(count: int, classes: int) -> tuple[Tensor, Tensor]:
    """Boxes, float [count, 4] xyxy of 10 to 320 px anywhere in the image, and labels, int64 [count]."""
    generator = torch.Generator().manual_seed(3)
    side = 10 * 2 ** (5 * torch.rand((count, 1), generator=generator))
    stretch = 2 ** (torch.rand((count, 1), generator=generator) - 0.5)
    size = torch.cat((side * stretch, side / stretch), dim=1)
    corner = torch.rand((count, 2), generator=generator) * (torch.tensor([800.0, 600.0]) - size)
    labels = torch.randint(1, classes, (count,), generator=generator)
    return torch.cat((corner, corner + size), dim=1), labels


if __name__ == "__main__":
    run()
