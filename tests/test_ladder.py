"""Every object gets one verdict, and it is the rung where its candidates end."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import random_image, random_truth, shared_detector
from support.oracles import iou
from test_replay import random_thresholds

from detector import DetectionFate, GroundTruth, ProposalFate, Replay, Replayer, capture, diagnose
from detector.explaining.evidence import (
    BACKGROUND_IOU,
    ClassEvidence,
    DecodedEvidence,
    FitEvidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.reasons import LONGEST
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis, Verdict
from detector.tracing.sampling import training_trace

PROPOSAL_PASSED = {
    ProposalFate.BELOW_TOP_N: 1, ProposalFate.TOO_SMALL: 2, ProposalFate.LOW_SCORE: 2,
    ProposalFate.SUPPRESSED: 3, ProposalFate.OVER_LIMIT: 4, ProposalFate.KEPT: 5,
}  # fmt: skip
SLOT_PASSED = {DetectionFate.SUPPRESSED: 7, DetectionFate.OVER_LIMIT: 8, DetectionFate.KEPT: 9}
EVIDENCE = {
    Rung.ANCHOR_FIT: FitEvidence, Rung.RPN_BOX: DecodedEvidence, Rung.RPN_RANK: RankEvidence,
    Rung.RPN_SCORE: FloorEvidence, Rung.RPN_NMS: SuppressionEvidence, Rung.RPN_LIMIT: RankEvidence,
    Rung.ROI_BOX: RefinedEvidence, Rung.ROI_CLASS: ClassEvidence, Rung.BOX_NMS: SuppressionEvidence,
    Rung.BOX_LIMIT: RankEvidence, Rung.MATCHED_ELSEWHERE: MatchEvidence, Rung.FOUND: type(None),
}  # fmt: skip


@cache
def replayer_of(name: str, image: int) -> Replayer:
    """One capture for all tests that look at it."""
    detector = shared_detector(name)
    return Replayer(capture(detector, random_image(image)), detector)


def replay_of(seed: int, name: str = "pyramid_per_class") -> Replay:
    return replayer_of(name, seed % 4).replay(random_thresholds(seed))


def slow_rung(replay: Replay, truth: GroundTruth, index: int, *, matched: bool) -> Rung:
    """The definition, read aloud: walk up while any candidate survives."""
    trace, box, label = replay.trace, truth.boxes[index], int(truth.labels[index])
    if matched:
        return Rung.FOUND
    depth = -1
    decoded = trace.to_image(replay.proposals.boxes)
    anchors = trace.to_image(trace.rpn.anchors)
    for anchor in range(len(anchors)):
        if iou(decoded[anchor], box) >= 0.5:
            depth = max(depth, PROPOSAL_PASSED[ProposalFate(int(replay.proposals.fate[anchor]))])
        elif depth < 0 and iou(anchors[anchor], box) >= 0.5:
            depth = 0
    slots = trace.to_image(replay.detections.boxes)
    for slot in range(len(slots)):
        if int(replay.detections.labels[slot]) == label and iou(slots[slot], box) >= 0.5:
            depth = max(depth, SLOT_PASSED.get(DetectionFate(int(replay.detections.fate[slot])), 6))
    return Rung(depth + 1)


def slow_steps(
    replay: Replay, truth: GroundTruth, index: int
) -> list[tuple[int, float | None, float | None]]:
    """Survivors, best IoU and best score up to BOX_LIMIT, one chain at a time."""
    trace, box, label = replay.trace, truth.boxes[index], int(truth.labels[index])
    boxes = [
        trace.to_image(part) for part in (trace.rpn.anchors, replay.proposals.boxes, replay.detections.boxes)
    ]
    roi_of = {anchor: roi for roi, anchor in enumerate(replay.head.anchor.tolist())}
    rows: list[list[tuple[float, float]]] = [[] for _ in range(10)]
    for anchor in range(len(boxes[0])):
        first, second = iou(boxes[0][anchor], box), iou(boxes[1][anchor], box)
        depth = 0 if first >= 0.5 else -1
        if second >= 0.5:
            depth = PROPOSAL_PASSED[ProposalFate(int(replay.proposals.fate[anchor]))]
        third, score = 0.0, 0.0
        if anchor in roi_of:
            slot = roi_of[anchor] * (len(trace.categories) - 1) + label - 1
            third, score = iou(boxes[2][slot], box), float(replay.detections.scores[slot])
            if third >= 0.5:
                depth = SLOT_PASSED.get(DetectionFate(int(replay.detections.fate[slot])), 6)
        objectness = float(replay.proposals.scores[anchor])
        for rung in range(depth + 1):
            shown = first if rung == 0 else second if rung <= 5 else third
            rows[rung].append((shown, objectness if rung <= 5 else score))
    return [
        (len(row), max((one[0] for one in row), default=None), max((one[1] for one in row), default=None))
        for row in rows
    ]


@pytest.mark.parametrize("seed", range(6))
def test_steps_equal_a_slow_walk_of_every_chain(seed: int) -> None:
    replay, truth = replay_of(seed), random_truth(seed + 50, count=2)
    for verdict in diagnose(replay, truth).verdicts:
        expected = slow_steps(replay, truth, verdict.object)
        assert [step.survivors for step in verdict.steps[:-1]] == [row[0] for row in expected]
        for column, name in ((1, "best_iou"), (2, "best_score")):
            shown = [getattr(step, name) for step in verdict.steps[:-1]]
            assert [value is None for value in shown] == [row[column] is None for row in expected]
            assert [value or 0.0 for value in shown] == pytest.approx(
                [row[column] or 0.0 for row in expected]
            )


@pytest.mark.parametrize("seed", range(3))
def test_verdicts_equal_a_slow_walk_up_the_ladder(seed: int) -> None:
    replay, truth = replay_of(seed), random_truth(seed, count=2)
    diagnosis = diagnose(replay, truth)
    for verdict in diagnosis.verdicts:
        assert verdict.rung is slow_rung(replay, truth, verdict.object, matched=verdict.detection is not None)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
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


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), bound=st.sampled_from([0.2, 0.35, 0.5]))
def test_evidence_is_true(seed: int, bound: float) -> None:
    replay = replay_of(seed, "pyramid_best_class" if seed % 2 else "pyramid_per_class")
    diagnosis = diagnose(replay, random_truth(seed, count=8), bound)
    for verdict in diagnosis.verdicts:
        assert type(verdict.evidence) is EVIDENCE[verdict.rung]
        assert 0 < len(verdict.reason) <= LONGEST
        check_boxes(verdict, bound)
        check_numbers(diagnosis, verdict)


def check_boxes(verdict: Verdict, bound: float) -> None:
    """What must fit fits, and what must not does not."""
    match verdict.evidence:
        case FitEvidence() as fit:
            assert fit.iou < bound and fit.iou <= fit.shape_iou + 1e-6
            assert (fit.misfit == "between cells") == (fit.shape_iou >= bound)
            assert verdict.best_iou < bound
        case DecodedEvidence() as decoded:
            assert decoded.anchor_iou >= bound > decoded.decoded_iou
            assert verdict.best_iou == decoded.anchor_iou
        case RefinedEvidence() as refined:
            assert refined.proposal_iou >= bound > refined.refined_iou
        case ClassEvidence() as scored:
            assert scored.iou >= bound
        case MatchEvidence() as match:
            assert match.iou >= bound and match.other_iou >= bound
        case _:
            pass


def check_numbers(diagnosis: Diagnosis, verdict: Verdict) -> None:
    """Ranks are over their cut, suppressors overlap, scores are under their thresholds, and so on."""
    replay = diagnosis.replay
    match verdict.evidence:
        case RankEvidence() as rank:
            assert rank.rank > rank.cut and rank.score <= rank.score_at_cut
        case FloorEvidence() as floor:
            assert floor.score < floor.floor if floor.cause == "score" else floor.side < floor.smallest
        case SuppressionEvidence() as one:
            ledger = replay.proposals if verdict.rung is Rung.RPN_NMS else replay.detections
            assert int(ledger.suppressor_of(torch.tensor([one.candidate]))) == one.suppressor
            assert one.iou > one.threshold - 1e-3 and one.suppressor_score >= one.score
            boxes = replay.trace.to_image(ledger.boxes[[one.candidate, one.suppressor]])
            assert one.iou == pytest.approx(iou(boxes[0], boxes[1]), abs=1e-5)
            shown = [iou(boxes[1], box) for box in diagnosis.truth.boxes]
            assert (one.culprit == "background") == (max(shown) < BACKGROUND_IOU) == (one.object is None)
            if one.object is not None:
                assert one.object_iou == pytest.approx(max(shown)) == pytest.approx(shown[one.object])
                assert (one.culprit == "same object") == (one.object == verdict.object)
            assert shown[verdict.object] < diagnosis.iou
        case ClassEvidence() as scored:
            assert scored.winner_score == float(replay.class_scores[scored.roi].max()) and scored.margin >= 0
            assert int(replay.roi_of(torch.tensor(scored.slot))) == scored.roi and verdict.slot == scored.slot
            if scored.cause == "threshold":
                assert scored.margin == 0 and scored.score <= scored.threshold
            if replay.trace.rules.detection_rule == "per_class":
                assert scored.score <= scored.threshold
        case MatchEvidence() as match:
            assert int(diagnosis.matches.object_of[match.detection]) == match.object != verdict.object
        case _:
            pass


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


def test_a_training_step_gets_verdicts_too() -> None:
    """Its RoIs are a sample, some of them the objects themselves, which came of no anchor."""
    detector, truth = shared_detector("pyramid_per_class"), random_truth(2)
    trace = capture(detector, random_image(0), target=truth)
    replay = Replayer(training_trace(detector, trace)).replay()
    assert bool((replay.head.anchor < 0).any())
    for verdict in diagnose(replay, truth, 0.9).verdicts:
        assert list(verdict.survivors) == sorted(verdict.survivors, reverse=True)
        assert verdict.rung == Rung(sum(number > 0 for number in verdict.survivors)) and verdict.reason
        if verdict.evidence is None:
            assert verdict.rung in (Rung.ROI_BOX, Rung.FOUND)
