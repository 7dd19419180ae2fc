"""Which anchors a training step would match to each object: the model's own matcher, in bounded memory.

torchvision's matcher wants the whole table of overlaps, objects by anchors: 10,000 objects and 200,000 anchors take
8 GB. Its rules need each row and each column once or twice, so that the table can pass in strips.

Shapes: `G` objects, `N` anchors. Boxes are xyxy in the network frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOM = 4_000_000
_BELOW, _BETWEEN = Matcher.BELOW_LOW_THRESHOLD, Matcher.BETWEEN_THRESHOLDS


@dataclass(frozen=True, slots=True, eq=False)
class AnchorMatches:
    """What each object gets.

    Args:
        best_iou: float [G], IoU with its best anchor.
        positives: int64 [G], anchors that are matched to it.
        reaching: int64 [G], those of them whose IoU reaches the bound for a positive; the others are rescued by the
            low-quality rule.
    """

    best_iou: Tensor
    positives: Tensor
    reaching: Tensor


def match_anchors(boxes: Tensor, anchors: Tensor, matcher: Any, room: int = _ROOM) -> AnchorMatches:  # noqa: ANN401
    """Match the anchors of one image to its objects.

    Args:
        boxes: float [G, 4], at least one.
        anchors: float [N, 4].
        matcher: torchvision's `Matcher`, or one of the model's own, which then gets the whole table.
        room: overlaps that are in memory at once, where the matcher is torchvision's.
    """
    step = max(1, room // len(anchors))
    if len(boxes) <= step or type(matcher) is not Matcher:
        overlaps = box_iou(boxes, anchors)
        matched, best_iou, quality = matcher(overlaps), overlaps.amax(dim=1), overlaps.amax(dim=0)
    else:
        matched, best_iou, quality = _in_strips(boxes, anchors, matcher, step)
    positive = matched >= 0
    reaching = matched[positive & (quality >= matcher.high_threshold)]
    counts = (torch.bincount(chosen, minlength=len(boxes)) for chosen in (matched[positive], reaching))
    return AnchorMatches(best_iou, *counts)


def _in_strips(boxes: Tensor, anchors: Tensor, matcher: Matcher, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """As `Matcher` has it: match of each anchor int64 [N], best IoU of each object [G] and of each anchor [N]."""
    quality, owner = torch.full((len(anchors),), -1.0), torch.zeros(len(anchors), dtype=torch.int64)
    best_iou = torch.zeros(len(boxes))
    for start, overlaps in _strips(boxes, anchors, step):
        value, row = overlaps.max(dim=0)
        better = value > quality  # of equal ones the first, as `max` has it
        quality, owner = torch.where(better, value, quality), torch.where(better, row + start, owner)
        best_iou[start : start + len(overlaps)] = overlaps.amax(dim=1)
    matched = torch.where(quality < matcher.high_threshold, _BETWEEN, owner)
    matched[quality < matcher.low_threshold] = _BELOW
    if matcher.allow_low_quality_matches:
        for start, overlaps in _strips(boxes, anchors, step):
            best = best_iou[start : start + len(overlaps), None]
            rescued = (overlaps == best).any(dim=0)
            matched[rescued] = owner[rescued]
    return matched, best_iou, quality


def _strips(boxes: Tensor, anchors: Tensor, step: int) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(boxes), step):
        yield start, box_iou(boxes[start : start + step], anchors)
