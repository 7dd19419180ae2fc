"""A trial by replay against what it stands for: the thresholds in the model itself, and the model run plainly."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from support.models import build_detector

from detector import Detector, Thresholds, load_detector
from detector.data import ShapesDataset
from detector.data.datasets import ground_truth_of
from detector.data.items import Sample
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found, Truth
from detector.training.tuning import StudyConfig
from detector.training.tuning_cache import capture_images
from detector.training.tuning_metric import Detected, Judge
from detector.training.tuning_replay import ReplayObjective
from detector.training.tuning_space import parameters_of

SCENES = 3
BOX = (
    {"box_score": 0.15},
    {"box_score": 0.6, "box_nms": 0.2},
    {"box_limit": 3, "box_nms": 0.7, "box_score": 0.2},
)
RPN = (
    {"rpn_nms": 0.5},
    {"rpn_post_nms_top_n": 20},
    {"rpn_score": 0.3, "box_score": 0.2},
    {"rpn_pre_nms_top_n": 30},
)


@cache
def scene(index: int) -> Sample:
    """Drawing one takes longer than detecting on it."""
    return ShapesDataset(SCENES, seed=4, size=96)[index]


class Scenes:
    """The shapes under a detector's own categories, whatever those are called."""

    def __init__(self, categories: tuple[str, ...]) -> None:
        self.categories = categories

    def __len__(self) -> int:
        return SCENES

    def __getitem__(self, index: int) -> Sample:
        pixels, target = scene(index)
        return pixels, {**target, "labels": (target["labels"] - 1) % (len(self.categories) - 1) + 1}


def detector_called(name: str) -> Detector:
    return load_detector("shapes") if name == "shapes" else build_detector(name)


@pytest.mark.parametrize("name", ["shapes", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_box_thresholds_replay_as_the_model_runs_bit_for_bit(name: str) -> None:
    detector = detector_called(name)
    scenes = Scenes(detector.categories)
    cached = capture_images(detector, scenes, floor=0.15)
    judge, own = Judge(cached.truths, cached.labels), Thresholds.from_model(detector.model)
    seen = 0
    for changes in BOX:
        replayed, plain = cached.replay(own.replace(**changes)), run_plainly(detector, own.replace(**changes))
        for column in ("image", "boxes", "scores", "labels"):
            assert np.array_equal(getattr(replayed, column), getattr(plain, column)), (changes, column)
        averages, coco = judge.averages(replayed), pycocotools(plain, scenes)
        assert abs(averages.AP - coco[0]) < 1e-9
        assert abs(averages.AR - coco[8]) < 1e-9
        seen += len(plain.scores)
    assert seen > 20
    assert Thresholds.from_model(detector.model) == own


@pytest.mark.parametrize("name", ["shapes", "pyramid_per_class"])
def test_rpn_thresholds_replay_as_the_model_runs(name: str) -> None:
    detector = detector_called(name)
    scenes = Scenes(detector.categories)
    cached = capture_images(detector, scenes, floor=0.15, moves_rpn=True)
    judge, own = Judge(cached.truths, cached.labels), Thresholds.from_model(detector.model)
    for changes in RPN:
        replayed, plain = cached.replay(own.replace(**changes)), run_plainly(detector, own.replace(**changes))
        assert np.array_equal(replayed.image, plain.image)
        assert np.array_equal(replayed.labels, plain.labels)
        assert np.abs(replayed.boxes - plain.boxes).max() < 1e-3
        assert np.abs(replayed.scores - plain.scores).max() < 1e-5
        assert pytest.approx(pycocotools(plain, scenes)[0], abs=1e-4) == judge.averages(replayed).AP


def test_little_is_kept_of_an_image_when_only_box_thresholds_move() -> None:
    detector = load_detector("shapes")
    scenes = Scenes(detector.categories)
    few, all_of_it = (
        capture_images(detector, scenes, floor=0.15, moves_rpn=moves) for moves in (False, True)
    )
    assert sum(one.bytes for one in few.images) < sum(one.bytes for one in all_of_it.images) / 50
    with pytest.raises(ValueError, match="give a limit"):
        capture_images(detector, scenes, floor=0.15, moves_rpn=True, most_bytes=10_000)


def test_an_image_that_cannot_be_used_is_told_and_left_out() -> None:
    class Spoiled(Scenes):
        def __getitem__(self, index: int) -> Sample:
            if index == 1:
                raise OSError("the file is gone")
            return super().__getitem__(index)

    detector = load_detector("shapes")
    cached = capture_images(detector, Spoiled(detector.categories), floor=0.15)
    assert len(cached.images) == len(cached.truths) == 2
    assert cached.problems == ("image 1: the file is gone",)


def test_a_model_with_a_filter_of_its_own_is_refused() -> None:
    detector = build_detector("pyramid_per_class")
    heads = detector.model.roi_heads
    own = heads.postprocess_detections

    def fewer(*args: object) -> object:
        boxes, scores, labels = own(*args)
        return [b[:1] for b in boxes], [s[:1] for s in scores], [k[:1] for k in labels]

    heads.postprocess_detections = fewer
    with pytest.raises(ValueError, match="does not give the model's own output"):
        capture_images(detector, Scenes(detector.categories), floor=0.15)


def test_the_objective_measures_what_the_study_asks_for() -> None:
    parameters = parameters_of("thresholds", ["box_score=0.02..0.9", "box_nms"])
    study = StudyConfig("t", "thresholds", parameters, ("F1", "AP50"), dataset="shapes:3:4")
    told: list[tuple[int, int]] = []
    objective = ReplayObjective.of(study, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    before, found = objective.at({}), objective.at({"box_score": 0.9})
    assert objective.values(found) == (found.F1, found.AP50)
    assert found.detections < before.detections
    assert objective.thresholds({"box_score": 0.9}) == objective.cached.own.replace(box_score=0.9)


def run_plainly(detector: Detector, thresholds: Thresholds) -> Detected:
    """The model itself, with the thresholds written into it for the time being."""
    model, own = detector.model, Thresholds.from_model(detector.model)
    thresholds.apply_to(model)
    try:
        with torch.no_grad():
            found = [model([scene(index)[0].float() / 255])[0] for index in range(SCENES)]
    finally:
        own.apply_to(model)
    image = np.repeat(np.arange(len(found)), [len(one["scores"]) for one in found])
    boxes, scores, labels = (torch.cat([one[key] for one in found]) for key in ("boxes", "scores", "labels"))
    return Detected(image, boxes.double().numpy(), scores.double().numpy(), labels.numpy())


def pycocotools(found: Detected, scenes: Scenes) -> np.ndarray:
    images = []
    for index in range(len(scenes)):
        truth, own = ground_truth_of(scenes[index][1]), found.image == index
        objects = zip(truth.boxes.tolist(), truth.labels.tolist(), strict=True)
        columns = found.boxes[own].tolist(), found.labels[own].tolist(), found.scores[own].tolist()
        images.append(
            ImageBoxes(
                index,
                tuple(Truth(tuple(b), k, False, (b[2] - b[0]) * (b[3] - b[1])) for b, k in objects),
                tuple(Found(tuple(b), k, score, -1) for b, k, score in zip(*columns, strict=True)),
            )
        )
    return CocoJudge(images, len(scenes.categories) - 1).statistics
