"""Precision-recall curves: pycocotools' own, and what is said where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from support.coco_images import LABELS, plain
from support.evaluations import boxed_images

from detector.judging.coco_metrics import ImageBoxes
from detector.judging.coco_numbers import IOUS, RECALLS, coco_numbers
from detector.judging.evaluation_records import Curves


def _curves(images: list[ImageBoxes]) -> Curves:
    numbers = coco_numbers(images, LABELS)
    return Curves(IOUS, RECALLS, numbers.precision[..., 0], numbers.scores)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_curve_is_the_precision_of_pycocotools(seed: int) -> None:
    images = boxed_images(seed)
    oracle, curves = plain(images), _curves(images)
    precision = oracle.eval["precision"][:, :, :, 0, -1]
    for level, iou in enumerate(oracle.params.iouThrs):
        for label in range(1, LABELS + 1):
            assert np.allclose(curves.at(iou, label), precision[level, :, label - 1], rtol=0, atol=1e-9)
        assert curves.at(iou).mean() == pytest.approx(precision[level].mean(), abs=1e-9)
        assert (np.diff(curves.at(iou)) <= 1e-12).all()
    assert np.array_equal(curves.recalls, oracle.params.recThrs)


def test_a_category_without_objects_has_no_curve_and_takes_no_part_in_the_mean() -> None:
    images = [
        ImageBoxes(one.image, tuple(t for t in one.truth if t.label != 2), one.detections)
        for one in boxed_images(0)
    ]
    curves = _curves(images)
    assert np.isnan(curves.at(0.5, 2)).all()
    assert np.allclose(curves.at(0.5), (curves.at(0.5, 1) + curves.at(0.5, 3)) / 2)
    nothing = _curves([ImageBoxes(1, (), images[0].detections)])
    assert np.isnan(nothing.at(0.5)).all()


def test_the_score_of_a_recall_is_that_of_the_detection_that_reaches_it() -> None:
    images = boxed_images(2, ties=False)
    curves = _curves(images)
    scores = {one.score for image in images for one in image.detections}
    reached = curves.precision > 0
    assert reached.any()
    assert set(np.unique(curves.scores[reached])) <= scores
