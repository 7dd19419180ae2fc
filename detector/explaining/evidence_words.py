"""The evidence of a verdict in plain sentences, with the image's own numbers.

Sizes are (height, width) in pixels of the **network** frame, as in the evidence; IoUs are of the image frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.evidence import (
    ClassEvidence,
    DecodedEvidence,
    FitEvidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis, Verdict

_MISFITS = {
    "small": "it is too small for the anchors at this input size",
    "large": "it is too large for the anchors at this input size",
    "elongated": "it is too long and narrow for the anchors' ratios",
    "between cells": "a shape would fit, but no cell of the pyramid lies near enough",
}


def evidence_sentence(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """What shows why an object was lost, in one or two sentences; its short reason where there is no evidence."""
    match verdict.evidence:
        case FitEvidence() as fit:
            return _fit(diagnosis, fit)
        case DecodedEvidence() as decoded:
            return (
                f"Its best anchor fits with IoU {decoded.anchor_iou:.2f}, but the RPN's deltas move the box away: "
                f"IoU {decoded.decoded_iou:.2f} afterwards."
            )
        case RankEvidence() as rank:
            return _rank(verdict.rung, rank)
        case FloorEvidence() as floor:
            return _floor(floor)
        case SuppressionEvidence() as suppression:
            return _suppression(diagnosis, verdict, suppression)
        case RefinedEvidence() as refined:
            return (
                f"Its best RoI covers it with IoU {refined.proposal_iou:.2f}; the box that the second stage makes "
                f"of it for {object_category(diagnosis, verdict)} reaches only {refined.refined_iou:.2f}."
            )
        case ClassEvidence() as scored:
            return _class(diagnosis, verdict, scored)
        case MatchEvidence() as match:
            return (
                f"Detection {match.detection} fits it with IoU {match.iou:.2f}, but belongs to "
                f"{object_name(diagnosis, match.object)}, which it overlaps by {match.other_iou:.2f}."
            )
        case None:
            return f"{verdict.reason[:1].upper()}{verdict.reason[1:]}."


def evidence_words(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """The same in a few words, to stand on the rung where the ladder ends."""
    match verdict.evidence:
        case FitEvidence() as fit:
            return f"nearest anchor: IoU {fit.iou:.2f}"
        case DecodedEvidence() as decoded:
            return f"anchor {decoded.anchor_iou:.2f}, its box {decoded.decoded_iou:.2f}"
        case RankEvidence() as rank:
            limit = "" if verdict.rung is Rung.RPN_RANK else f", the limit is {rank.cut:,}"
            return f"best is number {rank.rank:,}{limit}"
        case FloorEvidence(cause="size") as floor:
            return f"side {floor.side:.2g} px, {floor.smallest:g} needed"
        case FloorEvidence() as floor:
            return f"objectness {floor.score:.3f}, {floor.floor:g} needed"
        case SuppressionEvidence() as suppression:
            return f"IoU {suppression.iou:.2f} with a stronger one"
        case RefinedEvidence() as refined:
            return f"RoI {refined.proposal_iou:.2f}, refined {refined.refined_iou:.2f}"
        case ClassEvidence() as scored:
            return _class_words(diagnosis, verdict, scored)
        case MatchEvidence() as match:
            return f"its detection went to {object_name(diagnosis, match.object)}"
        case None:
            return verdict.reason


def object_category(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """Name of the category of a verdict's object."""
    return diagnosis.replay.trace.categories[int(diagnosis.truth.labels[verdict.object])]


def object_name(diagnosis: Diagnosis, index: int) -> str:
    """An object's number and category, such as `#3 ring`."""
    return f"#{index} {diagnosis.replay.trace.categories[int(diagnosis.truth.labels[index])]}"


def _fit(diagnosis: Diagnosis, fit: FitEvidence) -> str:
    (height, width), (anchor_height, anchor_width) = fit.object_size, fit.anchor_size
    return (
        f"No anchor overlaps it by {diagnosis.iou:g}: the nearest reaches IoU {fit.iou:.2f}. It is "
        f"{width:.0f} × {height:.0f} px in the network's input, that anchor {anchor_width:.0f} × "
        f"{anchor_height:.0f}; {_MISFITS[fit.misfit]} (best shape, centred on it: IoU {fit.shape_iou:.2f})."
    )


def _rank(rung: Rung, rank: RankEvidence) -> str:
    where = {
        Rung.RPN_RANK: f"on level {rank.level}",
        Rung.RPN_LIMIT: "among the image's proposals",
    }.get(rung, "among the image's detections")
    return (
        f"Its best candidate is number {rank.rank:,} {where} with a score of {_score(rank.score)}. The limit is "
        f"{rank.cut:,}, and the last one within it scored {_score(rank.score_at_cut)}."
    )


def _floor(floor: FloorEvidence) -> str:
    if floor.cause == "size":
        return (
            f"The shorter side of its best box is {floor.side:.2g} px; the RPN drops what is below "
            f"{floor.smallest:g} px."
        )
    return f"Its best candidate has an objectness of {_score(floor.score)}; the RPN asks for {floor.floor:g}."


def _suppression(diagnosis: Diagnosis, verdict: Verdict, one: SuppressionEvidence) -> str:
    rpn = verdict.rung is Rung.RPN_NMS
    what = "proposal" if rpn else f"{object_category(diagnosis, verdict)} box"
    return (
        f"Its best {what} ({_score(one.score)}) overlaps a stronger one ({_score(one.suppressor_score)}) by IoU "
        f"{one.iou:.2f}, more than the {one.threshold:g} that NMS allows, and was suppressed. "
        f"{_culprit(diagnosis, one)}"
    )


def _culprit(diagnosis: Diagnosis, one: SuppressionEvidence) -> str:
    if one.object is None:
        return "The stronger one shows the background."
    if one.culprit == "same object":
        return f"The stronger one lies on the same object, but fits it poorly (IoU {one.object_iou:.2f})."
    return f"The stronger one shows {object_name(diagnosis, one.object)} (IoU {one.object_iou:.2f})."


def _class(diagnosis: Diagnosis, verdict: Verdict, scored: ClassEvidence) -> str:
    own, winner = object_category(diagnosis, verdict), diagnosis.replay.trace.categories[scored.winner]
    if scored.cause == "size":
        return f"The classifier says {own} ({_score(scored.score)}), but the refined box has next to no size."
    if scored.cause == "threshold":
        return (
            f"The classifier is right about its best RoI but not sure enough: {own} {_score(scored.score)}, "
            f"and a detection must exceed {scored.threshold:g}."
        )
    rule = f"a detection must exceed {scored.threshold:g}"
    if diagnosis.replay.trace.rules.detection_rule == "best_class":
        rule = "this detector lets only the best class of a RoI become a detection"
    return (
        f"The classifier called its best RoI {winner}: {winner} {_score(scored.winner_score)}, "
        f"{own} {_score(scored.score)}, and {rule}."
    )


def _class_words(diagnosis: Diagnosis, verdict: Verdict, scored: ClassEvidence) -> str:
    own, winner = object_category(diagnosis, verdict), diagnosis.replay.trace.categories[scored.winner]
    rest = "" if winner == own else f", {winner} {_score(scored.winner_score)}"
    if scored.cause == "size":
        return f"{own} {_score(scored.score)}, but without size"
    return f"{own} {_score(scored.score)}{rest}"


def _score(score: float) -> str:
    """Three digits, or two significant ones where three would be zeros."""
    return f"{score:.3f}" if score >= 0.001 or score == 0 else f"{score:.2g}"
