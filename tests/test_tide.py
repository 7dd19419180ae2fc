"""TIDE's types: counts, and the AP that mending each of them gains."""

from __future__ import annotations

import pytest
import torch
from support.coco_images import LABELS, plain, random_images

from detector import GroundTruth
from detector.explaining.matching import match_detections
from detector.judging.rows import FalsePositiveRow, Found, ImageReport, ObjectRow, Truth
from detector.judging.tide import entries_of, mean_ap, tide_shares

A, B = (10.0, 10.0, 50.0, 50.0), (100.0, 100.0, 160.0, 160.0)
SHIFTED, APART = (10.0, 25.0, 50.0, 65.0), (200.0, 10.0, 240.0, 50.0)


def report(
    truth: list[tuple], detections: list[tuple], matched: dict[int, int], types: dict[int, str]
) -> ImageReport:
    """One image: truth (box, label), detections (box, label, score), who matches whom, TIDE's types."""
    truths = tuple(Truth(box, label, False, 1000.0) for box, label in truth)
    found = tuple(
        Found(box, label, score, matched.get(k, -1)) for k, (box, label, score) in enumerate(detections)
    )
    rows = tuple(
        ObjectRow(
            k, k, str(one.label), *one.box, one.area, "small",
            "FOUND" if k in matched.values() else "ROI_CLASS", "", "", 0.0, None, "", None,
        )
        for k, one in enumerate(truths)
    )  # fmt: skip
    false = tuple(
        FalsePositiveRow(k, str(found[k].label), found[k].score, *found[k].box, "", tide, -1, 0.0, 0, 0, "")
        for k, tide in types.items()
    )
    return ImageReport(0, "image 0", (300, 300), (1.0, 1.0), rows, false, truths, found)


@pytest.mark.parametrize("seed", range(4))
def test_the_ap_that_gains_are_measured_from_is_pycocotools(seed: int) -> None:
    images, reports = random_images(seed, 20), []
    for image in images:
        truth = GroundTruth(
            torch.tensor([one.box for one in image.truth], dtype=torch.float64).reshape(-1, 4),
            torch.tensor([one.label for one in image.truth], dtype=torch.int64),
            torch.tensor([one.crowd for one in image.truth], dtype=torch.bool),
        )
        columns = list(zip(*((d.box, d.label, d.score) for d in image.detections), strict=True)) or [
            (),
            (),
            (),
        ]
        boxes = torch.tensor(columns[0], dtype=torch.float64).reshape(-1, 4)
        matches = match_detections(boxes, torch.tensor(columns[1]), torch.tensor(columns[2]), truth)
        found = tuple(
            Found(one.box, one.label, one.score, index)
            for one, index in zip(image.detections, matches.object_of.tolist(), strict=True)
        )
        false = tuple(
            FalsePositiveRow(k, "", one.score, *one.box, "", "Bkg", -1, 0.0, 0, 0, "")
            for k, one in enumerate(found)
            if one.object < 0
        )
        reports.append(
            ImageReport(image.image, "", truth=image.truth, detections=found, false_positives=false)
        )
    entries = [entry for one in reports for entry in entries_of(one)]
    objects = [one.label for image in images for one in image.truth if not one.crowd]
    assert set(objects) == set(range(1, LABELS + 1))
    assert mean_ap(entries, objects) == pytest.approx(plain(images).stats[1], abs=1e-6)


def test_a_wrong_class_on_a_free_object_becomes_a_hit_of_its_class() -> None:
    shares = tide_shares([report([(A, 1), (B, 2)], [(A, 2, 0.9), (B, 2, 0.8)], {1: 1}, {0: "Cls"})])
    assert shares["Cls"].count == 1
    # Category 1 goes from 0 to 1, category 2 (second in rank behind a wrong one) from 1/2 to 1.
    assert shares["Cls"].gain == pytest.approx(0.75)
    # The object is what Cls is about, so it is no Miss.
    assert shares["Miss"].count == 0


def test_a_shifted_box_becomes_a_hit_once() -> None:
    detections = [(SHIFTED, 1, 0.9), (SHIFTED, 1, 0.8)]
    shares = tide_shares([report([(A, 1)], detections, {}, {0: "Loc", 1: "Loc"})])
    assert (shares["Loc"].count, shares["Loc"].gain, shares["Miss"].count) == (2, 1.0, 0)


def test_a_wrong_class_on_a_found_object_is_only_removed() -> None:
    shares = tide_shares(
        [report([(A, 1), (B, 2)], [(A, 2, 0.9), (A, 1, 0.8), (B, 2, 0.7)], {1: 0, 2: 1}, {0: "Cls"})]
    )
    assert shares["Cls"].gain == pytest.approx(0.25)


@pytest.mark.parametrize("tide", ["Dupe", "Bkg", "Both"])
def test_the_others_are_removed(tide: str) -> None:
    shares = tide_shares([report([(A, 1)], [(APART, 1, 0.9), (A, 1, 0.8)], {1: 0}, {0: tide})])
    assert shares[tide].count == 1
    assert shares[tide].gain == pytest.approx(0.5)
    assert sum(share.count for share in shares.values()) == 1


def test_an_object_that_nothing_means_is_a_miss() -> None:
    shares = tide_shares([report([(A, 1), (B, 1)], [(A, 1, 0.8)], {0: 0}, {})])
    assert shares["Miss"].count == 1
    # 51 of 101 recalls are reached; without the missed object all are.
    assert shares["Miss"].gain == pytest.approx(1 - 51 / 101)


def test_ten_images_without_errors_have_none() -> None:
    good = report([(A, 1)], [(A, 1, 0.8)], {0: 0}, {})
    assert all(share.count == 0 and share.gain == 0 for share in tide_shares([good] * 10).values())
