"""The ladder of one object as text: for a terminal, and for the message of a failing test."""

from __future__ import annotations

from math import log1p
from typing import TYPE_CHECKING

from detector.explaining.evidence_words import evidence_sentence, evidence_words, object_name
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis, Step, Verdict
    from detector.tracing.thresholds import Thresholds

RUNG_NAMES: dict[Rung, str] = {
    Rung.ANCHOR_FIT: "Anchor fits",
    Rung.RPN_BOX: "RPN box",
    Rung.RPN_RANK: "RPN rank",
    Rung.RPN_SCORE: "RPN score",
    Rung.RPN_NMS: "RPN NMS",
    Rung.RPN_LIMIT: "RPN limit",
    Rung.ROI_BOX: "RoI box",
    Rung.ROI_CLASS: "RoI class",
    Rung.BOX_NMS: "Box NMS",
    Rung.BOX_LIMIT: "Limit",
    Rung.MATCHED_ELSEWHERE: "Match",
    Rung.FOUND: "Found",
}
"""A name of each rung that fits beside a bar."""

_BAR, _NAME = 20, 12


def ladder_text(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """Where one object was lost or that it was found, and what passed each rung, in lines of text.

    Args:
        diagnosis: all verdicts of the image.
        verdict: one of them.
    """
    box = ", ".join(f"{value:.1f}" for value in diagnosis.truth.boxes[verdict.object].tolist())
    most = max((step.survivors for step in verdict.steps), default=0)
    lines = [f"{object_name(diagnosis, verdict.object)} [{box}]: {outcome_words(verdict)}"]
    lines += [_line(diagnosis, verdict, step, most) for step in verdict.steps]
    lines.append(f"  {story(diagnosis, verdict)}")
    return "\n".join(lines)


def outcome_words(verdict: Verdict) -> str:
    """`found`, or the rung and the reason."""
    if verdict.rung is Rung.FOUND:
        return "found"
    return f"lost at {verdict.rung.name}, {verdict.reason}"


def story(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """How far an object got, and what stopped it, in two or three sentences."""
    if verdict.rung is Rung.FOUND:
        return _found_story(diagnosis, verdict)
    return f"{_progress(verdict)}{evidence_sentence(diagnosis, verdict)}"


def step_words(step: Step, thresholds: Thresholds) -> str:
    """How many candidates passed one rung, and the best number that matters there."""
    count = step.survivors
    iou = "" if step.best_iou is None else f", best IoU {step.best_iou:.2f}"
    score = "" if step.best_score is None else f", best score {step.best_score:.3f}"
    match step.rung:
        case Rung.ANCHOR_FIT:
            return f"{_plural(count, 'anchor')}{iou}"
        case Rung.RPN_BOX:
            return f"{_plural(count, 'box', 'boxes')}{iou}"
        case Rung.RPN_RANK:
            return f"{count:,} in the top {thresholds.rpn_pre_nms_top_n:,} of their level"
        case Rung.RPN_SCORE:
            return f"{count:,}{score.replace('score', 'objectness')}"
        case Rung.RPN_NMS | Rung.RPN_LIMIT:
            return f"{_plural(count, 'proposal')}{iou}"
        case Rung.ROI_BOX:
            return f"{_plural(count, 'RoI')}{iou}"
        case Rung.ROI_CLASS:
            return f"{count:,} over {thresholds.box_score:g}{score}"
        case Rung.BOX_NMS | Rung.BOX_LIMIT:
            return f"{_plural(count, 'detection')}{score}"
        case _:
            return f"{_plural(count, 'detection')}{iou}"


def lost_words(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """What stands on the rung where a lost object ends: nothing passed, and the number that shows why."""
    thresholds = diagnosis.replay.thresholds
    if verdict.rung is Rung.RPN_RANK:
        none = f"0 in the top {thresholds.rpn_pre_nms_top_n:,}"
    else:
        none = step_words(verdict.steps[verdict.rung], thresholds).partition(",")[0]
    return f"{none}: {evidence_words(diagnosis, verdict)}"


def narrowest(verdict: Verdict) -> tuple[Step, int] | None:
    """The rung that let the smallest share of an object's candidates pass, with how many reached it.

    None where no rung before the match removed any.
    """
    pairs = [
        (step, before.survivors) for before, step in zip(verdict.steps, verdict.steps[1:-1], strict=False)
    ]
    pairs = [(step, before) for step, before in pairs if 0 < step.survivors < before]
    return min(pairs, key=lambda pair: pair[0].survivors / pair[1], default=None)


def _found_story(diagnosis: Diagnosis, verdict: Verdict) -> str:
    assert verdict.detection is not None
    score = float(diagnosis.replay.scores[verdict.detection])
    steep = narrowest(verdict)
    tail = "" if steep is None else (
        f" The steepest rung was {RUNG_NAMES[steep[0].rung]}: {steep[0].survivors:,} of "
        f"{_plural(steep[1], 'candidate')} passed."
    )  # fmt: skip
    first = verdict.steps[0].survivors
    return (
        f"{_plural(first, 'anchor')} came near it, and detection {verdict.detection} shows it with a score of "
        f"{score:.3f}.{tail}"
    )


def _progress(verdict: Verdict) -> str:
    """How far it got before it was lost; nothing at the first rung."""
    steps = verdict.steps
    if verdict.rung > Rung.RPN_LIMIT:
        step = steps[Rung.RPN_LIMIT]
        iou = "" if step.best_iou is None else f", best IoU {step.best_iou:.2f}"
        return f"The RPN found it ({_plural(step.survivors, 'proposal')}{iou}). " if step.survivors else ""
    if verdict.rung > Rung.RPN_BOX:
        return f"The RPN has {_plural(steps[Rung.RPN_BOX].survivors, 'box', 'boxes')} on it. "
    return ""


def _line(diagnosis: Diagnosis, verdict: Verdict, step: Step, most: int) -> str:
    filled = 0 if step.survivors == 0 else max(1, round(_BAR * bar_share(step.survivors, most)))
    name = RUNG_NAMES[step.rung]
    if step.rung > verdict.rung:
        return f"  {name:<{_NAME}}{'·':<{_BAR}}".rstrip()
    mark = "x" if step.rung is verdict.rung else " "
    words = step_words(step, diagnosis.replay.thresholds)
    if step.rung is verdict.rung:
        words = lost_words(diagnosis, verdict)
    return f"{mark} {name:<{_NAME}}{'#' * filled:<{_BAR}} {words}"


def bar_share(count: int, most: int) -> float:
    """Length of a bar, 0 to 1: logarithmic, so that one candidate among thousands is still seen.

    Args:
        count: of candidates.
        most: the count of the longest bar.
    """
    return 0.0 if count <= 0 else log1p(count) / log1p(max(most, count))


def _plural(count: int, noun: str, nouns: str = "") -> str:
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
