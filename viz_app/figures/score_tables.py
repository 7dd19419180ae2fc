"""Scores and classes of what came out: one row for each category, and every detection by its score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from detector.tracing.filters import DetectionFate
from viz_app.figures.charts import calm
from viz_app.figures.palette import DETECTION, FALSE_POSITIVE, GREY

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay

_ROW, _ROOM, _HEIGHTS = 30, 70, (170, 620)


def class_table(replay: Replay, diagnosis: Diagnosis | None) -> pd.DataFrame:
    """One row for each category that has an object or a detection, the background left out.

    `slots` counts the slots of the category that passed the score threshold. With ground truth: how many objects
    there are, how many were found, and how many detections are false; crowd regions are not counted.
    """
    found = {name: values.tolist() for name, values in (("labels", replay.labels), ("scores", replay.scores))}
    passed = _passed(replay)
    rows = []
    for label in range(1, len(replay.trace.categories)):
        scores = [score for own, score in zip(found["labels"], found["scores"], strict=True) if own == label]
        row = {
            "category": replay.trace.categories[label], "slots": passed[label], "detections": len(scores),
            "best score": max(scores, default=None), "mean score": sum(scores) / len(scores) if scores else None,
        }  # fmt: skip
        if diagnosis is not None:
            row |= _outcome(diagnosis, label, found["labels"])
        if scores or row.get("objects"):
            rows.append(row)
    known = ["objects", "found", "missed", "false"] if diagnosis is not None else []
    return pd.DataFrame(rows, columns=["category", *known, "slots", "detections", "best score", "mean score"])


def score_figure(replay: Replay, diagnosis: Diagnosis | None) -> go.Figure:
    """Every detection at its score, a line for each category; false positives orange.

    The dashed line is the score threshold.
    """
    false = set() if diagnosis is None else set(diagnosis.false_detections)
    names = [replay.trace.categories[label] for label in replay.labels.tolist()]
    scores = replay.scores.tolist()
    figure = go.Figure()
    true = [index for index in range(len(names)) if index not in false]
    for name, color, members in (
        ("detections", DETECTION, true), ("false positives", FALSE_POSITIVE, sorted(false)),
    ):  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=[scores[index] for index in members], y=[names[index] for index in members],
                customdata=members, name=name, mode="markers",
                marker={"color": color, "size": 11, "opacity": 0.8, "line": {"width": 1, "color": "white"}},
                hovertemplate="detection %{customdata}: %{y} %{x:.3f}<extra></extra>",
            )
        )  # fmt: skip
    figure.add_vline(x=replay.thresholds.box_score, line={"color": GREY, "width": 1.5, "dash": "dash"})
    rows = len(set(names))
    calm(
        figure, x="score (class probability)", height=min(max(_ROOM + _ROW * rows, _HEIGHTS[0]), _HEIGHTS[1])
    )
    figure.update_xaxes(range=[0, 1.02])
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def _passed(replay: Replay) -> list[int]:
    """Slots over the score threshold, by category."""
    ledger = replay.detections
    fates = (DetectionFate.LOW_SCORE, DetectionFate.OTHER_CLASS)
    alive = (ledger.fate != int(fates[0])) & (ledger.fate != int(fates[1]))
    return ledger.labels[alive].bincount(minlength=len(replay.trace.categories)).tolist()


def _outcome(diagnosis: Diagnosis, label: int, labels: list[int]) -> dict[str, int]:
    verdicts = [one for one in diagnosis.verdicts if int(diagnosis.truth.labels[one.object]) == label]
    found = sum(verdict.detection is not None for verdict in verdicts)
    false = sum(labels[index] == label for index in diagnosis.false_detections)
    return {"objects": len(verdicts), "found": found, "missed": len(verdicts) - found, "false": false}
