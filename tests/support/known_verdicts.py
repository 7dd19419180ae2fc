"""For every rung a trace made by hand, and what must be said of its first object."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector import GroundTruth
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
from detector.explaining.verdicts import Mechanism
from detector.tracing.trace import FilterRules
from support.traces import Box, Candidate, objects

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
