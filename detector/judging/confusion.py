"""What objects were taken for: the confusion matrix of a detector, with background.

Detections of at least a score are matched to objects whatever their categories are: by falling score each takes the
free object that it overlaps most, from an IoU on. So an object that two detections claim goes to the surer one, and
the other one counts as found on no object. (COCO's matching, which only ever sees one category, would never confuse
two.) A detection that no object takes and that lies in a crowd region counts nowhere; nor do crowd regions.

Shapes: `K` categories with background, `M` detections and `G` objects of one image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.coco_matching import greedy, overlaps_of
from detector.judging.evaluation_records import Confusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.judging.rows import Found, ImageReport, Truth

SCORE, IOU = 0.5, 0.5


def confusion_of(
    reports: Iterable[ImageReport], categories: Sequence[str], *, score: float = SCORE, iou: float = IOU
) -> Confusion:
    """The confusion matrix of all images.

    Args:
        reports: of the images.
        categories: the detector's K names, index 0 is background.
        score: detections below it are left out, 0 to 1.
        iou: the overlap from which on a detection goes to an object, above 0 and up to 1.

    Raises:
        ValueError: a number out of range.
    """
    if not 0 <= score <= 1:
        raise ValueError(f"score is {score:g}; expected a number from 0 to 1")
    if not 0 < iou <= 1:
        raise ValueError(f"iou is {iou:g}; expected a number above 0 and up to 1")
    counts = np.zeros((len(categories), len(categories)), dtype=np.int64)
    for report in reports:
        found = [one for one in report.detections if one.score >= score]
        rows, columns = _pairs(found, report.truth, iou)
        np.add.at(counts, (rows, columns), 1)
    return Confusion(counts, tuple(categories), score, iou)


def _pairs(found: Sequence[Found], truth: Sequence[Truth], iou: float) -> tuple[list[int], list[int]]:
    """(what it is, what it was found as) for each object and each detection that is not on one."""
    ranked = sorted(found, key=lambda one: -one.score)
    crowd = np.array([one.crowd for one in truth], dtype=bool)
    taken = greedy(overlaps_of(ranked, truth), crowd, np.array([iou]))[0].tolist()
    rows, columns, missed = [], [], {k for k, one in enumerate(truth) if not one.crowd}
    for one, place in zip(ranked, taken, strict=True):
        if place >= 0 and truth[place].crowd:
            continue
        missed.discard(place)
        rows.append(0 if place < 0 else truth[place].label)
        columns.append(one.label)
    rows += [truth[place].label for place in sorted(missed)]
    columns += [0] * len(missed)
    return rows, columns
