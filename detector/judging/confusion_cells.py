"""What lies in each cell of a confusion matrix: the very objects and detections, for those who want to see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.judging.coco_matching import greedy, overlaps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detector.judging.rows import ImageReport

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """An object with the detection that it was given to, or one of the two alone.

    Args:
        image_index: place of the image in the data set.
        true, found: labels, 0 where there is no object, or no detection.
        object, detection: their places on the image, or -1.
        object_box, detection_box: xyxy, px, **image** frame; None where there is none.
        score: of the detection; None without one.
    """

    image_index: int
    true: int
    found: int
    object: int
    detection: int
    object_box: Corners | None
    detection_box: Corners | None
    score: float | None


def confused_pairs(reports: Iterable[ImageReport], score: float, iou: float) -> Iterator[ConfusedPair]:
    """Everything that `confusion_of` counts, in the order of the images.

    Args:
        reports: of the images.
        score: detections below it are left out.
        iou: the overlap from which on a detection goes to an object.
    """
    for report in reports:
        yield from _of_image(report, score, iou)


def _of_image(report: ImageReport, score: float, iou: float) -> Iterator[ConfusedPair]:
    ranked = [k for k, one in enumerate(report.detections) if one.score >= score]
    ranked.sort(key=lambda k: -report.detections[k].score)
    found = [report.detections[k] for k in ranked]
    crowd = np.array([one.crowd for one in report.truth], dtype=bool)
    taken = greedy(overlaps_of(found, report.truth), crowd, np.array([iou]))[0].tolist()
    for detection, place in zip(ranked, taken, strict=True):
        if place < 0 or not crowd[place]:
            yield _pair(report, place, detection)
    for place in sorted(set(range(len(report.truth))) - set(taken)):
        if not crowd[place]:
            yield _pair(report, place, -1)


def _pair(report: ImageReport, place: int, detection: int) -> ConfusedPair:
    truth = None if place < 0 else report.truth[place]
    found = None if detection < 0 else report.detections[detection]
    return ConfusedPair(
        report.index, 0 if truth is None else truth.label, 0 if found is None else found.label, place, detection,
        None if truth is None else truth.box, None if found is None else found.box,
        None if found is None else found.score,
    )  # fmt: skip
