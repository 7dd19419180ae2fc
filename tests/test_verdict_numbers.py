"""What a verdict says beside its rung: the best overlap, the slot, the detection; and bounds that are inclusive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from support.known_verdicts import ASIDE, AWAY, CROSS, FAR, HERE, POOR, RING
from support.traces import OPEN, Box, Candidate, hand_trace, objects

from detector import Replayer, diagnose
from detector.explaining.evidence import (
    ClassEvidence,
    DecodedEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis, Verdict

HALF: Box = (20, 20, 60, 40)  # IoU 1/2 with HERE, to the bit
NONE = (0.97, 0.01, 0.01, 0.01)


def diagnosed(*candidates: Candidate, truth: Any = None, iou: float = 0.5, **changes: float) -> Diagnosis:
    trace = hand_trace(*candidates, thresholds=OPEN.replace(**changes))
    return diagnose(Replayer(trace), truth or objects(HERE), iou)


def verdict(*candidates: Candidate, **given: Any) -> Verdict:
    return diagnosed(*candidates, **given).verdicts[0]


@dataclass(frozen=True)
class Case:
    """Candidates, and what is to be said of object 0."""

    candidates: tuple[Candidate, ...]
    rung: Rung
    best_iou: float
    slot: int | None = None
    changes: tuple[tuple[str, float], ...] = ()


CASES = {
    "the anchor comes nearest": Case((Candidate(POOR, decoded=FAR),), Rung.ANCHOR_FIT, 1000 / 2200),
    "the decoded box comes nearest": Case((Candidate(FAR, decoded=POOR),), Rung.ANCHOR_FIT, 1000 / 2200),
    "nothing comes near": Case((Candidate(AWAY),), Rung.ANCHOR_FIT, 0.0),
    "of anchors, where no decoded box fits": Case((Candidate(ASIDE, decoded=FAR),), Rung.RPN_BOX, 0.6),
    "of decoded boxes, once one fits": Case(
        (Candidate(AWAY, 0.9), Candidate(HERE, 0.5, decoded=ASIDE)), Rung.RPN_RANK, 0.6,
        changes=(("rpn_pre_nms_top_n", 1),),
    ),
    "of decoded boxes, where no refined one fits": Case(
        (Candidate(HERE, decoded=ASIDE, refined=FAR),), Rung.ROI_BOX, 0.6,
    ),
    "of refined boxes, once one fits": Case(
        (Candidate(AWAY, 0.95), Candidate(HERE, decoded=HERE, refined=ASIDE, scores=NONE)), Rung.ROI_CLASS, 0.6, 3,
    ),
    "of a found object": Case((Candidate(AWAY, 0.95, NONE), Candidate(HERE, refined=ASIDE)), Rung.FOUND, 0.6, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_best_overlap_is_that_of_the_stage_the_object_reached(name: str) -> None:
    case = CASES[name]
    found = verdict(*case.candidates, **dict(case.changes))
    assert found.rung is case.rung
    assert found.best_iou == pytest.approx(case.best_iou, abs=1e-5)
    assert found.slot == case.slot


def test_the_best_refined_box_may_be_that_of_a_roi_that_got_less_deep() -> None:
    """HERE is suppressed by a better scored box beside it; it is still what fits best."""
    found = verdict(Candidate(ASIDE), Candidate(HERE, 0.5, (0.5, 0.3, 0.1, 0.1)), box_nms=0.3)
    assert found.rung is Rung.FOUND and found.best_iou == pytest.approx(1.0, abs=1e-5)
    assert found.steps[-1].best_iou == pytest.approx(0.6, abs=1e-5) and found.steps[-1].best_score == (
        pytest.approx(0.7)
    )


def test_an_overlap_on_the_bound_counts_and_one_below_does_not() -> None:
    on = verdict(Candidate(HALF, scores=RING), iou=0.5)
    assert on.rung is Rung.FOUND and on.survivors == (1,) * 11
    assert verdict(Candidate(HALF, scores=RING), iou=0.51).rung is Rung.ANCHOR_FIT
    apart = {"rpn_pre_nms_top_n": 1}
    assert verdict(Candidate(AWAY, 0.9), Candidate(HALF, 0.5), **apart).rung is Rung.RPN_RANK
    assert verdict(Candidate(HALF, decoded=AWAY)).rung is Rung.RPN_BOX
    assert verdict(Candidate(HERE, scores=RING), iou=1.0).rung is Rung.FOUND


def test_the_detection_of_an_object_is_told_among_several() -> None:
    """That of another object and a false one stand before it."""
    three = (
        Candidate(AWAY, 0.9, (0.2, 0.8, 0, 0)),
        Candidate(FAR, 0.8, (0.3, 0, 0.7, 0)),
        Candidate(HERE, 0.7, (0.4, 0.6, 0, 0)),
    )
    diagnosis = diagnosed(*three, truth=objects(HERE, AWAY))
    first, second = diagnosis.verdicts
    assert (first.detection, second.detection) == (2, 0)
    assert (first.slot, second.slot) == (6, 0)
    assert first.steps[-1].best_score == pytest.approx(0.6)
    assert second.steps[-1].best_score == pytest.approx(0.8)
    assert diagnosis.false_detections == (1,)
    assert diagnosis.verdict_of(1) is second and diagnosis.verdict_of(2) is None and diagnosis.lost == ()


def test_a_crowd_region_between_objects_has_no_verdict_and_keeps_its_number() -> None:
    truth = objects(AWAY, (0, 0, 99, 15), HERE, crowd=(False, True, False))
    diagnosis = diagnosed(Candidate(HERE, scores=RING), truth=truth)
    assert [one.object for one in diagnosis.verdicts] == [0, 2]
    assert [one.rung for one in diagnosis.verdicts] == [Rung.ANCHOR_FIT, Rung.FOUND]
    found = diagnosis.verdict_of(2)
    assert diagnosis.verdict_of(1) is None and found is not None and found.detection == 0
    assert diagnosis.lost == diagnosis.verdicts[:1]


def test_its_detection_that_went_to_another_object_is_told_among_several() -> None:
    before = Candidate(AWAY, 0.95, (0.0, 1.0, 0.0, 0.0))
    shared = Candidate(ASIDE, scores=(0.1, 0.9, 0.0, 0.0))
    found = verdict(before, shared, truth=objects(HERE, ASIDE, AWAY))
    assert found.rung is Rung.MATCHED_ELSEWHERE
    assert isinstance(found.evidence, MatchEvidence)
    assert (found.evidence.detection, found.evidence.object) == (1, 1)
    assert found.evidence.iou == pytest.approx(0.6, abs=1e-5)
    assert found.evidence.other_iou == pytest.approx(1.0, abs=1e-5)
    assert found.evidence.score == pytest.approx(0.9)
    assert [step.survivors for step in found.steps[-2:]] == [1, 0]


def test_of_several_that_got_as_deep_the_best_stands_for_the_object() -> None:
    """Where boxes decide that with the highest overlap, else that with the highest score; the less deep do not."""
    moved = verdict(
        Candidate(ASIDE, decoded=AWAY), Candidate(HERE, decoded=FAR), Candidate(ASIDE, decoded=FAR)
    )
    assert isinstance(moved.evidence, DecodedEvidence) and moved.evidence.anchor == 1
    off = verdict(Candidate(HERE, refined=FAR), Candidate(ASIDE, refined=POOR), Candidate(HERE, 0.1, refined=FAR),
                  rpn_nms=1.0)  # fmt: skip
    assert isinstance(off.evidence, RefinedEvidence) and off.evidence.roi == 1
    assert off.evidence.proposal_iou == pytest.approx(0.6, abs=1e-5)
    weak = [Candidate(HERE, 0.9 - 0.1 * place, (1 - score, score, 0, 0), refined=box) for place, (score, box) in
            enumerate([(0.01, HERE), (0.03, ASIDE), (0.04, FAR)])]  # fmt: skip
    scored = verdict(*weak, rpn_nms=1.0)
    assert isinstance(scored.evidence, ClassEvidence)
    assert (scored.evidence.roi, scored.evidence.slot, scored.slot) == (1, 3, 3)
    assert scored.evidence.iou == pytest.approx(0.6, abs=1e-5)
    assert scored.evidence.score == pytest.approx(0.03, abs=1e-6)
    assert scored.evidence.margin == pytest.approx(0.97 - 0.03, abs=1e-6)


def test_a_limit_shows_the_first_that_it_dropped_and_the_last_that_it_kept() -> None:
    row = [Candidate(box, score) for box, score in
           ((AWAY, 0.9), ((80, 80, 98, 98), 0.8), (ASIDE, 0.4), ((0, 0, 15, 15), 0.6), (HERE, 0.5))]  # fmt: skip
    lost = verdict(*row, rpn_nms=0.9, rpn_post_nms_top_n=2)
    assert lost.rung is Rung.RPN_LIMIT and isinstance(lost.evidence, RankEvidence)
    shown = lost.evidence
    assert (shown.candidate, shown.rank, shown.cut, shown.level) == (4, 4, 2, 0)
    assert (shown.score, shown.score_at_cut) == (pytest.approx(0.5), pytest.approx(0.8))


def test_a_suppressor_that_shows_an_object_and_a_crowd_shows_the_object() -> None:
    """The crowd holds all of it, the other object only a half: the object is who is named."""
    beside: Box = (35, 20, 75, 40)
    truth = objects(HERE, (0, 0, 100, 100), beside, crowd=(False, True, False))
    pair = Candidate(HERE, 0.5), Candidate(POOR, 0.9, CROSS)
    found = verdict(*pair, truth=truth, rpn_nms=0.3)
    assert isinstance(found.evidence, SuppressionEvidence)
    assert (found.evidence.culprit, found.evidence.object) == ("other object", 2)
    assert found.evidence.object_iou == pytest.approx(0.5, abs=1e-5)


def test_a_replay_is_diagnosed_as_it_is_and_a_replayer_as_captured() -> None:
    trace = hand_trace(Candidate(HERE, scores=RING))
    replayer = Replayer(trace)
    strict = replayer.replay(trace.thresholds.replace(box_score=0.9))
    assert diagnose(replayer, objects(HERE)).verdicts[0].rung is Rung.FOUND
    diagnosis = diagnose(strict, objects(HERE), 0.75)
    assert diagnosis.verdicts[0].rung is Rung.ROI_CLASS
    assert diagnosis.replay is strict and diagnosis.iou == 0.75
    assert diagnosis.truth.boxes.tolist() == [list(HERE)]


@pytest.mark.parametrize(("iou", "tide"), [(0.5, TideType.CLS), (0.75, TideType.BOTH)])
def test_false_positives_are_told_at_the_same_bound(iou: float, tide: TideType) -> None:
    """A ring on a cross, with an IoU of 0.6."""
    one = diagnosed(Candidate(ASIDE, scores=(0.1, 0.9, 0, 0)), truth=objects(HERE, labels=(2,)), iou=iou)
    assert [false.tide for false in one.false_positives] == [tide]


def test_objects_and_bounds_that_are_none_are_refused_with_what_was_given() -> None:
    replayer = Replayer(hand_trace(Candidate(HERE)))
    with pytest.raises(
        TypeError, match=r"^the objects were given as list; expected GroundTruth\(boxes, labels\)$"
    ):
        diagnose(replayer, [HERE])
    for bound in (0, -0.1, 1.001):
        with pytest.raises(ValueError, match=rf"^iou is {bound}; expected a number above 0 and up to 1$"):
            diagnose(replayer, objects(HERE), bound)


def test_a_roi_that_came_of_no_anchor_is_a_candidate_without_one() -> None:
    """As a training step adds the objects themselves: the chain begins at the RoI."""
    trace = hand_trace(Candidate(AWAY, 0.6), Candidate(HERE, scores=RING))
    alone = replace(trace, mode="training", head=replace(trace.head, anchor=torch.tensor([0, -1])))
    found = diagnose(Replayer(alone), objects(HERE)).verdicts[0]
    assert found.rung is Rung.FOUND and found.survivors == (2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1)
    assert found.steps[0].best_iou == pytest.approx(1.0)
    assert found.steps[-1].best_iou == pytest.approx(1.0, abs=1e-5)


def test_a_roi_that_only_its_refined_box_brings_near_is_a_candidate_with_its_own_anchor() -> None:
    """The first anchor of all; neither it nor its decoded box fits."""
    found = verdict(Candidate(POOR, decoded=FAR, refined=HERE), Candidate(AWAY, 0.5))
    assert found.rung is Rung.FOUND and found.survivors == (1,) * 11
    ious = [step.best_iou for step in found.steps]
    assert ious == pytest.approx([1000 / 2200] + [200 / 3000] * 5 + [1.0] * 5, abs=1e-5)
    from_afar = verdict(Candidate(AWAY, refined=HERE))
    assert [step.best_iou for step in from_afar.steps] == pytest.approx([0.0] * 6 + [1.0] * 5, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_detector_of_one_category_whose_boxes_depend_on_the_class(count: int) -> None:
    """Two boxes a RoI, that of the background and that of the category, which alone fits."""
    trace = hand_trace(Candidate(HERE, refined=ASIDE, scores=(0.2, 0.8)), categories=("background", "ring"))
    background = hand_trace(
        Candidate(HERE, refined=AWAY, scores=(0.2, 0.8)), categories=("background", "ring")
    )
    deltas = torch.cat((background.head.deltas, trace.head.deltas), dim=1)
    both = replace(trace, head=replace(trace.head, deltas=deltas))
    diagnosis = diagnose(Replayer(both), objects(*[HERE, FAR, AWAY][:count]))
    assert diagnosis.verdicts[0].rung is Rung.FOUND
    assert diagnosis.verdicts[0].best_iou == pytest.approx(0.6, abs=1e-5)
    assert all(one.rung is Rung.ANCHOR_FIT for one in diagnosis.verdicts[1:])
