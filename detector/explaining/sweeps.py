"""One threshold of the box filter moved over its whole range: how many detections, true and false, at each value.

Shapes: `M` detections, `G` objects, `V` values of the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from detector.explaining.matching import match_detections
from detector.tracing.filters import DetectionFate, Ledger, filter_detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from detector.data.ground_truth import GroundTruth
    from detector.tracing.replay import Replay
    from detector.tracing.thresholds import Thresholds

LOWEST_SCORE = 0.001
NMS_GRID = tuple(round(0.05 * step, 2) for step in range(1, 21))
_FALSE, _IGNORED, _TRUE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class CountCurve:
    """What the box filter gives at each of V values of one threshold, the others staying as they are.

    Args:
        field: of `Thresholds`.
        values: rising.
        detections: how many there are at each value.
        true: how many of them match an object, which is how many objects are found; None without ground truth.
        false: how many match nothing; None without ground truth. Matches with a crowd region are neither.
        present: value of the threshold in the replay.
    """

    field: str
    values: tuple[float, ...]
    detections: tuple[int, ...]
    true: tuple[int, ...] | None
    false: tuple[int, ...] | None
    present: float


def score_curve(replay: Replay, truth: GroundTruth | None, iou: float = 0.5) -> CountCurve:
    """Every step of the counts over the score threshold, from one pass of the filter.

    NMS, the limit and the matching decide about a detection by what scores higher alone: raising the threshold
    cuts the end of one sorted list off. Between two values the counts stay what they are at the lower one.
    A slot below `LOWEST_SCORE` is left out, unless the threshold of the replay lies lower still.

    Args:
        replay: the candidates, and the thresholds that stay.
        truth: the objects.
        iou: bound of the matching.
    """
    present = replay.thresholds.box_score
    lowest = min(LOWEST_SCORE, present)
    ledger = _filtered(replay, replay.thresholds.replace(box_score=lowest))
    scores = ledger.scores[ledger.kept].double().cpu()
    kinds = _kinds(replay, ledger, truth, iou)
    values = torch.cat((torch.tensor([lowest], dtype=torch.float64), scores.unique()))
    # Sorted from the top: as many as are over a value are the first ones of the list.
    over = [int((scores > value).sum()) for value in values]
    return CountCurve("box_score", tuple(values.tolist()), *_counts(kinds, over, len(scores)), present)


def nms_curve(
    replay: Replay, truth: GroundTruth | None, iou: float = 0.5, grid: Sequence[float] = NMS_GRID
) -> CountCurve:
    """The counts at some values of the IoU threshold of box NMS, and at the present one; each a real replay.

    Args:
        replay: the candidates, and the thresholds that stay.
        truth: the objects.
        iou: bound of the matching.
        grid: values, in [0, 1].
    """
    present = replay.thresholds.box_nms
    values = tuple(sorted({*grid, present}))
    rows = []
    for value in values:
        ledger = _filtered(replay, replay.thresholds.replace(box_nms=value))
        kinds = _kinds(replay, ledger, truth, iou)
        rows.append(_counts(kinds, [len(ledger.kept)], len(ledger.kept)))
    detections = tuple(row[0][0] for row in rows)
    if truth is None:
        return CountCurve("box_nms", values, detections, None, None, present)
    true, false = (tuple(row[place][0] for row in rows if row[place]) for place in (1, 2))
    return CountCurve("box_nms", values, detections, true, false, present)


def _filtered(replay: Replay, thresholds: Thresholds) -> Ledger[DetectionFate]:
    with torch.no_grad():
        return filter_detections(replay.class_boxes, replay.class_scores, thresholds, replay.trace.rules)


def _kinds(
    replay: Replay, ledger: Ledger[DetectionFate], truth: GroundTruth | None, iou: float
) -> Tensor | None:
    """Whether each of the M kept slots is false, ignored or true, int64 [M]."""
    if truth is None:
        return None
    kept = ledger.kept
    boxes = replay.trace.to_image(ledger.boxes[kept])
    matches = match_detections(boxes, ledger.labels[kept], ledger.scores[kept], truth, iou)
    kinds = torch.full((len(kept),), _FALSE)
    matched = matches.object_of >= 0
    crowd = truth.crowd[matches.object_of.clamp(min=0)] if len(truth) else torch.zeros_like(matched)
    kinds[matched] = torch.where(crowd[matched], _IGNORED, _TRUE)
    return kinds


def _counts(
    kinds: Tensor | None, firsts: Sequence[int], total: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...] | None]:
    """Detections, true and false ones among the first n of a list, for each n."""
    detections = tuple(min(first, total) for first in firsts)
    if kinds is None:
        return detections, None, None
    true, false = ((kinds == kind).cumsum(0).tolist() for kind in (_TRUE, _FALSE))
    return (
        detections,
        tuple(true[first - 1] if first else 0 for first in detections),
        tuple(false[first - 1] if first else 0 for first in detections),
    )
