"""An evaluation against pycocotools, and all of it from the folder of a finished diagnosis."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.coco_images import LABELS, plain
from support.evaluations import CrowdedScenes, boxed_images, evaluated, shapes_detector

from detector.data.datasets import ground_truth_of
from detector.judging.average_precision import average_precision
from detector.judging.coco_matching import match_images
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.coco_numbers import coco_numbers
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.evaluation import evaluate, evaluation_of
from detector.judging.evaluation_records import STATISTICS, Evaluation
from detector.judging.image_losses import losses_of
from detector.judging.kept_run import read_run
from detector.judging.oracle import boxes_of
from detector.tracing.capture import capture
from detector.tracing.sampling import training_view


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    evaluated(out, losses=True)
    return out


@pytest.fixture(scope="module")
def evaluation(folder: Path) -> Evaluation:
    return evaluation_of(folder)


def _cases() -> dict[str, list[ImageBoxes]]:
    images = boxed_images(3)
    return {
        **{f"random {seed}": boxed_images(seed) for seed in range(4)},
        "empty images": [*images, ImageBoxes(90, (), ()), ImageBoxes(91, (), images[0].detections)],
        "a category without objects": [
            ImageBoxes(one.image, tuple(t for t in one.truth if t.label != 2), one.detections)
            for one in images
        ],
        "only crowd": [
            ImageBoxes(one.image, tuple(t for t in one.truth if t.crowd), one.detections) for one in images
        ],
        "no detections": [ImageBoxes(one.image, one.truth, ()) for one in images],
        "no objects": [ImageBoxes(one.image, (), one.detections) for one in images],
    }


@pytest.mark.parametrize("name", _cases())
def test_faster_coco_eval_says_what_pycocotools_says(name: str) -> None:
    images = _cases()[name]
    numbers = coco_numbers(images, LABELS)
    # Where pycocotools' own `loadRes` refuses an empty list, our judge hands it the empty list.
    judge = CocoJudge(images, LABELS)
    assert np.allclose(numbers.statistics, judge.statistics, rtol=0, atol=1e-9)
    assert np.allclose(numbers.precision[..., 0], judge.precision, rtol=0, atol=1e-9)
    if any(one.detections for one in images):
        oracle = plain(images)
        assert np.allclose(numbers.precision, oracle.eval["precision"][..., -1], rtol=0, atol=1e-9)
        assert np.allclose(numbers.scores, oracle.eval["scores"][:, :, :, 0, -1], rtol=0, atol=1e-9)
        by_size = [numbers.average(size=size) for size in ("small", "medium", "large")]
        assert [-1 if one is None else one for one in by_size] == pytest.approx(oracle.stats[3:6], abs=1e-9)


@pytest.mark.parametrize("name", _cases())
def test_the_matching_gives_the_same_average(name: str) -> None:
    images = _cases()[name]
    ours = average_precision(match_images(images, LABELS), np.ones((1, len(images)), dtype=int))[0]
    assert (-1 if np.isnan(ours) else ours) == pytest.approx(
        CocoJudge(images, LABELS).statistics[0], abs=1e-9
    )


def test_more_than_a_hundred_detections_of_a_category_are_cut_as_coco_cuts_them() -> None:
    image = boxed_images(1)[2]
    many = [ImageBoxes(one.image, one.truth, one.detections * 60) for one in [image, *boxed_images(0)[:2]]]
    ours = average_precision(match_images(many, LABELS), np.ones((1, 3), dtype=int))[0]
    assert ours == pytest.approx(plain(many).stats[0], abs=1e-9)


def test_an_evaluation_is_what_its_diagnosis_kept(folder: Path, evaluation: Evaluation) -> None:
    run = read_run(folder)
    judge = CocoJudge([boxes_of(report) for report in run.reports], len(run.categories) - 1)
    told = [-1 if value is None else value for value in evaluation.statistics.values()]
    assert list(evaluation.statistics) == list(STATISTICS)
    assert told == pytest.approx(judge.statistics.tolist(), abs=1e-9)
    assert evaluation.categories == shapes_detector().categories
    objects = sum(len(report.objects) for report in run.reports)
    assert evaluation.objects == objects == sum(one.objects for one in evaluation.by_category.values()) > 5
    assert evaluation.whole.found == sum(one.found for one in evaluation.images)
    for name, score in evaluation.by_category.items():
        known = judge.by_label[score.label]
        assert evaluation.categories[score.label] == name
        assert (None if known is None else pytest.approx(known, abs=1e-9)) == score.AP
    assert sum(one.detections for one in evaluation.by_category.values()) == sum(
        one.detections for one in evaluation.images
    )


def test_the_folder_of_a_plain_diagnosis_will_do_and_is_continued_as_it_is(tmp_path: Path) -> None:
    detector, scenes = shapes_detector(), CrowdedScenes(2)
    diagnose_dataset(detector, scenes, tmp_path, remedies=True, recommend=False)
    assert evaluation_of(tmp_path).statistics == evaluate(detector, scenes, tmp_path).statistics


def test_losses_are_those_of_the_training_view(folder: Path, evaluation: Evaluation) -> None:
    scenes, detector = CrowdedScenes(), shapes_detector()
    labels = range(len(scenes.categories))
    for index in (0, 1):
        pixels, target = scenes[index]
        report = read_run(folder).reports[index]
        assert len(report.truth) == len(target["labels"])
        view = training_view(detector, capture(detector, pixels, ground_truth_of(target)), seed=0)
        assert evaluation.images[index].losses == losses_of(detector, scenes, labels, index)
        assert evaluation.images[index].loss == pytest.approx(view.losses.total, rel=1e-5)
    assert evaluation.images[-1].objects == 0 and evaluation.images[-1].loss is not None


def test_a_folder_without_a_diagnosis_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match="holds no finished diagnosis"):
        evaluation_of(tmp_path)
    for name in ("summary.json", "run.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ValueError, match="keeps 0 of 6 images"):
        evaluation_of(tmp_path)


def test_a_folder_of_an_older_version_knows_its_categories_by_its_rows(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    run = json.loads((folder / "run.json").read_text())
    assert tuple(run.pop("categories")) == shapes_detector().categories
    (tmp_path / "old" / "run.json").write_text(json.dumps(run))
    names = read_run(tmp_path / "old").categories
    assert len(names) == shapes_detector().num_classes
    assert set(names) & set(shapes_detector().categories[1:])
    assert evaluation_of(tmp_path / "old").statistics == evaluation_of(folder).statistics
