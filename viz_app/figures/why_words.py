"""Small print of the Why? page: what else is known of an object or of a false positive.

Boxes are float [4] xyxy in the **image** frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from detector.explaining.evidence_words import object_name
from detector.explaining.false_positives import Cause, TideType
from viz_app.figures.words import plural, size_words

if TYPE_CHECKING:
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Diagnosis, Verdict

_COVERED = 0.05


def aside(diagnosis: Diagnosis, verdict: Verdict) -> str:
    """Mechanism, size and cover of an object, such as `mechanism: background · 18 × 16 px · 62% covered by #6`."""
    parts = [] if verdict.mechanism is None else [f"mechanism: {verdict.mechanism}"]
    parts.append(f"{size_words(diagnosis.truth.boxes[verdict.object])} px")
    cover = covered_by(diagnosis, verdict.object)
    if cover is not None:
        parts.append(f"{cover[1]:.0%} under the box of {object_name(diagnosis, cover[0])}")
    return " · ".join(parts)


def covered_by(diagnosis: Diagnosis, index: int) -> tuple[int, float] | None:
    """The object whose box covers most of another one's, and the share it covers; None below a twentieth."""
    boxes = diagnosis.truth.boxes.double()
    own = boxes[index]
    inner = torch.minimum(boxes[:, 2:], own[2:]) - torch.maximum(boxes[:, :2], own[:2])
    shares = inner.clamp(min=0).prod(dim=1) / (own[2:] - own[:2]).prod()
    shares[index] = 0
    best = int(shares.argmax())
    return (best, float(shares[best])) if float(shares[best]) >= _COVERED else None


def false_positive_story(diagnosis: Diagnosis, one: FalsePositive) -> str:
    """Why a detection is false, in two sentences."""
    replay = diagnosis.replay
    name = replay.trace.categories[int(replay.labels[one.detection])]
    return f"It is called {name} with a score of {one.score:.3f}: {one.reason}. {_MEANING[one.cause.name]}"


def false_positive_aside(diagnosis: Diagnosis, one: FalsePositive) -> str:
    """Cause, TIDE's type and size of a false positive."""
    size = size_words(diagnosis.replay.boxes[one.detection])
    rois = "" if one.agreement is None else f" · {plural(one.agreement.rois, 'RoI')} agree"
    # TIDE looks for an object of the same category first, and for the place afterwards.
    why = (
        " (near an object of its class)" if (one.tide, one.cause) == (TideType.LOC, Cause.OTHER_CLASS) else ""
    )
    return f"cause: {one.cause} · TIDE type: {one.tide}{why} · {size} px{rois}"


_MEANING = {
    "DUPLICATE": "One object counts once: every further detection of it is false.",
    "POOR_BOX": "The category is right, the place is not.",
    "OTHER_CLASS": "The place is an object's, the category is not.",
    "BACKGROUND": "Nothing is annotated there.",
    "MISSING_LABEL": "Look at the picture: the annotation may be missing, and then the detector is right.",
}
