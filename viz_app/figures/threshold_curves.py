"""Detections against a threshold of the box filter: how many come out, how many are true, how many false."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from viz_app.figures.charts import calm
from viz_app.figures.palette import DETECTION, FALSE_POSITIVE, FOUND, GREY

if TYPE_CHECKING:
    from detector.explaining.sweeps import CountCurve

_TITLES = {
    "box_score": "score threshold (class probability)",
    "box_nms": "box NMS threshold (IoU)",
}
_MOST_OF_NOW = 4


def curve_figure(curve: CountCurve, objects: int | None, height: int = 280) -> go.Figure:
    """One curve as lines; the present threshold is a dashed line, the number of objects a dotted one.

    Args:
        curve: counts at each value; those over the score hold up to the next value, those over NMS at theirs.
        objects: how many there are to be found; None without ground truth.
        height: in screen pixels.
    """
    figure = go.Figure()
    steps = curve.field == "box_score"
    for name, counts, color in (
        ("detections", curve.detections, DETECTION),
        ("true: objects found", curve.true, FOUND),
        ("false positives", curve.false, FALSE_POSITIVE),
    ):
        if counts is not None:
            figure.add_trace(_line(curve, name, counts, color, steps=steps))
    if objects is not None:
        figure.add_hline(y=objects, line={"color": GREY, "width": 1.5, "dash": "dot"})
        figure.add_annotation(
            x=1, xref="paper", y=objects, yanchor="bottom", xanchor="right", showarrow=False,
            text=f"{objects} {'object' if objects == 1 else 'objects'}", font={"size": 11, "color": GREY},
        )  # fmt: skip
    figure.add_vline(x=curve.present, line={"color": GREY, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=curve.present, y=1, yref="paper", xanchor="center", yanchor="bottom", showarrow=False,
        text=f"now {curve.present:g}", font={"size": 11, "color": GREY},
    )  # fmt: skip
    calm(figure, x=_TITLES[curve.field], y="count on this image", height=height)
    figure.update_layout(
        hovermode="x unified", showlegend=True, margin={"t": 46},
        legend={"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(range=[0, _top(curve, objects)])
    return figure


def _top(curve: CountCurve, objects: int | None) -> float:
    """Upper end of the counts: a lax threshold may let hundreds through, and the rest would lie flat."""
    now = max(sum(value <= curve.present for value in curve.values) - 1, 0)
    near = _MOST_OF_NOW * max(curve.detections[now], objects or 0, 1)
    return 1.08 * max(min(max(curve.detections), near), objects or 0, 1)


def _line(curve: CountCurve, name: str, counts: tuple[int, ...], color: str, *, steps: bool) -> go.Scatter:
    xs, ys = list(curve.values), list(counts)
    if steps and xs[-1] < 1:
        xs, ys = [*xs, 1.0], [*ys, ys[-1]]
    return go.Scatter(
        x=xs, y=ys, name=name, mode="lines" if steps else "lines+markers",
        line={"color": color, "width": 2, "shape": "hv" if steps else "linear"}, marker={"size": 5},
        hovertemplate="%{y}",
    )  # fmt: skip
