"""COCO's averages against pycocotools called plainly, and what-ifs against evaluating everything again."""

from __future__ import annotations

import numpy as np
import pytest
from support.coco_images import LABELS, plain, random_images

from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found

SEEDS = (0, 1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_twelve_numbers_are_pycocotools_own(seed: int) -> None:
    images = random_images(seed)
    oracle, judge = plain(images), CocoJudge(images, LABELS)
    assert np.array_equal(judge.statistics, oracle.stats)
    assert oracle.stats[0] == judge.scores.AP
    by_label = [oracle.eval["precision"][:, :, k, 0, -1] for k in range(LABELS)]
    assert judge.by_label == {k + 1: pytest.approx(part.mean()) for k, part in enumerate(by_label)}


@pytest.mark.parametrize("seed", SEEDS)
def test_changed_images_give_what_evaluating_everything_again_gives(seed: int) -> None:
    images = random_images(seed)
    judge = CocoJudge(images, LABELS)
    fewer = [ImageBoxes(one.image, one.truth, one.detections[1:]) for one in images[2:7]]
    whole = plain([*images[:2], *fewer, *images[7:]])
    changed = judge.averages(fewer[::-1])
    assert (whole.stats[0], whole.stats[1]) == (changed.AP, changed.AP50)
    assert changed.AP != judge.averages().AP
    # The judge itself is what it was.
    assert plain(images).stats[0] == judge.averages().AP


def test_no_detection_at_all_is_an_ap_of_zero() -> None:
    images = [ImageBoxes(one.image, one.truth, ()) for one in random_images(3)]
    judge = CocoJudge(images, LABELS)
    assert judge.scores.AP == 0.0
    added = [ImageBoxes(images[0].image, images[0].truth, random_images(3)[0].detections)]
    assert judge.averages(added).AP is not None


def test_without_objects_there_is_nothing_to_average() -> None:
    assert CocoJudge([], LABELS).scores.AP is None
    empty = CocoJudge([ImageBoxes(1, (), (Found((0, 0, 5, 5), 1, 0.5, -1),))], LABELS)
    assert empty.scores.AP is None
    assert empty.averages().AP is None
