"""Traces made by hand: a few candidates whose way through both filters is known beforehand.

Each candidate says everything that the network would say about one anchor, so that a replay under any thresholds
needs no model. Boxes are xyxy in the network frame, which is the image frame unless another size is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from detector import GroundTruth, Replay, Replayer, Thresholds, Trace
from detector.tracing.trace import (
    BackboneStage,
    Detections,
    FilterRules,
    HeadStage,
    InputStage,
    RpnStage,
    Size,
)

Box = tuple[float, float, float, float]
CATEGORIES = ("background", "ring", "cross", "bar")
OPEN = Thresholds(
    rpn_pre_nms_top_n=1000, rpn_post_nms_top_n=1000, rpn_nms=0.7, rpn_score=0.0,
    box_score=0.05, box_nms=0.5, box_limit=100,
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One anchor and all that came of it.

    Args:
        anchor: its box.
        objectness: a probability.
        scores: K class probabilities, background first; they add up to 1.
        decoded: where its deltas move it; left out, it stays.
        refined: the box of the second stage, the same for each class; left out, the decoded one.
        level: pyramid level; candidates are given in order of their level.
    """

    anchor: Box
    objectness: float = 0.9
    scores: Sequence[float] = (0.1, 0.7, 0.1, 0.1)
    decoded: Box | None = None
    refined: Box | None = None
    level: int = 0


def hand_trace(
    *candidates: Candidate,
    thresholds: Thresholds = OPEN,
    truth: GroundTruth | None = None,
    image_size: Size = (100, 100),
    network_size: Size | None = None,
    categories: tuple[str, ...] = CATEGORIES,
    rules: FilterRules | None = None,
    grid: tuple[tuple[int, int, int], ...] | None = None,
) -> Trace:
    """A trace of these candidates; anchor `i` is candidate `i`, whatever the thresholds.

    `trace.head` has a row for every candidate, as if the second stage had looked at each of them: replays under
    any RPN thresholds need no detector. Without a `grid` every level is one cell that holds all its anchors.
    """
    rules, network_size = rules or FilterRules(), network_size or image_size
    anchors = _boxes([one.anchor for one in candidates])
    decoded = _boxes([one.decoded or one.anchor for one in candidates])
    refined = _boxes([one.refined or one.decoded or one.anchor for one in candidates])
    levels = torch.tensor([one.level for one in candidates])
    assert torch.equal(levels, levels.sort().values), "give the candidates in order of their level"
    counts = torch.bincount(levels).tolist()
    rpn = RpnStage(
        grid or tuple((1, 1, count) for count in counts),
        anchors,
        torch.tensor([one.objectness for one in candidates]).logit(),
        rules.rpn_coder.encode([decoded], [anchors])[0],
    )
    head = HeadStage(
        decoded, torch.arange(len(candidates)), levels,
        torch.tensor([list(one.scores) for one in candidates]).clamp(min=1e-12).log(),
        rules.box_coder.encode([refined], [decoded])[0],
    )  # fmt: skip
    trace = Trace(
        InputStage(
            "by hand",
            torch.zeros((3, *image_size), dtype=torch.uint8),
            torch.zeros((3, *network_size)),
            image_size,
            network_size,
        ),
        BackboneStage({}, {str(level): torch.zeros((4, h, w)) for level, (h, w, _) in enumerate(rpn.grid)}),
        rpn, head, _nothing(), thresholds, rules, categories, "by hand", ground_truth=truth,
    )  # fmt: skip
    return _with_detections(trace)


def hand_replay(*candidates: Candidate, thresholds: Thresholds = OPEN, **changes: float) -> Replay:
    """A replay of these candidates; `changes` are thresholds that differ from `OPEN`."""
    return Replayer(hand_trace(*candidates, thresholds=thresholds.replace(**changes))).replay()


def objects(*boxes: Box, labels: Sequence[int] | None = None, crowd: Sequence[bool] = ()) -> GroundTruth:
    """Objects at these boxes, of category 1 unless `labels` are given."""
    return GroundTruth(_boxes(boxes), torch.tensor(labels or [1] * len(boxes)), torch.tensor(list(crowd)))


def _with_detections(trace: Trace) -> Trace:
    replay = Replayer(trace).replay()
    found = Detections(replay.boxes, replay.scores, replay.labels, replay.rois)
    return replace(trace, detections=found)


def _nothing() -> Detections:
    empty = torch.zeros(0, dtype=torch.int64)
    return Detections(torch.zeros((0, 4)), torch.zeros(0), empty, empty)


def _boxes(boxes: Sequence[Box]) -> Tensor:
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
