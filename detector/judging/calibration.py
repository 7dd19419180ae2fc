"""Whether scores mean what they say: confidence against the share of true detections.

Guo et al. 2017 ("On Calibration of Modern Neural Networks") sort predictions into bins by confidence and compare
each bin's mean confidence with its accuracy; the expected calibration error is the mean difference, weighted by
how many lie in each bin. For detectors (Küppers et al. 2020, "Multivariate Confidence Calibration for Object
Detection") precision takes the place of accuracy: a detection is right where it matches an object at a given IoU.
Objects that were missed have no part in it, and neither have detections below the model's own score threshold:
they are not there.

Shapes: `D` detections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.coco_numbers import IOUS
from detector.judging.evaluation_records import Calibration, CalibrationBin

if TYPE_CHECKING:
    from detector.judging.coco_matching import Matched

BINS = 10
IOU = 0.5


def calibration_of(
    matched: Matched, *, iou: float = IOU, bins: int = BINS, label: int | None = None
) -> Calibration:
    """The calibration of all detections that COCO counts.

    Args:
        matched: of all images.
        iou: from which on a detection is a true one; one of COCO's ten.
        bins: how many, of equal width.
        label: of one category; all when left out.

    Raises:
        ValueError: fewer than one bin, or another IoU.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; expected 1 or more")
    level = int(abs(IOUS - iou).argmin())
    if abs(IOUS[level] - iou) > 1e-9:
        raise ValueError(f"iou is {iou:g}; expected one of COCO's, .50 to .95 in steps of .05")
    counts = ~matched.ignored[level]
    if label is not None:
        counts &= matched.label == label
    return calibrated(matched.score[counts], matched.hit[level][counts], iou, bins)


def calibrated(scores: np.ndarray, true: np.ndarray, iou: float = IOU, bins: int = BINS) -> Calibration:
    """The calibration of some detections.

    Args:
        scores: float64 [D], 0 to 1.
        true: bool [D].
        iou: by which `true` was told.
        bins: how many; each holds the scores over its low end and up to its high end, the first one 0, too.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    confidence = _means(np.bincount(place, scores, bins), count)
    accuracy = _means(np.bincount(place, true.astype(float), bins), count)
    gaps = np.abs(confidence - accuracy)
    rows = tuple(
        CalibrationBin(
            float(edges[k]), float(edges[k + 1]),
            float(confidence[k]) if count[k] else float(edges[k] + edges[k + 1]) / 2,
            float(accuracy[k]) if count[k] else None, int(count[k]),
        )
        for k in range(bins)
    )  # fmt: skip
    if not len(scores):
        return Calibration(rows, None, None, iou, 0)
    return Calibration(rows, float((gaps * count).sum() / count.sum()), float(gaps.max()), iou, len(scores))


def _means(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(sums, count, out=np.zeros(len(sums)), where=count > 0)
