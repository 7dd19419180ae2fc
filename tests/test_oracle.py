"""Oracle gains: what pycocotools says when the objects that one rung lost are found perfectly."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from support.coco_images import LABELS, plain, random_images

from detector.explaining.rungs import Rung
from detector.judging.coco_metrics import CocoJudge
from detector.judging.oracle import boxes_of, oracle_gains
from detector.judging.rows import Found, ImageReport, ObjectRow

RUNGS = ("RPN_NMS", "ROI_CLASS", "FOUND")


def reports(seed: int) -> list[ImageReport]:
    """Random images whose objects were lost at random rungs; detections that would match those are taken out."""
    chance, made = random.Random(seed), []
    for image in random_images(seed):
        rows = tuple(
            ObjectRow(
                k, k, str(one.label), *one.box, one.area, "small", chance.choice(RUNGS),
                "", "", 0.0, None, "", None,
            )
            for k, one in enumerate(image.truth)
            if not one.crowd
        )  # fmt: skip
        made.append(ImageReport(image.image, "", objects=rows, truth=image.truth))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_each_gain_is_what_pycocotools_says_with_the_lost_objects_added(seed: int) -> None:
    images = reports(seed)
    for place, report in enumerate(images):
        found = [row for row in report.objects if row.rung == "FOUND"]
        detections = [
            Found(report.truth[row.object].box, report.truth[row.object].label, 0.5, row.object)
            for row in found
        ]
        images[place] = replace(report, detections=tuple(detections))
    judge = CocoJudge([boxes_of(report) for report in images], LABELS)
    gains = oracle_gains(images, judge)
    assert [gain.rung for gain in gains] == ["RPN_NMS", "ROI_CLASS"]
    for gain in gains:
        added = [
            replace(
                boxes_of(report),
                detections=(
                    *report.detections,
                    *(
                        Found(report.truth[row.object].box, report.truth[row.object].label, 1.0, row.object)
                        for row in report.objects
                        if row.rung == gain.rung
                    ),
                ),
            )
            for report in images
        ]
        whole = plain(added)
        assert (whole.stats[0], whole.stats[1]) == (gain.AP, gain.AP50)
        assert gain.gain == pytest.approx(whole.stats[0] - judge.averages().AP)
        assert gain.gain > 0


def test_all_rungs_mended_together_are_perfect_without_false_detections() -> None:
    images = [
        replace(report, objects=tuple(replace(row, rung=Rung.ANCHOR_FIT.name) for row in report.objects))
        for report in reports(0)
    ]
    (gain,) = oracle_gains(images, CocoJudge([boxes_of(report) for report in images], LABELS))
    assert pytest.approx(1.0) == gain.AP
    assert gain.gain == pytest.approx(1.0)


def test_nothing_lost_is_nothing_to_gain() -> None:
    images = [
        replace(report, objects=tuple(replace(row, rung="FOUND") for row in report.objects))
        for report in reports(0)
    ]
    assert oracle_gains(images, CocoJudge([boxes_of(report) for report in images], LABELS)) == ()
