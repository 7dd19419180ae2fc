"""The boxes that a verdict is about: the object, what came nearest to finding it, and what was seen instead.

Boxes are float [4] xyxy in the **image** frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import torch

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
from detector.explaining.evidence_words import object_category, object_name
from detector.explaining.matching import overlaps
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from torch import Tensor

    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Diagnosis, Verdict


class Role(StrEnum):
    """What a box is to the verdict about an object; the last three, to the cause of a false positive."""

    OBJECT = "the object"
    BEFORE = "where its candidate began"
    CANDIDATE = "its best candidate"
    INSTEAD = "seen instead"
    FALSE = "the false positive"
    EXPLAINS = "the object that explains it"
    TRUE = "this object's detection"


@dataclass(frozen=True, slots=True, eq=False)
class Concerned:
    """One box.

    Args:
        role: what it is to the verdict.
        words: a few words with its number, such as `best anchor, IoU 0.42`.
        box: float [4], image frame.
    """

    role: Role
    words: str
    box: Tensor


def concerned_boxes(diagnosis: Diagnosis, verdict: Verdict, name: str = "") -> tuple[Concerned, ...]:
    """The object first, then the boxes of the evidence; for a found object its detection.

    Args:
        diagnosis: all verdicts of the image.
        verdict: one of them.
        name: of the object; its number and category by default.
    """
    name = name or object_name(diagnosis, verdict.object)
    found = [Concerned(Role.OBJECT, name, diagnosis.truth.boxes[verdict.object])]
    found += _evidence_boxes(diagnosis, verdict)
    if not any(one.role is Role.INSTEAD for one in found) and verdict.rung is not Rung.FOUND:
        seen = seen_instead(diagnosis, verdict.object)
        found += [] if seen is None else [_detection(diagnosis, Role.INSTEAD, seen, "kept: ")]
    return tuple(found)


def false_positive_boxes(diagnosis: Diagnosis, one: FalsePositive) -> tuple[Concerned, ...]:
    """The false detection first, then the object that explains it and the detection that this object has."""
    found = [_detection(diagnosis, Role.FALSE, one.detection, "false: ")]
    if one.object is None:
        return tuple(found)
    name = object_name(diagnosis, one.object)
    found.append(Concerned(Role.EXPLAINS, f"{name}, IoU {one.iou:.2f}", diagnosis.truth.boxes[one.object]))
    owner = int(diagnosis.matches.detection_of[one.object])
    if owner >= 0:
        found.append(_detection(diagnosis, Role.TRUE, owner, "true: "))
    return tuple(found)


def seen_instead(diagnosis: Diagnosis, index: int) -> int | None:
    """The kept detection that overlaps an object most; None where none touches it."""
    if len(diagnosis.replay.labels) == 0:
        return None
    quality = overlaps(diagnosis.replay.boxes, diagnosis.truth)[:, index]
    best = int(quality.argmax())
    return best if float(quality[best]) > 0 else None


def refined_slot(diagnosis: Diagnosis, verdict: Verdict, refined: RefinedEvidence) -> int:
    """The class slot whose refined box came nearest to an object, where none fits it."""
    label = int(diagnosis.truth.labels[verdict.object])
    return int(diagnosis.replay.slot_of(torch.tensor(refined.roi), torch.tensor(label)))


def slot_box(diagnosis: Diagnosis, slot: int) -> Tensor:
    """The refined box of a class slot."""
    return diagnosis.replay.trace.to_image(diagnosis.replay.detections.boxes[slot])


def _evidence_boxes(diagnosis: Diagnosis, verdict: Verdict) -> list[Concerned]:
    replay, trace = diagnosis.replay, diagnosis.replay.trace
    category = object_category(diagnosis, verdict)
    match verdict.evidence:
        case FitEvidence() as fit:
            return [_anchor(diagnosis, Role.CANDIDATE, fit.anchor, f"nearest anchor, IoU {fit.iou:.2f}")]
        case DecodedEvidence() as moved:
            before = _anchor(diagnosis, Role.BEFORE, moved.anchor, f"best anchor, IoU {moved.anchor_iou:.2f}")
            return [
                before,
                _proposal(diagnosis, moved.anchor, f"after its deltas, IoU {moved.decoded_iou:.2f}"),
            ]
        case RankEvidence() as rank if rank.level is not None or verdict.rung < Rung.ROI_BOX:
            return [_proposal(diagnosis, rank.candidate, f"best candidate, rank {rank.rank:,}")]
        case RankEvidence() as rank:
            return [_slot(diagnosis, rank.candidate, f"{category} {rank.score:.2f}, rank {rank.rank:,}")]
        case FloorEvidence() as floor:
            return [_proposal(diagnosis, floor.anchor, f"best candidate, objectness {floor.score:.3f}")]
        case SuppressionEvidence() as one:
            return _duel(diagnosis, verdict, one)
        case RefinedEvidence() as refined:
            slot = refined_slot(diagnosis, verdict, refined)
            roi = trace.to_image(replay.head.boxes[refined.roi])
            before = Concerned(Role.BEFORE, f"best RoI, IoU {refined.proposal_iou:.2f}", roi)
            return [before, _slot(diagnosis, slot, f"refined, IoU {refined.refined_iou:.2f}")]
        case ClassEvidence() as scored:
            return [_slot(diagnosis, scored.slot, f"best RoI: {category} {scored.score:.2f}")]
        case MatchEvidence() as match:
            other = diagnosis.truth.boxes[match.object]
            return [
                _detection(diagnosis, Role.CANDIDATE, match.detection, "kept: "),
                Concerned(Role.INSTEAD, f"matched: {object_name(diagnosis, match.object)}", other),
            ]
    if verdict.detection is not None:
        return [_detection(diagnosis, Role.TRUE, verdict.detection, "found: ")]
    return [] if verdict.slot is None else [_slot(diagnosis, verdict.slot, "best RoI")]


def _duel(diagnosis: Diagnosis, verdict: Verdict, one: SuppressionEvidence) -> list[Concerned]:
    if verdict.rung is Rung.RPN_NMS:
        winner = _proposal(diagnosis, one.suppressor, f"suppressed it: {one.suppressor_score:.2f}")
        loser = _proposal(diagnosis, one.candidate, f"best proposal {one.score:.2f}")
    else:
        category = object_category(diagnosis, verdict)
        winner = _slot(diagnosis, one.suppressor, f"suppressed it: {category} {one.suppressor_score:.2f}")
        loser = _slot(diagnosis, one.candidate, f"best box: {category} {one.score:.2f}")
    return [loser, Concerned(Role.INSTEAD, winner.words, winner.box)]


def _anchor(diagnosis: Diagnosis, role: Role, anchor: int, words: str) -> Concerned:
    trace = diagnosis.replay.trace
    return Concerned(role, words, trace.to_image(trace.rpn.anchors[anchor]))


def _proposal(diagnosis: Diagnosis, anchor: int, words: str) -> Concerned:
    replay = diagnosis.replay
    return Concerned(Role.CANDIDATE, words, replay.trace.to_image(replay.proposals.boxes[anchor]))


def _slot(diagnosis: Diagnosis, slot: int, words: str) -> Concerned:
    return Concerned(Role.CANDIDATE, words, slot_box(diagnosis, slot))


def _detection(diagnosis: Diagnosis, role: Role, detection: int, before: str) -> Concerned:
    replay = diagnosis.replay
    category = replay.trace.categories[int(replay.labels[detection])]
    words = f"{before}{category} {float(replay.scores[detection]):.2f}"
    return Concerned(role, words, replay.boxes[detection])
