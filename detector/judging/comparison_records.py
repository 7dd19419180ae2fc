"""Two runs on the same images: which objects one found and the other did not, and whether AP differs for sure.

The first run is `a`, the second `b`: gained means that only `b` found the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from detector.judging.evaluation_records import Evaluation


class Change(StrEnum):
    """What became of an object from `a` to `b`."""

    GAINED = "gained"
    LOST = "lost"
    KEPT = "kept"
    STILL_LOST = "still lost"


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the difference of AP lies, by a paired bootstrap over images.

    Args:
        low, high: percentiles of the differences; None where no draw had an object.
        confidence: the share of the draws between them, such as 0.95.
        resamples: how many draws of as many images there were.
        seed: of the draws.
        b_better: the share of the draws in which `b` has the higher AP.
    """

    low: float | None
    high: float | None
    confidence: float
    resamples: int
    seed: int
    b_better: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class ComparedObject:
    """One object that is no crowd region, in both runs.

    Args:
        image_index, image: place and name of its image.
        object: its place among the annotations of the image.
        annotation_id: of the file.
        category, size: its category, and COCO's small, medium or large.
        box: xyxy, px, **image** frame.
        rung_a, rung_b: where it was lost, or FOUND.
        score_a, score_b: of the detection that found it; None where it was lost.
        reason_a, reason_b: why it was lost, in one sentence, or how it was found.
        change: from `a` to `b`.
    """

    image_index: int
    image: str
    object: int
    annotation_id: int
    category: str
    size: str
    box: tuple[float, float, float, float]
    rung_a: str
    rung_b: str
    score_a: float | None
    score_b: float | None
    reason_a: str
    reason_b: str
    change: Change


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two runs on the same images.

    Args:
        a, b: what they are called.
        dataset: what both ran on.
        evaluation_a, evaluation_b: each by itself, over the images that both could use.
        AP_a, AP_b: COCO's AP.
        difference: AP_b - AP_a; None where there is no object.
        interval: of the difference.
        objects: each that is no crowd region, in the order of images and annotations.
        transitions: int64 [12, 12], objects by rung in `a` (rows) and in `b` (columns), in the order of `Rung`.
        false_positives_a, false_positives_b: detections that match nothing.
        left_out: images that one of the two could not use.
    """

    a: str
    b: str
    dataset: str
    evaluation_a: Evaluation
    evaluation_b: Evaluation
    AP_a: float | None
    AP_b: float | None
    difference: float | None
    interval: Interval
    objects: tuple[ComparedObject, ...]
    transitions: np.ndarray
    false_positives_a: int
    false_positives_b: int
    left_out: int

    def count(self, change: Change) -> int:
        """How many objects changed so."""
        return sum(one.change is change for one in self.objects)
