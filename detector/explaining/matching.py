"""COCO's greedy matching of detections to objects, for one image at one IoU.

Shapes: `M` detections, `G` objects. Boxes are xyxy, both in the image frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
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
    iou = iou_of_arrays(as_array(boxes), as_array(others), None if crowd is None else as_array(crowd))
    return torch.from_numpy(np.asarray(iou)).to(boxes.device)


def iou_of_arrays(boxes: np.ndarray, others: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """As `iou_of`, of arrays: for the few boxes of an image a call of NumPy costs a fraction of one of torch."""
    left, top, right, bottom = _columns(boxes)
    other_left, other_top, other_right, other_bottom = _columns(others)
    with np.errstate(all="ignore"):
        width = np.minimum(right, other_right) - np.maximum(left, other_left)
        height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
        inner = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        own = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
        whole = own + (other_right - other_left) * (other_bottom - other_top) - inner
        if crowd is not None:
            whole = np.where(crowd, own, whole)
        return np.where(whole > 0, inner / whole, 0.0)


def _columns(boxes: np.ndarray) -> list[np.ndarray]:
    """The four sides, float64 [...]."""
    return [boxes[..., side].astype(np.float64) for side in range(4)]


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
    quality = iou_of_arrays(as_array(boxes)[:, None], as_array(truth.boxes), crowd := as_array(truth.crowd))
    reach = (as_array(labels)[:, None] == as_array(truth.labels)) & (quality >= inclusive(iou))
    object_of, detection_of = (np.full(count, _UNMATCHED) for count in quality.shape)
    free = ~crowd
    for detection in scores.cpu().argsort(descending=True, stable=True).tolist():
        allowed = reach[detection]
        candidates = allowed & free
        if not candidates.any():
            candidates = allowed & crowd
            if not candidates.any():
                continue
        # Of several equal ones COCO's loop ends on the last.
        chosen = len(free) - 1 - int(np.where(candidates, quality[detection], -1.0)[::-1].argmax())
        object_of[detection] = chosen
        if detection_of[chosen] == _UNMATCHED:
            detection_of[chosen], free[chosen] = detection, False
    return Matches(torch.from_numpy(object_of), torch.from_numpy(detection_of))


def as_array(values: Tensor) -> np.ndarray:
    """The same values for NumPy, which has no bfloat16: those become float32, exactly."""
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
