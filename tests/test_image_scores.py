"""The AP of single images against pycocotools on each image by itself, and the order of the worst."""

from __future__ import annotations

import pytest
from support.coco_images import LABELS
from support.evaluations import boxed_images, reports_of_images

from detector.judging.coco_matching import match_images
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.image_scores import image_scores, worst_by_ap, worst_by_loss
from detector.tracing.samples import Losses


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_images_ap_is_coco_on_this_image_alone(seed: int) -> None:
    images = [*boxed_images(seed), ImageBoxes(99, (), boxed_images(seed)[0].detections)]
    scores = image_scores(reports_of_images(images), match_images(images, LABELS), {})
    for image, score in zip(images, scores, strict=True):
        alone = CocoJudge([image], LABELS).scores.AP
        assert (None if alone is None else pytest.approx(alone, abs=1e-9)) == score.AP
        assert score.detections == len(image.detections)
    assert scores[-1].AP is None
    assert len({score.AP for score in scores}) > 4


def test_the_worst_come_first_and_images_without_a_score_not_at_all() -> None:
    images = [*boxed_images(5), ImageBoxes(99, (), ())]
    losses = {index: Losses(0.1, 0.2, 0.3, index / 10) for index in (1, 4, 2)}
    scores = image_scores(reports_of_images(images), match_images(images, LABELS), losses)
    by_ap = [one.AP for one in worst_by_ap(scores)]
    assert by_ap == sorted(by_ap) and len(by_ap) == sum(one.AP is not None for one in scores) < len(scores)
    assert [one.index for one in worst_by_loss(scores)] == [4, 2, 1]
    assert scores[4].loss == pytest.approx(1.0) and scores[0].loss is None
