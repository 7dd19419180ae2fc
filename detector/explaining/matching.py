"""COCO's greedy matching of detections to objects, for one image at one IoU.

Shapes: `M` detections, `G` objects. Boxes are xyxy, both in the image frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth

_UNMATCHED = -1


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Who matched whom.

    Args:
        object_of: int64 [M], object each detection is matched to, else -1.
        detection_of: int64 [G], detection each object is matched to, else -1 (the first one for a crowd region).
    """

    object_of: Tensor
    detection_of: Tensor


def overlaps(boxes: Tensor, truth: GroundTruth) -> Tensor:
    """IoU, float64 [M, G]; for a crowd region the share of the detection inside it, as COCO defines.

    Args:
        boxes: float [M, 4], image frame.
        truth: the objects.
    """
    return iou_of(boxes[:, None], truth.boxes.to(boxes.device), truth.crowd.to(boxes.device))


def iou_of(boxes: Tensor, others: Tensor, crowd: Tensor | None = None) -> Tensor:
    """IoU, float64 [...], of boxes [..., 4] and others [..., 4], broadcast; 0 where a box is not finite.

    Args:
        boxes, others: float xyxy, in one frame.
        crowd: bool [...], where the share of the box inside the other one is wanted instead.
    """
    first, second = boxes.double().unbind(-1), others.double().unbind(-1)
    width = torch.minimum(first[2], second[2]).sub_(torch.maximum(first[0], second[0])).clamp_(min=0)
    height = torch.minimum(first[3], second[3]).sub_(torch.maximum(first[1], second[1])).clamp_(min=0)
    inner = width.mul_(height)
    own = (first[2] - first[0]).clamp_(min=0) * (first[3] - first[1]).clamp_(min=0)
    whole = own + (second[2] - second[0]) * (second[3] - second[1]) - inner
    if crowd is not None:
        whole = torch.where(crowd, own, whole)
    return torch.where(whole > 0, inner / whole, torch.zeros_like(inner))


def inclusive(iou: float) -> float:
    """The bound that pycocotools compares with where `iou` is asked for: equal boxes match at 1."""
    return min(iou, 1 - 1e-10)


def match_detections(
    boxes: Tensor, labels: Tensor, scores: Tensor, truth: GroundTruth, iou: float = 0.5
) -> Matches:
    """COCO's greedy matching (pycocotools `COCOeval.evaluateImg`), all classes at once.

    In order of score each detection takes the free object of its category with the highest IoU of at least
    `iou`; a real object is preferred to a crowd region, and a crowd region takes any number of detections.

    Objects of every size count (COCO's area range `all`). An annotation's own `ignore` flag has no part in it:
    pycocotools replaces it by `iscrowd`. There is no cut after 100 detections of a category; the model's own
    limit is the only one.

    Args:
        boxes: float [M, 4], image frame.
        labels: int64 [M].
        scores: float [M].
        truth: the objects.
        iou: bound on the IoU, inclusive.
    """
    quality = overlaps(boxes, truth).cpu()
    same = labels.cpu()[:, None] == truth.labels
    object_of = torch.full((len(boxes),), _UNMATCHED, dtype=torch.int64)
    detection_of = torch.full((len(truth),), _UNMATCHED, dtype=torch.int64)
    bound = inclusive(iou)
    for detection in scores.cpu().argsort(descending=True, stable=True).tolist():
        allowed = same[detection] & (quality[detection] >= bound)
        free = allowed & (detection_of == _UNMATCHED) & ~truth.crowd
        candidates = free if free.any() else allowed & truth.crowd
        if not candidates.any():
            continue
        best = quality[detection].masked_fill(~candidates, -1.0)
        # Of several equal ones COCO's loop ends on the last.
        chosen = int((best == best.max()).nonzero()[-1])
        object_of[detection] = chosen
        if detection_of[chosen] == _UNMATCHED:
            detection_of[chosen] = detection
    return Matches(object_of, detection_of)
