"""D5: precision against recall, class by class, at one IoU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from viz_app.figures.charts import calm
from viz_app.figures.names_as_text import as_text
from viz_app.figures.palette import GREY, category_color

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.judging.evaluation_records import Curves

MOST_CURVES = 7
"""As many as there are colours that can be told apart."""
_MEAN = "mean"


def precision_recall_figure(
    curves: Curves, labels: Mapping[str, int], iou: float, height: int = 340
) -> go.Figure:
    """A curve for each category, those of the lowest AP first, and their mean, dashed.

    Args:
        curves: of the evaluation.
        labels: index of each category, from 1; those without objects have no curve.
        iou: from which on a detection is a true one.
        height: in screen pixels.
    """
    ranked = list(average_precisions(curves, labels, iou).items())
    figure = go.Figure()
    # The grey ones first: they lie beneath.
    for number in (*range(MOST_CURVES, len(ranked)), *range(min(MOST_CURVES, len(ranked)))):
        name, value = ranked[number]
        color = category_color(number) if number < MOST_CURVES else GREY
        figure.add_trace(_curve(curves, iou, labels[name], f"{name} {value:.2f}", color))
        figure.data[-1].showlegend = number < MOST_CURVES
        figure.data[-1].opacity = 1.0 if number < MOST_CURVES else 0.35
    if len(ranked) > 1:
        mean = curves.at(iou)
        style = {"color": GREY, "width": 3, "dash": "dash"}
        figure.add_trace(
            go.Scatter(
                x=curves.recalls, y=_ended(mean), mode="lines", name=f"{_MEAN} {mean.mean():.2f}", line=style,
                hovertemplate=f"{_MEAN}<br>recall %{{x:.2f}}, precision %{{y:.3f}}<extra></extra>",
            )
        )  # fmt: skip
    calm(figure, x="recall", y="precision", height=height)
    figure.update_layout(
        showlegend=True, margin={"t": 8}, legend={"x": 1.01, "y": 1, "yanchor": "top", "font": {"size": 12}}
    )
    figure.update_xaxes(range=[0, 1.01], nticks=6)
    figure.update_yaxes(range=[0, 1.04], nticks=6)
    return figure


def average_precisions(curves: Curves, labels: Mapping[str, int], iou: float) -> dict[str, float]:
    """AP at one IoU of each category that has objects, the lowest first."""
    values = {name: float(curves.at(iou, label).mean()) for name, label in labels.items()}
    return dict(sorted(((n, v) for n, v in values.items() if not np.isnan(v)), key=lambda item: item[1]))


def curve_words(curves: Curves, labels: Mapping[str, int], iou: float) -> str:
    """What is seen in the curves, in one sentence."""
    ranked = list(average_precisions(curves, labels, iou).items())
    if not ranked:
        return "There is no object, and so no precision."
    (worst, low), (best, high) = ranked[0], ranked[-1]
    if len(ranked) == 1:
        return f"At IoU {iou:.2f} the average precision of {worst} is {low:.2f}."
    reached = curves.recalls[curves.at(iou, labels[worst]) > 0]
    end = (
        f", whose curve ends at a recall of {reached.max():.2f}"
        if len(reached)
        else ", of which none is found"
    )
    return f"At IoU {iou:.2f} {best} is best with AP {high:.2f}; weakest is {worst} with {low:.2f}{end}."


def _curve(curves: Curves, iou: float, label: int, name: str, color: str) -> go.Scatter:
    scores = curves.scores[abs(curves.ious - iou).argmin(), :, label - 1]
    return go.Scatter(
        x=curves.recalls, y=_ended(curves.at(iou, label)), customdata=scores, mode="lines", name=name,
        line={"color": color, "width": 2},
        hovertemplate=f"{as_text(name)}<br>recall %{{x:.2f}}, precision %{{y:.3f}}<br>"
        "down to score %{customdata:.3f}<extra></extra>",
    )  # fmt: skip


def _ended(precision: np.ndarray) -> np.ndarray:
    """A curve that falls to 0 once, and does not run on along the axis."""
    past = np.cumsum(precision <= 0) > 1
    return np.where(past, np.nan, precision)
