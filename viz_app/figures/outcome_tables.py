"""What came of an image, as tables: one row for each object, and one for each detection.

Sizes are in pixels of the **image** frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from detector.explaining.ladder_text import RUNG_NAMES
from detector.explaining.rungs import Rung
from viz_app.figures.full_network import match_ious
from viz_app.figures.words import size_words

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replay


FOUND_WORD = "found"


def verdict_word(rung: Rung) -> str:
    """`found`, or the rung where an object was lost."""
    return FOUND_WORD if rung is Rung.FOUND else f"lost at {rung.name}"


def climb_words(verdict: Verdict) -> str:
    """How many candidates of an object passed each rung, up to the one where the last was lost."""
    steps = [f"{RUNG_NAMES[rung]} {count:,}" for rung, count in zip(Rung, verdict.survivors, strict=False)]
    return " → ".join(steps[: verdict.rung + 1])


def object_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """One row for each object that is not a crowd region, in the order of the verdicts."""
    truth, categories = diagnosis.truth, diagnosis.replay.trace.categories
    verdicts = diagnosis.verdicts
    return pd.DataFrame(
        {
            "object": [f"#{verdict.object}" for verdict in verdicts],
            "category": [categories[int(truth.labels[verdict.object])] for verdict in verdicts],
            "size, px": [size_words(truth.boxes[verdict.object]) for verdict in verdicts],
            "best IoU": [verdict.best_iou for verdict in verdicts],
            "verdict": [[verdict_word(verdict.rung)] for verdict in verdicts],
        }
    )


def detection_table(replay: Replay, diagnosis: Diagnosis | None) -> pd.DataFrame:
    """One row for each detection, best first: what it matches, and the anchor that it came from.

    The rank is the proposal's place by objectness among those that left the RPN, from 1.
    """
    verdicts, false = ((), ()) if diagnosis is None else (diagnosis.verdicts, diagnosis.false_detections)
    matched = {
        verdict.detection: f"#{verdict.object}" for verdict in verdicts if verdict.detection is not None
    }
    ious = [None] * len(replay.labels) if diagnosis is None else match_ious(diagnosis)
    rows = []
    for index, roi in enumerate(replay.rois.tolist()):
        rows.append(
            {
                "category": replay.trace.categories[int(replay.labels[index])],
                "score": float(replay.scores[index]),
                "matches": matched.get(index, "no object" if index in false else "crowd"),
                "IoU": "" if (iou := ious[index]) is None else f"{iou:.2f}",
                "came from": _origin(replay, roi),
            }
        )
    table = pd.DataFrame(rows, columns=["category", "score", "matches", "IoU", "came from"])
    return table.drop(columns=["matches", "IoU"]) if diagnosis is None else table


def _origin(replay: Replay, roi: int) -> str:
    anchor = int(replay.head.anchor[roi])
    if anchor < 0:
        return f"RoI {roi:,}, no anchor"
    level = int(replay.trace.rpn.level_of(replay.head.anchor[roi]))
    return f"level {level} · anchor {anchor:,} · rank {roi + 1:,}"
