"""One hand-made image for each rung of the ladder: a ring at RING that is lost exactly there, or found."""

from __future__ import annotations

from dataclasses import dataclass

from detector import Replay, Replayer, diagnose
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis, Verdict
from support.traces import OPEN, Box, Candidate, hand_trace, objects

RING: Box = (20, 20, 40, 40)
NEAR: Box = (28, 20, 48, 40)  # IoU 0.43 with RING: no candidate of it, but NMS at 0.3 sees an overlap
AWAY: Box = (60, 60, 80, 80)
NOTHING, WEAK, SURE = (0.9, 0.03, 0.04, 0.03), (0.3, 0.6, 0.05, 0.05), (0.02, 0.95, 0.02, 0.01)


@dataclass(frozen=True)
class Lost:
    """What makes one image."""

    candidates: tuple[Candidate, ...]
    changes: dict[str, float]
    boxes: tuple[Box, ...] = (RING,)


LOST: dict[Rung, Lost] = {
    Rung.ANCHOR_FIT: Lost((Candidate(AWAY),), {}),
    Rung.RPN_BOX: Lost((Candidate(RING, decoded=AWAY),), {}),
    Rung.RPN_RANK: Lost((Candidate(RING, 0.4), Candidate(AWAY, 0.9)), {"rpn_pre_nms_top_n": 1}),
    Rung.RPN_SCORE: Lost((Candidate(RING, 0.4),), {"rpn_score": 0.5}),
    Rung.RPN_NMS: Lost((Candidate(RING, 0.4), Candidate(NEAR, 0.9)), {"rpn_nms": 0.3}),
    Rung.RPN_LIMIT: Lost((Candidate(RING, 0.4), Candidate(AWAY, 0.9)), {"rpn_post_nms_top_n": 1}),
    Rung.ROI_BOX: Lost((Candidate(RING, refined=AWAY),), {}),
    Rung.ROI_CLASS: Lost((Candidate(RING, scores=NOTHING),), {}),
    Rung.BOX_NMS: Lost((Candidate(RING, scores=WEAK), Candidate(NEAR, scores=SURE)), {"box_nms": 0.3}),
    Rung.BOX_LIMIT: Lost((Candidate(RING, scores=WEAK), Candidate(AWAY, scores=SURE)), {"box_limit": 1}),
    Rung.MATCHED_ELSEWHERE: Lost((Candidate(RING, scores=SURE),), {}, ((20, 20, 40, 44), RING)),
    Rung.FOUND: Lost((Candidate(RING, scores=SURE), Candidate(AWAY, scores=NOTHING)), {}),
}
"""By the rung where object 0 ends; at MATCHED_ELSEWHERE object 1 takes its detection."""


def lost_replay(rung: Rung) -> tuple[Replayer, Replay]:
    """The image of a rung, under its own thresholds."""
    case = LOST[rung]
    known = objects(*case.boxes)
    replayer = Replayer(hand_trace(*case.candidates, thresholds=OPEN.replace(**case.changes), truth=known))
    return replayer, replayer.replay()


def lost_at(rung: Rung) -> tuple[Diagnosis, Verdict]:
    """The diagnosis of the image of a rung, and the verdict of its ring."""
    replay = lost_replay(rung)[1]
    assert replay.trace.ground_truth is not None
    diagnosis = diagnose(replay, replay.trace.ground_truth)
    assert diagnosis.verdicts[0].rung is rung
    return diagnosis, diagnosis.verdicts[0]
