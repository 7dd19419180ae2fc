"""What the Why? page shows, in words and with the numbers of the object that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.ladder_text import RUNG_NAMES
from detector.explaining.rungs import Rung
from viz_app.figures.ladder import rung_question
from viz_app.problems import literal

if TYPE_CHECKING:
    from viz_app.app_pages.why_subjects import Subject

_SOURCES = (
    "Mechanisms: Miller et al. 2022, *What's in the Black Box? The False Negative Mechanisms Inside Object "
    "Detectors*; their proposal mechanism merges the first six rungs. Types of false positives: Bolya et al. 2020, "
    "*TIDE: A General Toolbox for Identifying Object Detection Errors*. Matching: COCO's evaluation."
)


def explain_ladder(subject: Subject) -> str:
    """The rungs, how a verdict is made and how a remedy is found, in Markdown."""
    iou = subject.diagnosis.iou
    rungs = "\n".join(
        f"{number}. **{RUNG_NAMES[rung]}.** {rung_question(rung, iou)}"
        for number, rung in enumerate(list(Rung)[:-1], 1)
    )
    return "\n\n".join((_candidates(subject), rungs, _REMEDY, _SOURCES))


def _candidates(subject: Subject) -> str:
    verdict = subject.verdict
    if verdict is None:
        return (
            "A detection is **false** when COCO's matching gives it no object: best score first, each detection "
            "takes the free object of its category that it overlaps most. An object climbs these rungs to be found:"
        )
    counts = " → ".join(f"{count:,}" for count in verdict.survivors)
    return (
        "A **candidate** of an object is a chain: anchor, decoded box, proposal, RoI, class slot. It counts when "
        f"one of its boxes overlaps the object by IoU {subject.diagnosis.iou:g}. Of {literal(subject.name)} this "
        f"many passed each rung: {counts}. The verdict names the first rung that none of them passed:"
    )


_REMEDY = (
    "**The smallest change** is of one threshold alone. For a score or a limit it follows from the candidate's own "
    "score or rank. Greedy NMS is not monotone in its IoU: a higher threshold may let a box live that then "
    "suppresses others, so every value at which something changes is tried. Each change is run as a replay before "
    "it is shown."
)
