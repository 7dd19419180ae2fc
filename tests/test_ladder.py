"""Every object gets one verdict, and it is the rung where its candidates end."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import random_image, random_truth, shared_detector
from support.oracles import iou
from test_replay import random_thresholds

from detector import DetectionFate, GroundTruth, ProposalFate, Replay, Replayer, capture, diagnose
from detector.explaining.rungs import Rung


def replay_of(seed: int, name: str = "pyramid_per_class") -> Replay:
    detector = shared_detector(name)
    trace = capture(detector, random_image(seed % 4))
    return Replayer(trace, detector).replay(random_thresholds(seed))


def slow_rung(replay: Replay, truth: GroundTruth, index: int, *, matched: bool) -> Rung:
    """The definition, read aloud: walk up while any candidate survives."""
    trace, box, label = replay.trace, truth.boxes[index], int(truth.labels[index])
    if matched:
        return Rung.FOUND
    depth = -1
    decoded = trace.to_image(replay.proposals.boxes)
    anchors = trace.to_image(trace.rpn.anchors)
    passed = {
        ProposalFate.BELOW_TOP_N: 1, ProposalFate.TOO_SMALL: 2, ProposalFate.LOW_SCORE: 2,
        ProposalFate.SUPPRESSED: 3, ProposalFate.OVER_LIMIT: 4, ProposalFate.KEPT: 5,
    }  # fmt: skip
    for anchor in range(len(anchors)):
        if iou(decoded[anchor], box) >= 0.5:
            depth = max(depth, passed[ProposalFate(int(replay.proposals.fate[anchor]))])
        elif depth < 0 and iou(anchors[anchor], box) >= 0.5:
            depth = 0
    after = {DetectionFate.SUPPRESSED: 7, DetectionFate.OVER_LIMIT: 8, DetectionFate.KEPT: 9}
    slots = trace.to_image(replay.detections.boxes)
    for slot in range(len(slots)):
        if int(replay.detections.labels[slot]) == label and iou(slots[slot], box) >= 0.5:
            depth = max(depth, after.get(DetectionFate(int(replay.detections.fate[slot])), 6))
    return Rung(depth + 1)


@pytest.mark.parametrize("seed", range(3))
def test_verdicts_equal_a_slow_walk_up_the_ladder(seed: int) -> None:
    replay, truth = replay_of(seed), random_truth(seed, count=2)
    diagnosis = diagnose(replay, truth)
    for verdict in diagnosis.verdicts:
        assert verdict.rung is slow_rung(replay, truth, verdict.object, matched=verdict.detection is not None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), count=st.integers(0, 12), bound=st.sampled_from([0.3, 0.5, 0.75, 1.0]))
def test_verdicts_are_total_and_survivors_never_rise(seed: int, count: int, bound: float) -> None:
    replay = replay_of(seed, "pyramid_best_class" if seed % 2 else "pyramid_per_class")
    diagnosis = diagnose(replay, random_truth(seed, count=count), bound)
    assert [verdict.object for verdict in diagnosis.verdicts] == list(range(count))
    for verdict in diagnosis.verdicts:
        assert list(verdict.survivors) == sorted(verdict.survivors, reverse=True)
        passed = sum(number > 0 for number in verdict.survivors)
        assert verdict.rung == Rung(passed)
        assert (verdict.detection is None) == (verdict.rung is not Rung.FOUND)
        assert 0 <= verdict.best_iou <= 1 and verdict.reason
    found = [verdict.detection for verdict in diagnosis.verdicts if verdict.detection is not None]
    assert len(found) == len(set(found))
    assert len(found) + len(diagnosis.false_detections) == len(replay.boxes)


def test_thresholds_move_the_rung_they_guard() -> None:
    """Start from an object that is found; break one threshold at a time."""
    detector = shared_detector("pyramid_per_class")
    trace = capture(detector, random_image(0))
    replayer = Replayer(trace, detector)
    start = replayer.replay(trace.thresholds.replace(box_score=0.0))
    last = len(start.boxes) - 1
    truth = GroundTruth(start.boxes[last : last + 1], start.labels[last : last + 1])
    assert diagnose(start, truth, 0.95).verdicts[0].rung is Rung.FOUND
    broken = {
        Rung.RPN_RANK: {"rpn_pre_nms_top_n": 1},
        Rung.RPN_SCORE: {"rpn_score": 1.0},
        Rung.ROI_CLASS: {"box_score": 1.0},
        Rung.BOX_LIMIT: {"box_limit": 1},
    }
    for rung, change in broken.items():
        verdict = diagnose(replayer.replay(start.thresholds.replace(**change)), truth, 0.95).verdicts[0]
        assert verdict.rung <= rung, (rung, verdict)
        assert verdict.rung is not Rung.FOUND


def test_no_anchor_comes_near_a_sliver() -> None:
    sliver = GroundTruth(torch.tensor([[0.0, 0, 128, 1.5]]), torch.tensor([1]))
    verdict = diagnose(replay_of(1), sliver).verdicts[0]
    assert verdict.rung is Rung.ANCHOR_FIT
    assert "no anchor fits" in verdict.reason


def test_one_detection_for_two_objects_goes_to_one_of_them() -> None:
    detector = shared_detector("pyramid_per_class")
    replay = Replayer(capture(detector, random_image(0))).replay()
    box, label = replay.boxes[0], replay.labels[0]
    twins = GroundTruth(torch.stack((box, box + 0.25)), torch.stack((label, label)))
    alone = replay.trace.thresholds.replace(box_limit=1)
    verdicts = diagnose(Replayer(replay.trace).replay(alone), twins, 0.6).verdicts
    assert sorted(verdict.rung for verdict in verdicts) == [Rung.MATCHED_ELSEWHERE, Rung.FOUND]


def test_crowd_regions_get_no_verdict_and_excuse_what_lies_in_them() -> None:
    replay = replay_of(0)
    everything = torch.tensor([[0.0, 0, 128, 96]] * 5)
    crowd = GroundTruth(everything, torch.arange(1, 6), crowd=torch.ones(5, dtype=torch.bool))
    diagnosis = diagnose(replay, crowd)
    assert diagnosis.verdicts == () and diagnosis.false_detections == ()


@pytest.mark.parametrize("bound", [0.0, -1.0, 1.5, float("nan")])
def test_an_overlap_outside_its_range_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match="iou"):
        diagnose(replay_of(0), random_truth(), bound)
