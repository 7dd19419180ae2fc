"""For every rung a trace made by hand, whose verdict, evidence and words are known."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pytest
import torch
from support.traces import OPEN, Box, Candidate, hand_trace, objects

from detector import GroundTruth, Replayer, diagnose
from detector.explaining.evidence import (
    ClassEvidence,
    DecodedEvidence,
    Evidence,
    FitEvidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.matching import iou_of
from detector.explaining.reasons import LONGEST, reason_for
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Mechanism, Verdict
from detector.tracing.trace import FilterRules

# A square of 40 px, the same moved aside, and boxes that lie elsewhere. The object is the first, a ring.
HERE: Box = (20, 20, 60, 60)
ASIDE: Box = (30, 20, 70, 60)  # IoU 0.6 with HERE
POOR: Box = (35, 20, 75, 60)  # 1000 / 2200 = 0.4545 with HERE
FAR: Box = (55, 20, 95, 60)  # 200 / 3000 = 0.067 with HERE, 600 / 2600 = 0.231 with ASIDE
AWAY: Box = (2, 64, 18, 98)
RING, CROSS = (0.2, 0.6, 0.1, 0.1), (0.2, 0.1, 0.6, 0.1)
NOTHING = (0.97, 0.01, 0.01, 0.01)


@dataclass(frozen=True)
class Case:
    """What goes in, and what must be said of object 0."""

    candidates: tuple[Candidate, ...]
    rung: Rung
    evidence: Evidence | None
    reason: str
    mechanism: Mechanism | None = Mechanism.PROPOSAL
    truth: GroundTruth = field(default_factory=lambda: objects(HERE))
    changes: dict[str, float] = field(default_factory=dict)
    rules: FilterRules = field(default_factory=FilterRules)


CASES = {
    "too small": Case(
        (Candidate((10, 10, 74, 74)),), Rung.ANCHOR_FIT,
        FitEvidence(0, 64 / 4096, (64, 64), (8, 8), 64 / 4096, "small"),
        "no anchor fits: too small (IoU 0.02)", truth=objects((30, 30, 38, 38)),
    ),
    "too large": Case(
        (Candidate((10, 10, 42, 42)), Candidate((0, 0, 8, 8))), Rung.ANCHOR_FIT,
        FitEvidence(0, 1024 / 6400, (32, 32), (80, 80), 1024 / 6400, "large"),
        "no anchor fits: too large (IoU 0.16)", truth=objects((10, 10, 90, 90)),
    ),
    "too elongated": Case(
        (Candidate((10, 10, 42, 42)),), Rung.ANCHOR_FIT,
        FitEvidence(0, 128 / (1024 + 256 - 128), (32, 32), (64, 4), 128 / (1024 + 256 - 128), "elongated"),
        "no anchor fits: too elongated (IoU 0.11)", truth=objects((20, 10, 24, 74)),
    ),
    "between cells": Case(
        (Candidate((0, 0, 40, 40)),), Rung.ANCHOR_FIT,
        FitEvidence(0, 225 / 2975, (40, 40), (40, 40), 1.0, "between cells"),
        "no anchor fits: between cells (IoU 0.08)", truth=objects((25, 25, 65, 65)),
    ),
    "box moved away by the RPN": Case(
        (Candidate(ASIDE, decoded=AWAY), Candidate(HERE, decoded=POOR)), Rung.RPN_BOX,
        DecodedEvidence(1, 1.0, 1000 / 2200, (0.375, 0.0, 0.0, 0.0)),
        "RPN moved its box away (IoU 1.00 → 0.45)",
    ),
    "ranked too low on its level": Case(
        (Candidate(AWAY, 0.9), Candidate(HERE, 0.5), Candidate(ASIDE, 0.4)), Rung.RPN_RANK,
        RankEvidence(1, 2, 1, 0.5, 0.9, 0), "ranked 2 on level 0, cut 1", changes={"rpn_pre_nms_top_n": 1},
    ),
    "ranked nearer to the cut on the other level": Case(
        (Candidate(AWAY, 0.9), Candidate(FAR, 0.8), Candidate(HERE, 0.7),
         Candidate(AWAY, 0.6, level=1), Candidate(ASIDE, 0.2, level=1)), Rung.RPN_RANK,
        RankEvidence(4, 2, 1, 0.2, 0.6, 1), "ranked 2 on level 1, cut 1", changes={"rpn_pre_nms_top_n": 1},
    ),
    "ranked behind equals that got in": Case(
        (Candidate(HERE, 0.5), Candidate(AWAY, 0.6), Candidate(AWAY, 0.6)), Rung.RPN_RANK,
        RankEvidence(0, 3, 2, 0.5, 0.6, 0), "ranked 3 on level 0, cut 2", changes={"rpn_pre_nms_top_n": 2},
    ),
    "objectness under the floor": Case(
        (Candidate(HERE, 0.5), Candidate(ASIDE, 0.4)), Rung.RPN_SCORE,
        FloorEvidence(0, 0.5, 0.55, 40, 1e-3, "score"), "objectness 0.50, floor 0.55",
        changes={"rpn_score": 0.55},
    ),
    "proposal too thin": Case(
        (Candidate(HERE, 0.5),), Rung.RPN_SCORE,
        FloorEvidence(0, 0.5, 0.0, 40, 50, "size"), "proposal 40 px thin, floor 50",
        rules=FilterRules(rpn_min_size=50),
    ),
    "proposal suppressed by a poorer one": Case(
        (Candidate(HERE, 0.5), Candidate(POOR, 0.9)), Rung.RPN_NMS,
        SuppressionEvidence(0, 1, 1000 / 2200, 0.3, 0.5, 0.9, "same object", 0, 1000 / 2200),
        "suppressed by a poorer box of it (IoU 0.45)", changes={"rpn_nms": 0.3},
    ),
    "proposal suppressed by that of another object": Case(
        (Candidate(HERE, 0.5), Candidate(POOR, 0.9, CROSS)), Rung.RPN_NMS,
        SuppressionEvidence(0, 1, 1000 / 2200, 0.3, 0.5, 0.9, "other object", 1, 1.0),
        "suppressed by #1 cross (IoU 0.45)", truth=objects(HERE, POOR, labels=(1, 2)), changes={"rpn_nms": 0.3},
    ),
    "proposal suppressed by the background": Case(
        (Candidate(ASIDE, 0.5), Candidate(FAR, 0.9, NOTHING)), Rung.RPN_NMS,
        SuppressionEvidence(0, 1, 600 / 2600, 0.2, 0.5, 0.9, "background", None, 0.0),
        "suppressed by background (IoU 0.23)", changes={"rpn_nms": 0.2},
    ),
    "over the limit of proposals": Case(
        (Candidate(AWAY, 0.9), Candidate(HERE, 0.6), Candidate(FAR, 0.7)), Rung.RPN_LIMIT,
        RankEvidence(1, 3, 2, 0.6, 0.7, 0), "proposal ranked 3, limit 2", changes={"rpn_post_nms_top_n": 2},
    ),
    "refined away": Case(
        (Candidate(ASIDE, refined=FAR), Candidate(HERE, refined=POOR)), Rung.ROI_BOX,
        RefinedEvidence(1, 1.0, 1000 / 2200), "refined away (IoU 1.00 → 0.45)", Mechanism.REGRESSOR,
    ),
    "another class won": Case(
        (Candidate(HERE, scores=(0.3, 0.031, 0.6, 0.069)),), Rung.ROI_CLASS,
        ClassEvidence(0, 0, 1.0, 0.031, 0.05, 2, 0.6, "other class"), "scored as cross 0.600 against 0.031",
        Mechanism.INTERCLASS,
    ),
    "the background won": Case(
        (Candidate(HERE, scores=(0.88, 0.04, 0.04, 0.04)),), Rung.ROI_CLASS,
        ClassEvidence(0, 0, 1.0, 0.04, 0.05, 0, 0.88, "background"), "scored as background 0.880 against 0.040",
        Mechanism.BACKGROUND,
    ),
    "only the threshold is in the way": Case(
        (Candidate(HERE, scores=RING),), Rung.ROI_CLASS,
        ClassEvidence(0, 0, 1.0, 0.6, 0.7, 1, 0.6, "threshold"), "scored 0.60, threshold 0.70",
        Mechanism.CALIBRATION, changes={"box_score": 0.7},
    ),
    "refined box too small": Case(
        (Candidate(HERE, scores=RING),), Rung.ROI_CLASS,
        ClassEvidence(0, 0, 1.0, 0.6, 0.05, 1, 0.6, "size"), "refined box is too small",
        Mechanism.CALIBRATION, rules=FilterRules(box_min_size=50),
    ),
    "another class won under the best-class rule": Case(
        (Candidate(HERE, scores=(0.1, 0.3, 0.5, 0.1)),), Rung.ROI_CLASS,
        ClassEvidence(0, 0, 1.0, 0.3, 0.05, 2, 0.5, "other class"), "scored as cross 0.50 against 0.30",
        Mechanism.INTERCLASS, rules=FilterRules(detection_rule="best_class"),
    ),
    "detection suppressed by that of another object": Case(
        (Candidate(HERE, scores=(0.3, 0.5, 0.1, 0.1)), Candidate(POOR, scores=RING)), Rung.BOX_NMS,
        SuppressionEvidence(0, 3, 1000 / 2200, 0.3, 0.5, 0.6, "other object", 1, 1.0),
        "suppressed by #1 ring (IoU 0.45)", Mechanism.CALIBRATION,
        truth=objects(HERE, POOR), changes={"box_nms": 0.3},
    ),
    "detection suppressed by a poorer one": Case(
        (Candidate(HERE, scores=(0.3, 0.5, 0.1, 0.1)), Candidate(POOR, scores=RING)), Rung.BOX_NMS,
        SuppressionEvidence(0, 3, 1000 / 2200, 0.3, 0.5, 0.6, "same object", 0, 1000 / 2200),
        "suppressed by a poorer box of it (IoU 0.45)", Mechanism.CALIBRATION, changes={"box_nms": 0.3},
    ),
    "detection suppressed by the background": Case(
        (Candidate(ASIDE, scores=(0.3, 0.5, 0.1, 0.1)), Candidate(FAR, scores=RING)), Rung.BOX_NMS,
        SuppressionEvidence(0, 3, 600 / 2600, 0.2, 0.5, 0.6, "background", None, 0.0),
        "suppressed by background (IoU 0.23)", Mechanism.CALIBRATION, changes={"box_nms": 0.2},
    ),
    "detection suppressed by what lies in a crowd": Case(
        (Candidate(ASIDE, scores=(0.3, 0.5, 0.1, 0.1)), Candidate(FAR, scores=RING)), Rung.BOX_NMS,
        SuppressionEvidence(0, 3, 600 / 2600, 0.2, 0.5, 0.6, "other object", 1, 1.0),
        "suppressed by #1 ring (IoU 0.23)", Mechanism.CALIBRATION,
        truth=objects(HERE, (55, 0, 100, 100), crowd=(False, True)), changes={"box_nms": 0.2},
    ),
    "over the detections per image": Case(
        (Candidate(HERE, scores=(0.3, 0.5, 0.1, 0.1)), Candidate(AWAY, scores=RING)), Rung.BOX_LIMIT,
        RankEvidence(0, 2, 1, 0.5, 0.6, None), "detection ranked 2, limit 1", Mechanism.CALIBRATION,
        changes={"box_limit": 1},
    ),
    "its detection belongs to another object": Case(
        (Candidate(ASIDE, scores=(0.1, 0.9, 0.0, 0.0)),), Rung.MATCHED_ELSEWHERE,
        MatchEvidence(0, 1, 0.6, 1.0, 0.9), "its detection matched #1 ring", Mechanism.CALIBRATION,
        truth=objects(HERE, ASIDE),
    ),
    "found": Case(
        (Candidate(HERE, scores=RING),), Rung.FOUND, None, "found", None,
    ),
}  # fmt: skip


def is_number(value: object) -> bool:
    """A float, or several."""
    return isinstance(value, float | tuple)


def verdict_of(case: Case) -> Verdict:
    trace = hand_trace(*case.candidates, thresholds=OPEN.replace(**case.changes), rules=case.rules)
    return diagnose(Replayer(trace), case.truth).verdicts[0]


@pytest.mark.parametrize("name", CASES)
def test_verdict_evidence_and_words_are_those_known_beforehand(name: str) -> None:
    case = CASES[name]
    verdict = verdict_of(case)
    assert verdict.rung is case.rung
    assert type(verdict.evidence) is type(case.evidence)
    if verdict.evidence is not None and case.evidence is not None:
        shown, expected = asdict(verdict.evidence), asdict(case.evidence)
        assert list(shown) == list(expected)
        for key, value in expected.items():
            assert shown[key] == (pytest.approx(value, abs=1e-5) if is_number(value) else value), key
    assert verdict.reason == case.reason and len(verdict.reason) <= LONGEST
    assert verdict.mechanism is case.mechanism


def test_every_rung_and_every_cause_has_its_trace() -> None:
    assert {case.rung for case in CASES.values()} == set(Rung)
    shown = [case.evidence for case in CASES.values()]
    classes = {one.cause for one in shown if isinstance(one, ClassEvidence)}
    assert classes == {"other class", "background", "threshold", "size"}
    assert {one.cause for one in shown if isinstance(one, FloorEvidence)} == {"score", "size"}
    misfits = {one.misfit for one in shown if isinstance(one, FitEvidence)}
    assert misfits == {"small", "large", "elongated", "between cells"}
    culprits = {
        (type(one), one.culprit, case.rung)
        for case in CASES.values()
        if isinstance(one := case.evidence, SuppressionEvidence)
    }
    assert len(culprits) == 6


@pytest.mark.parametrize("ratio", [0.02, 0.2, 0.4, 0.5, 1.0, 1.7, 2.5, 3.0, 40.0])
def test_elongated_means_that_no_size_of_anchor_would_fit(ratio: float) -> None:
    """Against square anchors of every size, centred on the object."""
    height, width = 20 * ratio**0.5, 20 / ratio**0.5
    target = torch.tensor([0.0, 0.0, width, height])
    side = torch.linspace(1, 200, 20_000)
    best = float(iou_of(torch.stack((side * 0, side * 0, side, side), dim=1), target).max())
    box = (50 - width / 2, 50 - height / 2, 50 + width / 2, 50 + height / 2)
    evidence = diagnose(Replayer(hand_trace(Candidate((0, 0, 1, 1)), image_size=(200, 200))), objects(box))
    shown = evidence.verdicts[0].evidence
    assert isinstance(shown, FitEvidence)
    assert shown.misfit == ("elongated" if best < 0.5 else "large")


def test_anchors_without_any_height_are_told_about_too() -> None:
    trace = hand_trace(Candidate((10, 10, 42, 10)))
    evidence = diagnose(Replayer(trace), objects(HERE)).verdicts[0].evidence
    assert isinstance(evidence, FitEvidence) and evidence.iou == 0.0 and evidence.misfit == "elongated"


def test_the_same_evidence_in_another_network_size() -> None:
    """An image that the network sees at twice its width: sizes double, overlaps stay."""
    wide = hand_trace(Candidate((20, 10, 148, 74)), network_size=(100, 200))
    evidence = diagnose(Replayer(wide), objects((30, 30, 38, 38))).verdicts[0].evidence
    assert isinstance(evidence, FitEvidence)
    assert evidence.object_size == (8, 16) and evidence.anchor_size == (64, 128)
    assert evidence.iou == pytest.approx(64 / 4096)


def test_steps_show_the_best_box_and_score_of_those_that_passed() -> None:
    """Four candidates that end at four rungs; the boxes of each stage fit a little differently."""
    candidates = (
        Candidate(HERE, 0.2, decoded=POOR),
        Candidate(HERE, 0.3, decoded=ASIDE),
        Candidate(ASIDE, 0.8, decoded=HERE, refined=ASIDE, scores=(0.96, 0.02, 0.01, 0.01)),
        Candidate(POOR, 0.9, decoded=ASIDE, refined=HERE, scores=RING),
    )
    trace = hand_trace(*candidates, thresholds=OPEN.replace(rpn_pre_nms_top_n=2))
    verdict = diagnose(Replayer(trace), objects(HERE)).verdicts[0]
    assert verdict.rung is Rung.FOUND and verdict.survivors == (4, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1)
    ious = [step.best_iou for step in verdict.steps]
    scores = [step.best_score for step in verdict.steps]
    assert ious == pytest.approx([1.0] * 11, abs=1e-5)
    assert scores == pytest.approx([0.9] * 6 + [0.6] * 5)
    lost = diagnose(Replayer(trace).replay(trace.thresholds.replace(box_score=0.9)), objects(HERE)).verdicts[
        0
    ]
    assert lost.rung is Rung.ROI_CLASS and lost.survivors == (4, 3, 2, 2, 2, 2, 2, 0, 0, 0, 0)
    assert all(step.best_iou is None and step.best_score is None for step in lost.steps[Rung.ROI_CLASS :])
    first = diagnose(Replayer(trace).replay(trace.thresholds.replace(rpn_pre_nms_top_n=1)), objects(HERE))
    assert [step.best_iou for step in first.verdicts[0].steps[:4]] == pytest.approx(
        [1.0, 1.0, 0.6, 0.6], abs=1e-5
    )


def test_two_ways_from_one_anchor_count_once() -> None:
    """Its decoded box fits and is suppressed; nothing else does: one candidate, not an anchor and a RoI."""
    trace = hand_trace(Candidate(HERE, scores=RING))
    assert diagnose(Replayer(trace), objects(HERE)).verdicts[0].survivors == (1,) * 11


def test_an_object_of_a_category_that_the_detector_lacks_is_refused() -> None:
    trace = hand_trace(Candidate(HERE))
    with pytest.raises(
        ValueError, match="object 1 has category 4, but this detector knows the categories 1 to 3"
    ):
        diagnose(Replayer(trace), objects(HERE, ASIDE, labels=(1, 4)))


def test_numbers_that_are_not_finite_get_a_verdict_too() -> None:
    trace = hand_trace(Candidate(HERE), Candidate(ASIDE, 0.4))
    trace.rpn.deltas[0] = torch.nan
    trace.head.deltas[0] = torch.nan
    verdict = diagnose(Replayer(trace), objects(HERE)).verdicts[0]
    assert 0 <= verdict.best_iou <= 1 and verdict.reason


@pytest.mark.parametrize("name", ["ring", "a category with a name that is really much too long"])
def test_long_names_do_not_make_long_reasons(name: str) -> None:
    for case in CASES.values():
        verdict = verdict_of(case)
        words = reason_for(verdict.rung, verdict.evidence, case.truth, ("background", name, name, name))
        assert len(words) <= LONGEST, words
