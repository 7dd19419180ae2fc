"""The confusion matrix against a slow loop: several scores and IoUs, crowd regions, and images without anything."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask
from support.coco_images import LABELS
from support.evaluations import boxed_images, reports_of_images

from detector.judging.coco_metrics import ImageBoxes
from detector.judging.confusion import confusion_of
from detector.judging.rows import Found, Truth

NAMES = ("background", "a", "b", "c")


def _iou(one: Found, other: Truth) -> float:
    boxes = [[b[0], b[1], b[2] - b[0], b[3] - b[1]] for b in (one.box, other.box)]
    return float(mask.iou([boxes[0]], [boxes[1]], [int(other.crowd)])[0][0])


def _slowly(images: list[ImageBoxes], score: float, iou: float) -> np.ndarray:
    counts = np.zeros((LABELS + 1, LABELS + 1), dtype=int)
    for image in images:
        free = [one for one in image.truth if not one.crowd]
        crowds = [one for one in image.truth if one.crowd]
        for one in sorted(image.detections, key=lambda found: -found.score):
            if one.score < score:
                continue
            best, chosen = iou, None
            for place, other in enumerate(free):
                if _iou(one, other) >= best:
                    best, chosen = _iou(one, other), place
            if chosen is not None:
                counts[free.pop(chosen).label, one.label] += 1
            elif not any(_iou(one, crowd) >= iou for crowd in crowds):
                counts[0, one.label] += 1
        for other in free:
            counts[other.label, 0] += 1
    return counts


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("score", "iou"), [(0.5, 0.5), (0.0, 0.5), (0.3, 0.75), (1.0, 0.1)])
def test_the_counts_are_those_of_a_slow_loop(seed: int, score: float, iou: float) -> None:
    images = [*boxed_images(seed), ImageBoxes(99, (), ())]
    found = confusion_of(reports_of_images(images), NAMES, score=score, iou=iou)
    assert np.array_equal(found.counts, _slowly(images, score, iou))
    assert (found.score, found.iou, found.categories) == (score, iou, NAMES)


def test_each_object_is_counted_once_and_nothing_is_background_taken_for_background() -> None:
    images = boxed_images(4)
    counts = confusion_of(reports_of_images(images), NAMES).counts
    for label in range(1, LABELS + 1):
        objects = sum(one.label == label and not one.crowd for image in images for one in image.truth)
        assert counts[label].sum() == objects
    assert counts[0, 0] == 0


def test_the_surer_of_two_detections_gets_the_object_whatever_its_category() -> None:
    box = (10.0, 10.0, 50.0, 50.0)
    truth = (Truth(box, 1, False, 1600.0),)
    found = (Found(box, 1, 0.6, 0), Found((11.0, 10.0, 50.0, 50.0), 2, 0.9, -1))
    counts = confusion_of(reports_of_images([ImageBoxes(1, truth, found)]), NAMES).counts
    assert counts[1, 2] == 1 and counts[0, 1] == 1 and counts.sum() == 2


@pytest.mark.parametrize(
    ("numbers", "said"), [({"score": 1.5}, r"score is 1\.5"), ({"iou": 0.0}, "iou is 0")]
)
def test_a_number_out_of_range_is_refused(numbers: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        confusion_of([], NAMES, **numbers)
