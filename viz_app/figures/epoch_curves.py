"""P2: AP per epoch, and where the objects of the validation set are lost; P4: the same of several runs.

The x axis counts the epochs that are done; `start` is the model before its first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from detector.training.metrics_log import best_of
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, FOUND, GREY, ORANGE, SKY, with_alpha
from viz_app.figures.waterfall import rung_color
from viz_app.figures.words import rung_name

if TYPE_CHECKING:
    from detector.training.metrics_log import EpochRow
    from viz_app.figures.run_curves import RunCurve

_MEASURES = (("AP50", SKY, 1.75), ("AP75", ORANGE, 1.75), ("AP", ACCENT, 3.0))
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


def epoch_name(epoch: int) -> str:
    """After which epoch, for people: `start` before the first step, then 1 after epoch 0."""
    return "start" if epoch < 0 else str(epoch + 1)


def ap_figure(curves: Sequence[RunCurve], height: int = 320) -> go.Figure:
    """AP over the epochs: of one run with AP50 and AP75, of several AP alone; the best epoch has a star.

    Args:
        curves: one run, or several in colours of their own.
        height: in screen pixels.
    """
    figure = go.Figure()
    alone = len(curves) == 1
    for curve in curves:
        measures = _MEASURES if alone else (("AP", curve.color, 2.5),)
        for measure, color, width in measures:
            figure.add_trace(_line(curve.epochs, measure, measure if alone else curve.name, color, width))
        best = best_of(list(curve.epochs), "AP")
        if best is not None and best.AP is not None:
            figure.add_trace(_star(best, ACCENT if alone else curve.color))
    calm(figure, x="epochs done", y="average precision", height=height)
    figure.update_layout(hovermode="x unified", showlegend=True, margin={"t": 36}, legend=_LEGEND)
    figure.update_yaxes(range=[0, _top(curves)])
    _epoch_axis(figure, [row.epoch for curve in curves for row in curve.epochs])
    return figure


def recall_figure(curve: RunCurve, height: int = 320) -> go.Figure:
    """Where the validation objects of one run are lost: from below the share found, then what each rung loses.

    The upper end of a band is the share still alive before its rung, so that the whole is 100%.

    Args:
        curve: one run.
        height: in screen pixels.
    """
    figure = go.Figure()
    rows = [row for row in curve.epochs if row.recall]
    rungs = list(rows[0].recall) if rows else []
    xs = [row.epoch for row in rows]
    if rungs:
        found = [100 * row.recall[rungs[-1]] for row in rows]
        figure.add_trace(_band(xs, found, "found", FOUND, 0.45))
    for rung in reversed(rungs):
        lost = [100 * (_before(row, rung) - row.recall[rung]) for row in rows]
        if any(share > 0 for share in lost):
            figure.add_trace(_band(xs, lost, f"lost at {rung_name(rung)}", rung_color(rung), 0.85))
    calm(figure, x="epochs done", y="validation objects, %", height=height)
    figure.update_layout(
        hovermode="x unified", showlegend=True, margin={"t": 36},
        legend={**_LEGEND, "traceorder": "normal"},
    )  # fmt: skip
    figure.update_yaxes(range=[0, 100])
    _epoch_axis(figure, xs)
    return figure


def overlaid_recall(curves: Sequence[RunCurve], rung: str, height: int = 320) -> go.Figure:
    """The share of the validation objects that are alive after one rung, over the epochs of several runs.

    Args:
        curves: the runs, each with a colour of its own.
        rung: its name; the last one of the ladder gives the share found.
        height: in screen pixels.
    """
    figure = go.Figure()
    for curve in curves:
        rows = [row for row in curve.epochs if rung in row.recall]
        figure.add_trace(
            go.Scatter(
                x=[row.epoch for row in rows], y=[100 * row.recall[rung] for row in rows], name=curve.name,
                mode="lines+markers", line={"color": curve.color, "width": 2.5}, marker={"size": 6},
                hovertemplate="%{y:.1f}%",
            )
        )  # fmt: skip
    calm(figure, x="epochs done", y="objects alive, %", height=height)
    figure.update_layout(hovermode="x unified", showlegend=True, margin={"t": 36}, legend=_LEGEND)
    figure.update_yaxes(range=[0, 102])
    _epoch_axis(figure, [row.epoch for curve in curves for row in curve.epochs])
    return figure


def _before(row: EpochRow, rung: str) -> float:
    """The share alive before a rung: all of them before the first one."""
    rungs = list(row.recall)
    place = rungs.index(rung)
    return row.recall[rungs[place - 1]] if place else 1.0


def _line(rows: Sequence[EpochRow], measure: str, name: str, color: str, width: float) -> go.Scatter:
    return go.Scatter(
        x=[row.epoch for row in rows], y=[row.value(measure) for row in rows], name=name,
        mode="lines+markers", line={"color": color, "width": width}, marker={"size": 5 + width / 2},
        hovertemplate="%{y:.3f}",
    )  # fmt: skip


def _star(row: EpochRow, color: str) -> go.Scatter:
    return go.Scatter(
        x=[row.epoch], y=[row.AP], mode="markers+text", text=[f"{row.AP:.3f}"], textposition="bottom left",
        marker={"symbol": "star", "size": 15, "color": color, "line": {"color": "white", "width": 1}},
        showlegend=False, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip


def _band(xs: Sequence[int], shares: Sequence[float], name: str, color: str, alpha: float) -> go.Scatter:
    return go.Scatter(
        x=xs, y=shares, name=name, stackgroup="objects", fillcolor=with_alpha(color, alpha),
        mode="lines" if len(xs) > 1 else "markers", line={"color": color, "width": 1}, marker={"color": color},
        hovertemplate="%{y:.1f}%",
    )  # fmt: skip


def _top(curves: Sequence[RunCurve]) -> float:
    """Upper end of the axis: room above the highest value for its number, and no more than there can be."""
    names = ("AP50", "AP75", "AP") if len(curves) == 1 else ("AP",)
    values = [row.value(name) or 0.0 for curve in curves for row in curve.epochs for name in names]
    return min(max(1.18 * max(values, default=0.0), 0.1), 1.04)


def _epoch_axis(figure: go.Figure, epochs: Sequence[int]) -> None:
    """Whole epochs, a dozen of them at most; the first one is called `start`."""
    if not epochs:
        return
    low, high = min(epochs), max(epochs)
    step = max(1, round((high - low) / 12))
    ticks = sorted({low, *range(high, low, -step)})
    figure.update_xaxes(
        tickvals=ticks, ticktext=[epoch_name(tick) for tick in ticks],
        range=[low - 0.4, high + 0.4] if low == high else [low - 0.02 * (high - low), high + 0.02 * (high - low)],
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": GREY, "width": 0.5})
