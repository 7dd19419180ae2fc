"""A training step's second stage in charts: what was taken for what, and how far the deltas are off.

Shapes: `S` sampled RoIs, `K` categories with background.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from detector.tracing.roi_losses import RoiLosses
from detector.tracing.samples import RoiSamples
from viz_app.figures.charts import GRID, calm
from viz_app.figures.palette import ACCENT, GREY, with_alpha

_BINS = 25
_DELTAS = ("dx", "dy", "dw", "dh")
_MOST_CLASSES = 12
_DARK = 0.35  # share of a row from which on a cell is dark enough for white letters
# Nearly transparent where nothing is: the page may be light or dark.
_SHADES = [[0, with_alpha(GREY, 0.1)], [1, with_alpha(ACCENT, 1)]]


def confusion_figure(confusion: Tensor, categories: Sequence[str], *, height: int = 300) -> go.Figure:
    """What the drawn RoIs should be (rows) against what they were taken for (columns).

    Args:
        confusion: int64 [K, K]; categories without a RoI are left out, and all but the 12 most frequent.
        categories: K names.
        height: in screen pixels.
    """
    counts = confusion.cpu().numpy()
    weight = counts.sum(axis=0) + counts.sum(axis=1)
    frequent = [int(label) for label in np.argsort(-weight, kind="stable") if weight[label]][:_MOST_CLASSES]
    shown = sorted(frequent)
    names = [categories[label] for label in shown]
    part = counts[np.ix_(shown, shown)]
    of_row = part / np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    heat = go.Heatmap(
        z=of_row, x=names, y=names, customdata=part, zmin=0, zmax=1,
        colorscale=_SHADES, showscale=False, xgap=1, ygap=1, name="RoIs",
        hovertemplate="learns %{y}, taken for %{x}<br>%{customdata:,} RoIs, %{z:.0%} of their row<extra></extra>",
    )  # fmt: skip
    figure = calm(go.Figure(heat), x="taken for", y="should be", height=height)
    places = [(row, column) for row, column in np.argwhere(part > 0).tolist()]
    figure.add_scatter(
        x=[names[column] for _, column in places], y=[names[row] for row, _ in places], mode="text",
        text=[f"{part[place]:,}" for place in places], hoverinfo="skip", name="counts",
        textfont={"color": ["white" if of_row[place] > _DARK else GREY for place in places]},
    )  # fmt: skip
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False, autorange="reversed")
    return figure


def delta_histograms(rois: RoiSamples, losses: RoiLosses, *, height: int = 230) -> go.Figure:
    """Targets (grey) and errors (blue: predicted minus target) of the positives, for each of the four deltas.

    Both are times the box coder's weights, the scale on which the loss sees them.
    """
    positive = rois.labels > 0
    targets = rois.targets[positive].float().cpu().numpy()
    errors = losses.error[positive].float().cpu().numpy()
    figure = make_subplots(rows=1, cols=4, horizontal_spacing=0.05)
    for place, name in enumerate(_DELTAS):
        both = np.concatenate((targets[:, place], errors[:, place]))
        low, high = (float(both.min()), float(both.max())) if len(both) else (-1.0, 1.0)
        pad = max(high - low, 1e-3) / 50
        edges = np.linspace(low - pad, high + pad, _BINS + 1)
        for values, what, color in ((targets, "target", GREY), (errors, "error", ACCENT)):
            figure.add_bar(
                x=(edges[:-1] + edges[1:]) / 2, y=np.histogram(values[:, place], edges)[0],
                width=edges[1] - edges[0], name=f"{name} {what}", opacity=0.6,
                marker={"color": color, "line": {"width": 0}}, row=1, col=place + 1,
                hovertemplate=f"{name} {what} %{{x:.2f}}<br>%{{y}} RoIs<extra></extra>",
            )  # fmt: skip
    calm(figure, height=height)
    for place, name in enumerate(_DELTAS):
        figure.update_xaxes(title=name, gridcolor=GRID, nticks=4, tickangle=0, row=1, col=place + 1)
    figure.update_yaxes(title="RoIs", row=1, col=1)
    return figure.update_layout(barmode="overlay", bargap=0)
