"""Why an object was lost, in about five words: they stand on the strip, next to the cross."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.ground_truth import GroundTruth

LONGEST = 45
"""Characters that a reason may have."""

_MISFITS = {
    "small": "too small",
    "large": "too large",
    "elongated": "too elongated",
    "between cells": "between cells",
}
_WITHOUT_EVIDENCE = {Rung.FOUND: "found", Rung.ROI_BOX: "the second stage never saw its proposals"}


def reason_for(rung: Rung, evidence: Evidence | None, truth: GroundTruth, categories: Sequence[str]) -> str:
    """A short phrase that names what lost an object, with the numbers of this image.

    Args:
        rung: of its verdict.
        evidence: what shows it.
        truth: the objects.
        categories: K names, index 0 is background.
    """
    match evidence:
        case FitEvidence():
            return f"no anchor fits: {_MISFITS[evidence.misfit]} (IoU {evidence.iou:.2f})"
        case DecodedEvidence():
            return f"RPN moved its box away (IoU {evidence.anchor_iou:.2f} → {evidence.decoded_iou:.2f})"
        case RankEvidence():
            return _rank_words(rung, evidence)
        case FloorEvidence():
            return _floor_words(evidence)
        case SuppressionEvidence():
            return _suppression_words(evidence, truth, categories)
        case RefinedEvidence():
            return f"refined away (IoU {evidence.proposal_iou:.2f} → {evidence.refined_iou:.2f})"
        case ClassEvidence():
            return _class_words(evidence, categories)
        case MatchEvidence():
            return _with_name("its detection matched #{} {}", evidence.object, truth, categories)
        case None:
            return _WITHOUT_EVIDENCE[rung]


def _rank_words(rung: Rung, evidence: RankEvidence) -> str:
    if rung is Rung.RPN_RANK:
        return f"ranked {evidence.rank:,} on level {evidence.level}, cut {evidence.cut:,}"
    what = "proposal" if rung is Rung.RPN_LIMIT else "detection"
    return f"{what} ranked {evidence.rank:,}, limit {evidence.cut:,}"


def _floor_words(evidence: FloorEvidence) -> str:
    if evidence.cause == "size":
        return f"proposal {evidence.side:.2g} px thin, floor {evidence.smallest:g}"
    score, floor = _told_apart(evidence.score, evidence.floor)
    return f"objectness {score}, floor {floor}"


def _suppression_words(
    evidence: SuppressionEvidence, truth: GroundTruth, categories: Sequence[str]
) -> str:  # fmt: skip
    overlap = f"(IoU {evidence.iou:.2f})"
    if evidence.culprit == "same object":
        return f"suppressed by a poorer box of it {overlap}"
    if evidence.object is None:
        return f"suppressed by background {overlap}"
    return _with_name(f"suppressed by #{{}} {{}} {overlap}", evidence.object, truth, categories)


def _class_words(evidence: ClassEvidence, categories: Sequence[str]) -> str:
    if evidence.cause == "size":
        return "refined box is too small"
    if evidence.cause == "threshold":
        own, threshold = _told_apart(evidence.score, evidence.threshold)
        return f"scored {own}, threshold {threshold}"
    winner, own = _told_apart(evidence.winner_score, evidence.score)
    if evidence.cause == "background":
        return f"scored as background {winner} against {own}"
    tail = f" {winner} against {own}"
    return f"scored as {_cut(categories[evidence.winner], LONGEST - len('scored as ' + tail))}{tail}"


def _with_name(phrase: str, index: int, truth: GroundTruth, categories: Sequence[str]) -> str:
    """`phrase` with the number and the category of an object in its two gaps."""
    room = LONGEST - len(phrase.format(index, ""))
    return phrase.format(index, _cut(categories[int(truth.labels[index])], room))


def _cut(name: str, room: int) -> str:
    return name if len(name) <= room else f"{name[: room - 1].rstrip()}…"


def _told_apart(first: float, second: float) -> tuple[str, str]:
    """Both with as few decimals as show that they differ: two, three where one is small, and six at most."""
    least = 2 if min(first, second) >= 0.1 else 3
    enough = (n for n in range(least, 6) if f"{first:.{n}f}" != f"{second:.{n}f}")
    decimals = next(enough, 6)
    return f"{first:.{decimals}f}", f"{second:.{decimals}f}"
