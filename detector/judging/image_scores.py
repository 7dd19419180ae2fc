"""Each image of a data set by itself: its AP, what was found on it, and what it costs in training.

The AP of an image is what COCO gives for a data set of this one image: the mean over the ten IoU thresholds and
over the categories that have objects on it. A false positive of a category without objects there does not lower
it (as nowhere in COCO): their number stands beside it. An image without objects has no AP.

Shapes: `I` images, `T` IoU thresholds, `K` categories with background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.average_precision import precision_area
from detector.judging.evaluation_records import ImageScore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detector.judging.coco_matching import Matched
    from detector.judging.rows import ImageReport
    from detector.tracing.samples import Losses

_FOUND = "FOUND"


def image_scores(
    reports: Sequence[ImageReport], matched: Matched, losses: Mapping[int, Losses]
) -> tuple[ImageScore, ...]:
    """A score for each image, in their order.

    Args:
        reports: of the images.
        matched: of the same images.
        losses: by image index, where they are known.
    """
    ends = np.searchsorted(matched.image, np.arange(len(reports) + 1))
    return tuple(
        ImageScore(
            report.index, report.image, _ap(matched, place, slice(ends[place], ends[place + 1])),
            len(report.objects), sum(row.rung == _FOUND for row in report.objects),
            len(report.detections), len(report.false_positives), losses.get(report.index),
        )
        for place, report in enumerate(reports)
    )  # fmt: skip


def worst_by_ap(images: Sequence[ImageScore]) -> list[ImageScore]:
    """Images with objects, the lowest AP first; of equal ones that with more false positives, then the first."""
    known = [(one.AP, one) for one in images if one.AP is not None]
    return [one for _, one in sorted(known, key=lambda pair: (pair[0], -pair[1].false_positives))]


def worst_by_loss(images: Sequence[ImageScore]) -> list[ImageScore]:
    """Images with a loss, the highest first."""
    known = [(one.loss, one) for one in images if one.loss is not None]
    return [one for _, one in sorted(known, key=lambda pair: -pair[0])]


def _ap(matched: Matched, place: int, own: slice) -> float | None:
    """AP of one image whose detections are `own` of all."""
    objects = matched.objects[place].tolist()
    values = [_of_category(matched, own, label, count) for label, count in enumerate(objects, 1) if count]
    if not values:
        return None
    return float(np.mean(values))


def _of_category(matched: Matched, own: slice, label: int, objects: int) -> float:
    """Within an image the detections of a category stand by falling score."""
    mine = matched.label[own] == label
    hit, ignored = matched.hit[:, own][:, mine], matched.ignored[:, own][:, mine]
    return float(precision_area(hit, ignored, objects).mean())
