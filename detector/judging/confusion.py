"""What objects were taken for: the confusion matrix of a detector, with background.

Detections of at least a score are matched to objects whatever their categories are: by falling score each takes the
free object that it overlaps most, from an IoU on. So an object that two detections claim goes to the surer one, and
the other one counts as found on no object. (COCO's matching, which only ever sees one category, would never confuse
two.) A detection that no object takes and that lies in a crowd region counts nowhere; nor do crowd regions.

Shapes: `K` categories with background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.confusion_cells import confused_pairs
from detector.judging.evaluation_records import Confusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.judging.rows import ImageReport

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
    for pair in confused_pairs(reports, score, iou):
        counts[pair.true, pair.found] += 1
    return Confusion(counts, tuple(categories), score, iou)
