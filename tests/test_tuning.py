"""A study's record, what it may change, and COCO's averages of many images at once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.data.ground_truth import GroundTruth
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found, Truth
from detector.models.losses import LossWeights
from detector.training.config import ModelConfig, RunConfig
from detector.training.config_file import config_text
from detector.training.tuning import StudyConfig
from detector.training.tuning_metric import Detected, Judge
from detector.training.tuning_settings import base_of, config_with, usual
from detector.training.tuning_space import TRAINING, Parameter, parameters_of

Scene = tuple[GroundTruth, np.ndarray, np.ndarray, np.ndarray]
THRESHOLDS = StudyConfig("t", "thresholds", parameters_of("thresholds"), dataset="shapes:4:3")


def test_a_study_is_written_down_without_a_loss() -> None:
    run = config_text(RunConfig(epochs=3, model=ModelConfig(anchor_sizes=((8.0,), (16.0,), (32.0,)))))
    study = StudyConfig("a-1", "training", TRAINING, ("AP", "latency"), trials=3, seed=4, run=run)
    assert StudyConfig.from_json(study.to_json()) == study
    assert study.directions == ("maximize", "minimize")
    assert not study.prunes
    assert replace(study, objectives=("recall/RPN_NMS",)).prunes
    assert base_of(study).epochs == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../away"}, "the study is called '../away'"),
        ({"objectives": ("AP", "AP")}, "several different ones"),
        ({"objectives": ("latency",)}, "expected AP, AP50, AP75, AR, F1"),
        ({"objectives": ("recall/RPN_NMS",)}, "expected AP"),
        ({"parameters": parameters_of("training", ["lr"])}, "the parameters are ['lr']"),
        ({"parameters": ()}, "the parameters are []"),
        ({"trials": 0}, "trials is 0"),
        ({"limit": 0}, "limit is 0"),
    ],
)
def test_a_study_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("[", r"\[").replace("]", r"\]").replace(".", r"\.")):
        replace(THRESHOLDS, **changes)


@pytest.mark.parametrize("rung", ["NOWHERE", "FOUND"])
def test_a_rung_where_nothing_is_lost_is_refused(rung: str) -> None:
    with pytest.raises(ValueError, match="the rungs are ANCHOR_FIT, RPN_BOX"):
        StudyConfig("t", "training", TRAINING, (f"recall/{rung}",))


def test_bounds_are_read_from_the_command() -> None:
    lr, limit = (
        parameters_of("training", ["lr=1e-4..1e-2"])[0],
        parameters_of("thresholds", ["box_limit=5..50"])[0],
    )
    assert lr == Parameter("lr", 1e-4, 1e-2, log=True)
    assert limit == Parameter("box_limit", 5, 50, whole=True)
    for text in ("speed", "lr=1", "lr=a..b", "lr=0..1", "lr=2..1", "lr=1..inf"):
        with pytest.raises(ValueError, match=r"speed|lr"):
            parameters_of("training", [text])
    with pytest.raises(ValueError, match=r"such as 5\.\.300"):
        parameters_of("thresholds", ["box_limit=1.5..3"])
    with pytest.raises(ValueError, match="lr is named twice"):
        parameters_of("training", ["lr", "lr"])


def test_a_trial_changes_its_settings_and_no_other() -> None:
    base = RunConfig()
    assert config_with(base, {}) == base
    values = {one.name: one.high for one in TRAINING}
    run = config_with(base, values, "recall/RPN_NMS")
    assert (run.recipe.lr, run.recipe.weight_decay) == (1e-2, 1e-1)
    assert run.recipe.loss_weights == LossWeights(4, 4, 4, 4)
    assert (run.model.dropout, run.model.box_nms, run.model.hard_negative_share) == (0.5, 0.7, 1.0)
    assert run.monitor == "recall/RPN_NMS"
    assert config_with(base, {"lambda_2": 3.0}).recipe.loss_weights == LossWeights(1, 3, 1, 1)
    assert run.data == base.data


def test_anchors_are_scaled_from_the_runs_own_or_the_models() -> None:
    given = RunConfig(model=ModelConfig(anchor_sizes=((8.0, 10.0), (16.0, 20.0), (32.0, 40.0))))
    assert config_with(given, {"anchor_scale": 0.5}).model.anchor_sizes == ((4, 5), (8, 10), (16, 20))
    from detector import load_detector

    own = load_detector("shapes").model.rpn.anchor_generator.sizes
    scaled = config_with(RunConfig(), {"anchor_scale": 2.0}).model.anchor_sizes
    assert scaled == tuple(tuple(2.0 * side for side in level) for level in own)


def test_torchvisions_models_are_not_tuned_for_dropout_unasked() -> None:
    run = config_text(RunConfig(model=ModelConfig(source="fasterrcnn_resnet50_fpn")))
    assert "dropout" not in usual("training", run)
    assert "dropout" in usual("training", config_text(RunConfig()))


@pytest.mark.parametrize("seed", range(8))
def test_averages_are_pycocotools(seed: int) -> None:
    """Crowd regions, equal scores, equal overlaps, other categories, no detections, over 100 detections."""
    rng = np.random.default_rng(seed)
    labels = int(rng.integers(1, 5))
    scenes = [_scene(rng, labels, most=130 if seed % 3 else 5) for _ in range(12)]
    detected = Detected(
        np.repeat(np.arange(len(scenes)), [len(scores) for _, _, scores, _ in scenes]),
        *(np.concatenate([scene[column] for scene in scenes]) for column in (1, 2, 3)),
    )
    ours = Judge([truth for truth, *_ in scenes], labels).averages(detected)
    theirs = CocoJudge([_coco(index, *scene) for index, scene in enumerate(scenes)], labels).statistics
    for mine, place in ((ours.AP, 0), (ours.AP50, 1), (ours.AP75, 2), (ours.AR, 8)):
        assert abs(mine - theirs[place]) < 1e-12
    assert ours.AP > 0 or seed % 3 == 0


def test_f1_counts_each_right_and_wrong_detection() -> None:
    truth = GroundTruth(torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]), torch.tensor([1, 2]))
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    found = Detected(np.zeros(3, int), boxes, np.array([0.9, 0.8, 0.7]), np.array([1, 1, 2]))
    assert pytest.approx(2 * 1 / (2 * 1 + 2 + 1)) == Judge([truth], 2).averages(found).F1
    nothing = Detected(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    assert Judge([truth], 2).averages(nothing).AP == 0
    with pytest.raises(ValueError, match="no objects"):
        Judge([GroundTruth(torch.zeros(0, 4), torch.zeros(0))], 2)


def _scene(
    rng: np.random.Generator, labels: int, most: int
) -> tuple[GroundTruth, np.ndarray, np.ndarray, np.ndarray]:
    """Objects, and detections near them, best first: boxes, scores, labels."""
    count = int(rng.integers(1, 7))
    corner, side = rng.uniform(0, 60, (count, 2)).round(), rng.uniform(5, 40, (count, 2)).round()
    boxes, of = np.concatenate([corner, corner + side], axis=1), rng.integers(1, labels + 1, count)
    truth = GroundTruth(torch.tensor(boxes), torch.tensor(of), torch.tensor(rng.random(count) < 0.2))
    near = rng.integers(0, count, int(rng.integers(0, most)))
    moved = boxes[near] + rng.normal(0, 3, (len(near), 4)).round(int(rng.integers(0, 2)))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    own = np.where(rng.random(len(near)) < 0.7, of[near], rng.integers(1, labels + 1, len(near)))
    scores = rng.random(len(near)).round(2)
    order = np.argsort(-scores, kind="stable")
    return truth, moved[order], scores[order], own[order]


def _coco(
    index: int, truth: GroundTruth, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> ImageBoxes:
    objects = zip(truth.boxes.tolist(), truth.labels.tolist(), truth.crowd.tolist(), strict=True)
    found = zip(boxes.tolist(), labels.tolist(), scores.tolist(), strict=True)
    return ImageBoxes(
        index,
        tuple(Truth(tuple(b), k, crowd, math.prod((b[2] - b[0], b[3] - b[1]))) for b, k, crowd in objects),
        tuple(Found(tuple(b), k, score, -1) for b, k, score in found),
    )
