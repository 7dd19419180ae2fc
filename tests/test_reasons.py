"""The few words on the strip: their numbers, and names that are cut to the room there is."""

from __future__ import annotations

import pytest
import torch

from detector import GroundTruth
from detector.explaining.evidence import (
    ClassEvidence,
    Evidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    SuppressionEvidence,
)
from detector.explaining.reasons import LONGEST, reason_for
from detector.explaining.rungs import Rung

TRUTH = GroundTruth(torch.tensor([[0.0, 0, 9, 9]] * 12), torch.tensor([1] * 11 + [2]))


def words(rung: Rung, evidence: Evidence | None, *names: str) -> str:
    return reason_for(rung, evidence, TRUTH, ("background", *(names or ("ring", "cross"))))


def scored(own: float, other: float, cause: str = "threshold", winner: int = 1) -> ClassEvidence:
    """The class got `own` where `other` was the threshold, or the winner's score."""
    return ClassEvidence(0, 0, 0.9, own, other, winner, other, cause)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("rung", "expected"),
    [
        (Rung.RPN_RANK, "ranked 1,234 on level 2, cut 1,000"),
        (Rung.RPN_LIMIT, "proposal ranked 1,234, limit 1,000"),
        (Rung.BOX_LIMIT, "detection ranked 1,234, limit 1,000"),
    ],
)
def test_ranks_have_their_thousands(rung: Rung, expected: str) -> None:
    assert words(rung, RankEvidence(0, 1234, 1000, 0.5, 0.6, 2)) == expected


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (0.1, 0.12, "scored 0.10, threshold 0.12"),
        (0.0999, 0.12, "scored 0.100, threshold 0.120"),
        (0.12, 0.0999, "scored 0.120, threshold 0.100"),
        (0.3001, 0.3, "scored 0.3001, threshold 0.3000"),
        (0.049996, 0.05, "scored 0.049996, threshold 0.050000"),
        (0.05, 0.05, "scored 0.050000, threshold 0.050000"),
        (0.3, 0.3, "scored 0.300000, threshold 0.300000"),
        (0.1234561, 0.1234564, "scored 0.123456, threshold 0.123456"),
    ],
)
def test_two_scores_have_as_few_decimals_as_tell_them_apart(own: float, other: float, expected: str) -> None:
    assert words(Rung.ROI_CLASS, scored(own, other)) == expected


def test_the_class_that_won_is_named_and_the_background_is() -> None:
    assert (
        words(Rung.ROI_CLASS, scored(0.031, 0.6, "other class", 2)) == "scored as cross 0.600 against 0.031"
    )
    assert (
        words(Rung.ROI_CLASS, scored(0.2, 0.6, "background", 0)) == "scored as background 0.60 against 0.20"
    )
    assert words(Rung.ROI_CLASS, scored(0.2, 0.6, "size")) == "refined box is too small"


def test_floors_of_objectness_and_of_size() -> None:
    score = FloorEvidence(0, 0.4996, 0.5, 40, 1e-3, "score")
    assert words(Rung.RPN_SCORE, score) == "objectness 0.4996, floor 0.5000"
    size = FloorEvidence(0, 0.5, 0.0, 0.000123, 1e-3, "size")
    assert words(Rung.RPN_SCORE, size) == "proposal 0.00012 px thin, floor 0.001"


def test_what_suppressed_it_is_named_by_number_and_category() -> None:
    def suppressed(culprit: str, index: int | None) -> str:
        numbers = (0.4545, 0.3, 0.5, 0.6)
        one = SuppressionEvidence(0, 1, *numbers, culprit, index, 0.9)  # pyright: ignore[reportArgumentType]
        return words(Rung.RPN_NMS, one)

    assert suppressed("other object", 11) == "suppressed by #11 cross (IoU 0.45)"
    assert suppressed("same object", 0) == "suppressed by a poorer box of it (IoU 0.45)"
    assert suppressed("background", None) == "suppressed by background (IoU 0.45)"


def test_without_evidence_the_rung_says_it() -> None:
    assert words(Rung.FOUND, None) == "found"
    assert words(Rung.ROI_BOX, None) == "the second stage never saw its proposals"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("n" * 20, "n" * 20),
        ("n" * 21, "n" * 19 + "…"),
        ("n" * 18 + " and more", "n" * 18 + "…"),  # no gap before the dots
    ],
)
def test_a_name_takes_all_the_room_that_is_left_and_no_more(name: str, shown: str) -> None:
    """Beside the 25 characters of the phrase there is room for 20."""
    found = words(Rung.MATCHED_ELSEWHERE, MatchEvidence(0, 1, 0.6, 0.9, 0.8), name)
    assert found == f"its detection matched #1 {shown}" and len(found) <= LONGEST == 45


@pytest.mark.parametrize(("count", "shown"), [(17, "n" * 17), (18, "n" * 16 + "…")])
def test_a_class_that_won_takes_the_room_that_its_numbers_leave(count: int, shown: str) -> None:
    found = words(Rung.ROI_CLASS, scored(0.2, 0.6, "other class", 1), "n" * count)
    assert found == f"scored as {shown} 0.60 against 0.20" and len(found) == LONGEST
