"""For every rung a trace made by hand, whose verdict, evidence and words are known."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from support.known_verdicts import ASIDE, CASES, HERE, POOR, RING, Case
from support.traces import OPEN, Candidate, hand_trace, objects

from detector import Replayer, diagnose
from detector.explaining.evidence import (
    ClassEvidence,
    FitEvidence,
    FloorEvidence,
    SuppressionEvidence,
)
from detector.explaining.matching import iou_of
from detector.explaining.reasons import LONGEST, reason_for
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Verdict


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
