"""How good a detector is on a data set, in full: the records that pages, tables and reports show.

Shapes: `T` IoU thresholds (10, from .50 to .95), `P` recalls (101, from 0 to 1), `K` categories with background.
AP is COCO's; None, or -1 in an array, stands where there is nothing to average over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.judging.summary import Group

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from detector.judging.summary import Fall, Summary, TideShare
    from detector.tracing.samples import Losses
    from detector.tracing.thresholds import Thresholds

STATISTICS = (
    "AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large",
    "AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large",
)  # fmt: skip
"""COCO's twelve numbers, in the order in which pycocotools prints them."""


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """One category.

    Args:
        label: the detector's index of it, from 1.
        AP, AP50, AP75: over IoU .50 to .95, at .50, at .75.
        AP_small, AP_medium, AP_large: by the object's size, as COCO bounds it.
        objects: without crowd regions.
        detections: that the thresholds let through.
    """

    label: int
    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_small: float | None
    AP_medium: float | None
    AP_large: float | None
    objects: int
    detections: int


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Precision against recall, as pycocotools has it: at each recall the best precision there or further on.

    Args:
        ious: float64 [T].
        recalls: float64 [P].
        precision: float64 [T, P, K-1], objects of all sizes; 0 past the last recall reached, -1 for a category
            without objects.
        scores: float64 [T, P, K-1], score of the detection with which the recall is reached; 0 past the last
            one, -1 for a category without objects.
    """

    ious: np.ndarray
    recalls: np.ndarray
    precision: np.ndarray
    scores: np.ndarray

    def at(self, iou: float, label: int | None = None) -> np.ndarray:
        """Precision at each recall, float64 [P], at the IoU nearest to `iou`.

        Args:
            iou: one of `ious`.
            label: of one category, from 1; the mean over all that have objects when left out.

        Returns:
            NaN throughout where there is no object.
        """
        part = self.precision[abs(self.ious - iou).argmin()]
        chosen = part[:, (part > -1).all(axis=0)] if label is None else part[:, label - 1 : label]
        if chosen.shape[1] == 0 or (chosen < 0).any():
            return self.recalls * float("nan")
        return chosen.mean(axis=1)


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Detections of like scores.

    Args:
        low, high: scores over `low` and up to `high`.
        confidence: their mean score; the middle of the bin where it is empty.
        accuracy: the share of true ones among them; None where the bin is empty.
        count: how many there are.
    """

    low: float
    high: float
    confidence: float
    accuracy: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether scores mean what they say: of the detections of score .8, are 8 in 10 true?

    Args:
        bins: by score, from 0 to 1.
        ECE: expected calibration error, the mean of |confidence - accuracy| over detections, 0 to 1; None
            without detections.
        MCE: the largest of these differences of any bin.
        iou: from which on a detection is a true one.
        count: detections in all bins; those in crowd regions are left out.
    """

    bins: tuple[CalibrationBin, ...]
    ECE: float | None
    MCE: float | None
    iou: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """What objects were taken for.

    Args:
        counts: int64 [K, K]; rows are what an object is, columns what it was found as. Row 0 holds detections
            on no object, column 0 objects without a detection; [0, 0] is 0.
        categories: K names, index 0 is background.
        score: only detections of at least this score took part.
        iou: the overlap from which on a detection goes to an object.
    """

    counts: np.ndarray
    categories: tuple[str, ...]
    score: float
    iou: float


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One image by itself.

    Args:
        index: its place in the data set.
        image: its name.
        AP: COCO's AP of this image alone, over the categories that have objects on it; None without objects.
        objects, found: without crowd regions, at the IoU of the evaluation.
        detections, false_positives: that the thresholds let through, and those that match nothing.
        losses: what a training step on this image alone would pay; None where that was not computed.
    """

    index: int
    image: str
    AP: float | None
    objects: int
    found: int
    detections: int
    false_positives: int
    losses: Losses | None = None

    @property
    def loss(self) -> float | None:
        """The four losses together, each weighted 1; None where they were not computed."""
        return None if self.losses is None else self.losses.total


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A detector on a data set.

    Args:
        model, dataset: what they are called.
        thresholds: under which the detections were made.
        iou: the overlap that counts as found, in all that is not COCO's own.
        categories: the detector's K names, index 0 is background.
        objects: without crowd regions.
        statistics: COCO's numbers by the names of `STATISTICS`.
        by_category: by name; those that the data set knows, in the detector's order.
        curves, calibration, confusion: see there.
        images: in the data set's order, without those that could not be used.
        summary: of the diagnosis that all this was worked out from: waterfalls, TIDE, unusable images.
    """

    model: str
    dataset: str
    thresholds: Thresholds
    iou: float
    categories: tuple[str, ...]
    objects: int
    statistics: Mapping[str, float | None]
    by_category: Mapping[str, CategoryScore]
    curves: Curves
    calibration: Calibration
    confusion: Confusion
    images: tuple[ImageScore, ...]
    summary: Summary

    @property
    def tide(self) -> Mapping[str, TideShare]:
        """Errors by TIDE's types, and what each costs."""
        return self.summary.tide

    @property
    def waterfall(self) -> tuple[Fall, ...]:
        """What each rung lost, in order."""
        return self.summary.waterfall

    @property
    def whole(self) -> Group:
        """All objects as one group, for the waterfall's figure."""
        return Group(self.summary.objects, self.summary.found, self.summary.waterfall)
