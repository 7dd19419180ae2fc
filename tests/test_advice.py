"""Advice: its numbers are worked out again, and it says what the evidence calls for."""

from __future__ import annotations

import math
import re

import pytest
import torch
from support.models import random_image, shared_detector
from support.oracles import iou
from support.traces import OPEN, Candidate, hand_trace, objects
from torch import Tensor

from detector import GroundTruth, Replayer, capture, diagnose
from detector.explaining.advice import advice_for
from detector.explaining.anchor_advice import wanted_anchor, wanted_input
from detector.explaining.rungs import Rung
from detector.tracing.trace import FilterRules, Trace


def advice(trace: Trace, truth: GroundTruth, rung: Rung, index: int = 0) -> tuple[str, ...]:
    replayer = Replayer(trace)
    diagnosis = diagnose(replayer, truth)
    assert diagnosis.verdicts[index].rung is rung
    sentences = advice_for(replayer, diagnosis, diagnosis.verdicts[index])
    assert all(sentence.endswith(".") and len(sentence) < 400 for sentence in sentences)
    return sentences


def centred(height: float, width: float, x: float, y: float) -> Tensor:
    return torch.tensor([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


def shapes_and_centres(trace: Trace) -> tuple[list[tuple[float, float]], list[tuple[int, float, float]]]:
    """Every anchor's (height, width), and (level, x, y) of every cell, one anchor at a time."""
    shapes, centres = set(), set()
    for anchor, box in enumerate(trace.rpn.anchors):
        x1, y1, x2, y2 = box.tolist()
        shapes.add((round(y2 - y1, 4), round(x2 - x1, 4)))
        centres.add((int(trace.rpn.level_of(torch.tensor(anchor))), (x1 + x2) / 2, (y1 + y2) / 2))
    return sorted(shapes), sorted(centres)


@pytest.mark.parametrize(
    "box", [(30.0, 31.0, 34.0, 36.0), (3.0, 60.0, 125.0, 66.0), (50.5, 40.2, 81.0, 71.0)]
)
def test_the_wanted_anchor_and_input_size_are_those_of_a_slow_search(box: tuple[float, ...]) -> None:
    trace = capture(shared_detector("fasterrcnn_mobilenet_v3_large_fpn"), random_image(0))
    replay, target = Replayer(trace).replay(), torch.tensor(box)
    (x1, y1, x2, y2), (shapes, centres) = box, shapes_and_centres(trace)
    height, width = y2 - y1, x2 - x1
    anchor = wanted_anchor(replay, target)
    assert anchor.size == pytest.approx(math.sqrt(height * width))
    assert anchor.ratio == pytest.approx(height / width)
    reached = {(level, x, y): iou(centred(height, width, x, y), target) for level, x, y in centres}
    assert anchor.iou == pytest.approx(max(reached.values()), abs=1e-4)
    assert anchor.iou == pytest.approx(
        max(v for key, v in reached.items() if key[0] == anchor.level), abs=1e-4
    )

    def best(factor: float) -> float:
        return max(
            iou(centred(h, w, 0, 0), centred(height * factor, width * factor, 0, 0)) for h, w in shapes
        )

    wanted = wanted_input(replay, target, 0.5)
    if wanted is None:
        assert best(1) >= 0.5 or max(best(1.1**step) for step in range(-30, 31)) < 0.5
        return
    assert best(1) < 0.5 and wanted.iou >= 0.5
    assert wanted.iou == pytest.approx(best(wanted.factor), abs=1e-4)
    nearer = [math.exp(math.log(wanted.factor) * share) for share in (0.2, 0.5, 0.8)]
    nearer += [1 / factor for factor in nearer]
    assert all(best(factor) < 0.5 for factor in nearer)


def test_an_object_that_no_anchor_fits_gets_its_anchor_and_its_input_size() -> None:
    anchors = [(x, y, x + 32.0, y + 32.0) for y in (0, 16, 32, 48) for x in (0, 16, 32, 48)]
    trace = hand_trace(*(Candidate(box) for box in anchors), grid=((4, 4, 1),))
    first, second = advice(trace, objects((10, 10, 22, 22)), Rung.ANCHOR_FIT)
    assert "size 12 px and ratio 1.00" in first and "on level 0" in first
    # Centres lie at 16, 32, ...: the object is centred on one.
    assert "IoU 1.00" in first and "the present ones reach 0.14" in first
    factor, shorter = re.search(
        r"(\S+) times as large \(shorter side (\d+) instead of 100 px", second
    ).groups()
    assert float(factor) == pytest.approx(32 * math.sqrt(0.5) / 12, rel=0.03)
    assert int(shorter) == pytest.approx(100 * float(factor), rel=0.03)
    elongated = advice(trace, objects((0, 30, 80, 34)), Rung.ANCHOR_FIT)
    assert "No input size helps" in elongated[-1]
    (between,) = advice(trace, objects((24 - 15, 70, 24 + 15, 99)), Rung.ANCHOR_FIT)
    assert "cells lie too far apart" in between


def test_an_object_far_too_small_is_not_called_elongated() -> None:
    trace = hand_trace(Candidate((0, 0, 32, 32)), Candidate((32, 0, 64, 32)))
    (_, last) = advice(trace, objects((16, 16, 17, 17)), Rung.ANCHOR_FIT)
    assert "elongated" not in last and "16 times as large" in last


def test_boxes_that_regression_moved_away_need_training() -> None:
    away = Candidate((0, 0, 40, 40), decoded=(0, 30, 40, 70))
    (sentence,) = advice(hand_trace(away), objects((0, 0, 40, 36)), Rung.RPN_BOX)
    assert "IoU 0.90" in sentence and "no threshold" in sentence and "40 × 36 px" in sentence
    refined = Candidate((0, 0, 40, 40), refined=(0, 30, 40, 70))
    (sentence,) = advice(hand_trace(refined), objects((0, 0, 40, 36)), Rung.ROI_BOX)
    assert "second stage" in sentence and "ring" in sentence and "IoU 0.90" in sentence


def test_a_class_that_lost_is_told_by_how_much_and_to_whom() -> None:
    truth = objects((0, 0, 40, 40))
    other = Candidate((0, 0, 40, 40), scores=(0.1, 0.02, 0.88, 0))
    (sentence,) = advice(hand_trace(other), truth, Rung.ROI_CLASS)
    assert "prefers cross by 0.86" in sentence and "tell ring from cross" in sentence
    rule, sentence = advice(
        hand_trace(
            Candidate((0, 0, 40, 40), scores=(0.1, 0.2, 0.7, 0)),
            rules=FilterRules(detection_rule="best_class"),
        ),
        truth,
        Rung.ROI_CLASS,
    )
    assert "keeps only the winner" in rule and "ring with 0.2 would pass" in rule
    background = Candidate((0, 0, 40, 40), scores=(0.96, 0.04, 0, 0))
    (sentence,) = advice(hand_trace(background), truth, Rung.ROI_CLASS)
    assert "prefers background by 0.92" in sentence and "more ring objects" in sentence
    unsure = Candidate((0, 0, 40, 40), scores=(0.3, 0.5, 0.2, 0))
    (sentence,) = advice(hand_trace(unsure, thresholds=OPEN.replace(box_score=0.6)), truth, Rung.ROI_CLASS)
    assert "The class is right" in sentence


def test_two_objects_that_overlap_are_told_by_their_iou() -> None:
    trace = hand_trace(
        Candidate((0, 0, 40, 40), objectness=0.9, scores=(0.1, 0.9, 0, 0)),
        Candidate((0, 12, 40, 52), objectness=0.8, scores=(0.2, 0.8, 0, 0)),
    )
    truth = objects((0, 0, 40, 40), (0, 14, 40, 54))
    (sentence,) = advice(trace, truth, Rung.BOX_NMS, index=1)
    assert (
        "#0 ring overlap by IoU 0.48" in sentence and "no more than the 0.5 that box NMS allows" in sentence
    )


def test_a_crowd_region_is_compared_by_iou_and_not_by_the_share_inside_it() -> None:
    trace = hand_trace(
        Candidate((0, 20, 20, 60), objectness=0.9, scores=(0.1, 0.9, 0, 0)),
        Candidate((0, 0, 20, 40), objectness=0.8, scores=(0.2, 0.8, 0, 0)),
        thresholds=OPEN.replace(box_nms=0.2),
    )
    boxes = torch.tensor([[0.0, 0, 20, 22], [0, 0, 100, 100]])
    truth = GroundTruth(boxes, torch.tensor([1, 2]), torch.tensor([False, True]))
    (sentence,) = advice(trace, truth, Rung.BOX_NMS)
    assert "overlap by IoU 0.04" in sentence


def test_a_found_object_and_one_that_only_a_limit_holds_back_need_no_advice() -> None:
    two = (
        Candidate((0, 0, 40, 40), objectness=0.9, scores=(0.1, 0.9, 0, 0)),
        Candidate((50, 50, 90, 90), objectness=0.8, scores=(0.2, 0.8, 0, 0)),
    )
    truth = objects((0, 0, 40, 40), (50, 50, 90, 90))
    assert advice(hand_trace(*two), truth, Rung.FOUND) == ()
    assert advice(hand_trace(*two, thresholds=OPEN.replace(box_limit=1)), truth, Rung.BOX_LIMIT, 1) == ()
    assert (
        advice(hand_trace(*two, thresholds=OPEN.replace(rpn_post_nms_top_n=1)), truth, Rung.RPN_LIMIT, 1)
        == ()
    )


def test_an_rpn_that_is_sure_needs_no_training_where_the_floor_alone_is_too_high() -> None:
    trace = hand_trace(Candidate((0, 0, 40, 40), objectness=0.9), thresholds=OPEN.replace(rpn_score=0.95))
    assert advice(trace, objects((0, 0, 40, 40)), Rung.RPN_SCORE) == ()


def test_an_objectness_under_the_floor_is_told() -> None:
    faint = Candidate((0, 0, 40, 40), objectness=0.2)
    (sentence,) = advice(
        hand_trace(faint, thresholds=OPEN.replace(rpn_score=0.5)), objects((0, 0, 40, 40)), Rung.RPN_SCORE
    )
    assert "objectness 0.2 where 0.5 is asked for" in sentence
