"""The ladder of one object: a row for each rung, with a bar as long as candidates are left. Numbers only.

`ladder_html` draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from detector.explaining.ladder_text import RUNG_NAMES, bar_share, lost_words, step_words
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis, Step, Verdict

State = Literal["passed", "lost", "beyond"]


@dataclass(frozen=True, slots=True)
class Row:
    """One rung.

    Args:
        rung: which.
        name: for people.
        survivors: candidates that passed it.
        share: length of the bar, 0 to 1, logarithmic in the survivors.
        words: what stands beside the bar; nothing beyond the end of the ladder.
        state: `passed`, `lost` where the last candidate was removed, or `beyond` that.
        asks: one sentence that says what the rung asks of a candidate.
    """

    rung: Rung
    name: str
    survivors: int
    share: float
    words: str
    state: State
    asks: str


def ladder_rows(diagnosis: Diagnosis, verdict: Verdict) -> tuple[Row, ...]:
    """The eleven rungs of one object, from the anchors to the match."""
    most = max((step.survivors for step in verdict.steps), default=0)
    return tuple(_row(diagnosis, verdict, step, most) for step in verdict.steps)


def rung_question(rung: Rung, iou: float = 0.5) -> str:
    """What a rung asks of a candidate, in one sentence."""
    return _ASKS[rung].format(iou=f"{iou:g}")


def _row(diagnosis: Diagnosis, verdict: Verdict, step: Step, most: int) -> Row:
    state: State = "beyond" if step.rung > verdict.rung else "lost" if step.rung is verdict.rung else "passed"
    words = "" if state == "beyond" else step_words(step, diagnosis.replay.thresholds)
    if state == "lost":
        words = lost_words(diagnosis, verdict)
    share = bar_share(step.survivors, most) if state == "passed" else 0.0
    asks = rung_question(step.rung, diagnosis.iou)
    return Row(step.rung, RUNG_NAMES[step.rung], step.survivors, share, words, state, asks)


_ASKS = {
    Rung.ANCHOR_FIT: "Is there an anchor, or a box made of one, that overlaps the object by IoU {iou}?",
    Rung.RPN_BOX: "Does the box still overlap it by IoU {iou} after the RPN's deltas?",
    Rung.RPN_RANK: "Is its objectness among the top n of its level?",
    Rung.RPN_SCORE: "Is the box large enough, and its objectness over the RPN's floor?",
    Rung.RPN_NMS: "Does it survive the RPN's NMS?",
    Rung.RPN_LIMIT: "Is it among the proposals that an image may have?",
    Rung.ROI_BOX: "Does the second stage's box of the right class overlap the object by IoU {iou}?",
    Rung.ROI_CLASS: "Is the right class scored over the threshold?",
    Rung.BOX_NMS: "Does it survive the NMS of its class?",
    Rung.BOX_LIMIT: "Is it among the detections that an image may have?",
    Rung.MATCHED_ELSEWHERE: "Is the detection matched to this object and not to another one?",
}
