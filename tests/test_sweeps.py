"""Curves over a threshold say what a real replay at that threshold says."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from support.models import random_image, shared_detector

from detector import GroundTruth, Replayer, capture
from detector.explaining.ladder import diagnose
from detector.explaining.sweeps import LOWEST_SCORE, CountCurve, nms_curve, score_curve
from detector.explaining.verdicts import Diagnosis

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")


@cache
def subject(name: str, seed: int = 3) -> tuple[Replayer, GroundTruth]:
    """Objects where the model finds something: some of its own detections, moved, one of them a crowd."""
    detector = shared_detector(name)
    trace = capture(detector, random_image(seed))
    replayer = Replayer(trace, detector)
    found = replayer.replay(trace.thresholds.replace(box_score=0.0))
    chosen = torch.arange(0, len(found.labels), 7)[:8]
    boxes = found.boxes[chosen] + torch.tensor([1.0, 0.0, 2.0, 1.0])
    crowd = torch.zeros(len(boxes), dtype=torch.bool)
    crowd[1] = True
    return replayer, GroundTruth(boxes, found.labels[chosen], crowd)


def counted(diagnosis: Diagnosis) -> tuple[int, int, int]:
    found = sum(verdict.detection is not None for verdict in diagnosis.verdicts)
    return len(diagnosis.replay.labels), found, len(diagnosis.false_detections)


def at(curve: CountCurve, value: float) -> tuple[int, int, int]:
    """Read a step curve: the last value that is not over the asked one."""
    assert curve.true is not None and curve.false is not None
    place = sum(known <= value for known in curve.values) - 1
    return curve.detections[place], curve.true[place], curve.false[place]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("limit", [100, 12])
def test_the_score_curve_is_the_replay_at_every_step(name: str, limit: int) -> None:
    replayer, truth = subject(name)
    replay = replayer.replay(replayer.trace.thresholds.replace(box_limit=limit))
    curve = score_curve(replay, truth)
    assert list(curve.values) == sorted(curve.values) and curve.values[0] == LOWEST_SCORE
    # The steps themselves (a score must be over the threshold, not at it), and values between them.
    steps = list(curve.values[:: max(len(curve.values) // 6, 1)])
    for value in (*steps, LOWEST_SCORE, 0.05, 0.3, 0.999, 1.0):
        real = replayer.replay(replay.thresholds.replace(box_score=value))
        assert at(curve, value) == counted(diagnose(real, truth)), value
    assert max(curve.detections) > 3


@pytest.mark.parametrize("name", MODELS)
def test_the_nms_curve_is_the_replay_at_every_value(name: str) -> None:
    replayer, truth = subject(name)
    replay = replayer.replay(replayer.trace.thresholds.replace(box_nms=0.37, box_limit=1000))
    curve = nms_curve(replay, truth, grid=(0.1, 0.5, 0.9, 1.0))
    assert curve.values == (0.1, 0.37, 0.5, 0.9, 1.0) and curve.present == 0.37
    for value in curve.values:
        real = replayer.replay(replay.thresholds.replace(box_nms=value))
        assert at(curve, value) == counted(diagnose(real, truth)), value
    assert curve.detections[0] < curve.detections[-1]


def test_without_ground_truth_only_detections_are_counted() -> None:
    replayer, _ = subject(MODELS[1])
    replay = replayer.replay()
    for curve in (score_curve(replay, None), nms_curve(replay, None)):
        assert curve.true is None and curve.false is None
        assert len(curve.detections) == len(curve.values)
        assert len(replay.labels) == curve.detections[sum(v <= curve.present for v in curve.values) - 1]


def test_no_proposal_gives_a_flat_curve() -> None:
    replayer, truth = subject(MODELS[1])
    empty = replayer.replay(replayer.trace.thresholds.replace(rpn_score=1.0))
    assert len(empty.head.boxes) == 0
    assert score_curve(empty, truth).detections == (0,)
    assert set(nms_curve(empty, truth).detections) == {0}


def test_a_threshold_below_the_lowest_value_starts_the_curve_there() -> None:
    replayer, truth = subject(MODELS[1])
    replay = replayer.replay(replayer.trace.thresholds.replace(box_score=0.0, box_limit=1000))
    curve = score_curve(replay, truth)
    assert curve.values[0] == 0.0
    assert curve.detections[0] == len(replay.labels)


def test_an_image_without_objects_has_only_false_detections() -> None:
    replayer, _ = subject(MODELS[1])
    none = GroundTruth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    curve = score_curve(replayer.replay(), none)
    assert curve.true is not None and set(curve.true) == {0}
    assert curve.false == curve.detections
