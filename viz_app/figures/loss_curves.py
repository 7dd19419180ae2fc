"""P1: the four losses, their weighted sum, the learning rate and the gradient norm; P4: the same of several runs.

The x axis is the optimizer step. A faint line is each step as it was, a strong one the mean of the latest steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from viz_app.figures.charts import GRID, calm
from viz_app.figures.palette import ACCENT, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from viz_app.figures.run_curves import RunCurve, column, epoch_ends, smoothed, thinned

if TYPE_CHECKING:
    import numpy as np

LOSSES = {
    "total": ("total, weighted", ACCENT),
    "rpn_cls": ("RPN objectness", ORANGE),
    "rpn_bbox": ("RPN box", GREEN),
    "fast_rcnn_cls": ("RoI class", PURPLE),
    "fast_rcnn_bbox": ("RoI box", SKY),
}
"""Name for people and colour of each loss."""

_MOST_EPOCH_LINES = 40


def losses_figure(curve: RunCurve, height: int = 380) -> go.Figure:
    """The four losses and their weighted sum over the steps of one run.

    Args:
        curve: one run.
        height: in screen pixels.
    """
    figure = go.Figure()
    steps = column(curve.steps, "step")
    for field, (name, color) in LOSSES.items():
        values = column(curve.steps, field)
        figure.add_traces(_pair(steps, values, name, color, wide=field == "total"))
    for step in epoch_ends(curve.steps)[-_MOST_EPOCH_LINES:]:
        figure.add_vline(x=step + 0.5, line={"color": GRID, "width": 1})
    calm(figure, x="step", y="loss", height=height)
    figure.update_layout(
        hovermode="x unified", showlegend=True, margin={"t": 36},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    return figure


def overlaid_losses(curves: Sequence[RunCurve], height: int = 430) -> go.Figure:
    """Several runs over one another: a panel for each loss, a colour for each run.

    Args:
        curves: the runs, each with a colour of its own.
        height: in screen pixels.
    """
    titles = [name for name, _ in LOSSES.values()]
    figure = make_subplots(
        rows=2, cols=6, specs=[[{"colspan": 3}, None, None, {"colspan": 3}, None, None],
                               [{"colspan": 2}, None, {"colspan": 2}, None, {"colspan": 2}, None]],
        subplot_titles=titles, vertical_spacing=0.16, horizontal_spacing=0.08,
    )  # fmt: skip
    places = [(1, 1), (1, 4), (2, 1), (2, 3), (2, 5)]
    for curve in curves:
        steps = column(curve.steps, "step")
        for field, (row, col) in zip(LOSSES, places, strict=True):
            lines = _pair(steps, column(curve.steps, field), curve.name, curve.color, wide=True)
            for line in lines:
                line.legendgroup = curve.name
                line.showlegend = bool(line.showlegend) and field == "total"
                figure.add_trace(line, row=row, col=col)
    calm(figure, height=height)
    _with_legend(figure)
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(title="step", row=2)
    return figure


def pace_figure(curves: Sequence[RunCurve], height: int = 380) -> go.Figure:
    """The learning rate, and the gradient norm before it is clipped with the bound that it is clipped at.

    Args:
        curves: one run, or several in colours of their own.
        height: in screen pixels.
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.13,
        subplot_titles=["learning rate", "gradient norm, before clipping"],
    )  # fmt: skip
    for curve in curves:
        steps, rates = column(curve.steps, "step"), column(curve.steps, "lr")
        places = thinned(rates)
        figure.add_trace(_line(steps[places], rates[places], curve.name, curve.color), row=1, col=1)
        for line in _pair(steps, column(curve.steps, "grad_norm"), curve.name, curve.color, wide=True):
            line.showlegend = False
            figure.add_trace(line, row=2, col=1)
    for bound in sorted({curve.clip_norm for curve in curves if curve.clip_norm is not None}):
        figure.add_hline(
            y=bound, row=2, col=1, line={"color": VERMILLION, "width": 1.5, "dash": "dot"},  # pyright: ignore[reportArgumentType]
            annotation={"text": f"clipped at {bound:g}", "font": {"size": 11, "color": VERMILLION}},
            annotation_position="top right",
        )  # fmt: skip
    calm(figure, height=height)
    figure.update_layout(hovermode="x unified", margin={"t": 24})
    figure.update_xaxes(title="step", row=2)
    figure.update_yaxes(rangemode="tozero")
    figure.update_yaxes(exponentformat="e", row=1)
    figure.update_annotations(font={"size": 13})
    return figure


def _pair(
    steps: np.ndarray, values: np.ndarray, name: str, color: str, *, wide: bool
) -> tuple[go.Scatter, go.Scatter]:
    """Each step, faint, and the mean of the latest ones, strong."""
    raw, mean = thinned(values), smoothed(values)
    shown = thinned(mean)
    faint = _line(steps[raw], values[raw], name, color)
    faint.update(opacity=0.22, showlegend=False, hoverinfo="skip", line_width=1, legendgroup=name)
    strong = _line(steps[shown], mean[shown], name, color)
    strong.update(line_width=2.5 if wide else 1.75, legendgroup=name, showlegend=True)
    return faint, strong


def _line(xs: np.ndarray, ys: np.ndarray, name: str, color: str) -> go.Scatter:
    # One step is a point: a line through it would not be seen.
    mode = "lines" if len(xs) > 1 else "markers"
    return go.Scatter(
        x=xs, y=ys, name=name, mode=mode, line={"color": color, "width": 2},
        marker={"color": color or GREY, "size": 6}, hovertemplate="%{y:.4g}", showlegend=False,
    )  # fmt: skip


def _with_legend(figure: go.Figure) -> None:
    figure.update_layout(
        showlegend=True, margin={"t": 62}, hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_annotations(font={"size": 13})
