"""Two runs on the same scenes: what changed, and the paired bootstrap against evaluating each draw anew."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.coco_images import LABELS
from support.evaluations import boxed_images, evaluated

from detector.explaining.rungs import Rung
from detector.judging.average_precision import average_precision
from detector.judging.bootstrap import differences, draws, paired_interval
from detector.judging.coco_matching import match_images
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.comparison import change_of, compare
from detector.judging.comparison_records import Change


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("comparison")
    evaluated(root / "a", 0.9)
    evaluated(root / "b", 0.05)
    return root / "a", root / "b"


def _anew(images: list[ImageBoxes], weights: np.ndarray) -> float:
    """COCO's AP of the images as they were drawn, each copy an image of its own."""
    drawn = [image for image, count in zip(images, weights, strict=True) for _ in range(count)]
    copies = [ImageBoxes(k, one.truth, one.detections) for k, one in enumerate(drawn)]
    value = CocoJudge(copies, LABELS).scores.AP
    return np.nan if value is None else value


@pytest.mark.parametrize("seed", [0, 1])
def test_a_draw_has_the_ap_of_evaluating_it_anew(seed: int) -> None:
    images = boxed_images(seed, 8, ties=False)
    weights = draws(len(images), 6, seed)
    assert (weights.sum(axis=1) == len(images)).all() and (weights > 1).any() and (weights == 0).any()
    found = average_precision(match_images(images, LABELS), weights)
    assert found == pytest.approx([_anew(images, row) for row in weights], abs=1e-9)


def test_the_interval_is_that_of_a_slow_loop_and_the_same_for_the_same_seed() -> None:
    images = boxed_images(3, 8, ties=False)
    fewer = [ImageBoxes(one.image, one.truth, one.detections[::2]) for one in images]
    a, b = match_images(fewer, LABELS), match_images(images, LABELS)
    slow = [_anew(images, row) - _anew(fewer, row) for row in draws(len(images), 20, 5)]
    interval = paired_interval(a, b, resamples=20, seed=5, confidence=0.8)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(slow, [0.1, 0.9])), abs=1e-9)
    assert interval.b_better == np.mean(np.array(slow) > 0)
    assert interval == paired_interval(a, b, resamples=20, seed=5, confidence=0.8)
    assert interval != paired_interval(a, b, resamples=20, seed=6, confidence=0.8)
    same = paired_interval(a, a, resamples=20)
    assert (same.low, same.high, same.is_sure) == (0.0, 0.0, False)


def test_without_objects_or_images_there_is_no_interval() -> None:
    empty = [ImageBoxes(one.image, (), one.detections) for one in boxed_images(0, 4)]
    for images in (empty, []):
        matched = match_images(images, LABELS)
        assert np.isnan(differences(matched, matched, 5, 0)).all()
        assert paired_interval(matched, matched, resamples=5).low is None
    with pytest.raises(ValueError, match="resamples is 0"):
        paired_interval(matched, matched, resamples=0)
    with pytest.raises(ValueError, match="confidence is 1"):
        paired_interval(matched, matched, confidence=1.0)


def test_objects_are_told_one_by_one(folders: tuple[Path, Path]) -> None:
    found = compare(*folders, resamples=50)
    assert found.a == "shapes, box_score 0.9" and found.b == "shapes, box_score 0.05"
    assert len(found.objects) == found.evaluation_a.objects == found.evaluation_b.objects
    assert Counter(one.change for one in found.objects)[Change.GAINED] > 0
    for one in found.objects:
        assert (one.score_a is None) == (one.rung_a != "FOUND")
        assert one.change is change_of(one.rung_a, one.rung_b)
        if one.change is Change.GAINED:
            assert one.rung_a == "ROI_CLASS" and one.score_b is not None and one.score_b <= 0.9
    assert found.transitions.sum() == len(found.objects)
    assert found.transitions[Rung.ROI_CLASS, Rung.FOUND] == found.count(Change.GAINED)
    averages = [one.statistics["AP"] or 0.0 for one in (found.evaluation_a, found.evaluation_b)]
    assert [found.AP_a, found.AP_b] == averages and found.difference == averages[1] - averages[0] > 0
    assert (found.interval.low or 0.0) <= (found.interval.high or 0.0)
    assert found.false_positives_b > found.false_positives_a
    assert found.left_out == 0


def test_the_other_way_round_gained_is_lost(folders: tuple[Path, Path]) -> None:
    there, back = compare(*folders, resamples=20), compare(*folders[::-1], resamples=20)
    assert there.count(Change.GAINED) == back.count(Change.LOST)
    assert np.array_equal(there.transitions, back.transitions.T)
    told = there.difference, there.interval.low, there.interval.high
    assert None not in told
    turned = back.difference, back.interval.high, back.interval.low
    assert turned == pytest.approx(tuple(-(value or 0.0) for value in told))


def test_changes() -> None:
    assert change_of("FOUND", "FOUND") is Change.KEPT
    assert change_of("FOUND", "BOX_NMS") is Change.LOST
    assert change_of("RPN_BOX", "FOUND") is Change.GAINED
    assert change_of("RPN_BOX", "BOX_NMS") is Change.STILL_LOST


def test_an_image_that_one_run_could_not_use_is_left_out_of_both(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = shutil.copytree(folders[1], tmp_path / "b")
    part = next((broken / "parts").glob("diagnose-*"))
    lines = [json.loads(line) for line in part.read_text().splitlines()]
    lines[1] = {
        **lines[1],
        "problem": "broken",
        "objects": [],
        "false_positives": [],
        "truth": [],
        "detections": [],
    }
    part.write_text("".join(json.dumps(line) + "\n" for line in lines))
    whole, part_of = compare(*folders, resamples=5), compare(folders[0], broken, resamples=5)
    assert part_of.left_out == 1
    assert {one.image_index for one in whole.objects} - {one.image_index for one in part_of.objects} == {1}
    assert len(part_of.evaluation_a.images) == len(whole.evaluation_a.images) - 1


@pytest.mark.parametrize(
    ("file", "key", "value", "said"),
    [
        ("run.json", "dataset_sha256", "other", "only runs on the same data set can be compared"),
        ("summary.json", "iou", 0.7, r"from IoU 0\.5 on and .* from 0\.7 on"),
        ("summary.json", "images", 5, "6 images and .* 5: run one of them again"),
    ],
)
def test_runs_that_are_about_something_else_are_refused(
    file: str, key: str, value: str | float, said: str, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    other = shutil.copytree(folders[1], tmp_path / "b")
    content = json.loads((other / file).read_text())
    (other / file).write_text(json.dumps({**content, key: value}))
    with pytest.raises(ValueError, match=said):
        compare(folders[0], other)
