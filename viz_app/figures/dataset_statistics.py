"""I6: how many objects, of which classes, and of which shapes, with the anchors laid over.

Shapes: `n` objects, `A` anchors per cell. Extents are float [n, 2], (height, width) in pixels of the frame that the
axis names; levels are one [A, 2] for each pyramid level, finest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from viz_app.figures.charts import calm
from viz_app.figures.names_as_text import as_text
from viz_app.figures.palette import ACCENT, GREY, LOST, SELECTED, category_color, level_color, with_alpha
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

MOST_CLASSES = 24
"""Bars of the counts per class at most, the most frequent ones."""
MOST_POINTS = 4_000
"""Points of the scatter at most, evenly taken."""

_BINS = 36
_ROW, _HEAD = 22, 40
_HEIGHT = 300
_NEAR_WORDS = ("an anchor fits", "no anchor fits")


def class_figure(counts: dict[str, int], chosen: str | None = None) -> go.Figure:
    """Objects of each class, the most frequent on top; `customdata` of a bar is the class.

    Args:
        counts: objects by class, in the order of the labels, which decides their colours.
        chosen: the class that is looked at.
    """
    places = {name: place for place, name in enumerate(counts)}
    shown = sorted(counts, key=lambda name: -counts[name])[:MOST_CLASSES]
    whole = max(sum(counts.values()), 1)
    bars = go.Bar(
        y=shown, x=[counts[name] for name in shown], orientation="h", customdata=shown,
        text=[f"{counts[name]:,}" for name in shown], textposition="outside", cliponaxis=False,
        hovertext=[f"{name}: {plural(counts[name], 'object')}, {counts[name] / whole:.1%}" for name in shown],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "color": [
                with_alpha(category_color(places[name]), 1 if chosen in (None, name) else 0.35) for name in shown
            ],
            "line": {"width": 0},
        },
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip
    figure = calm(go.Figure(bars), x="objects", height=max(_HEAD + _ROW * len(shown), _HEIGHT))
    figure.update_yaxes(autorange="reversed", showgrid=False, ticklabelstandoff=6, type="category")
    figure.update_layout(margin={"r": 40})
    return figure


def per_image_figure(counts: Sequence[int]) -> go.Figure:
    """How many images hold 0, 1, 2, ... objects; those without any are grey.

    Args:
        counts: objects on each image.
    """
    highest = max(counts, default=0)
    step = max(1, -(-(highest + 1) // _BINS))
    binned = (
        np.bincount(np.asarray(counts, dtype=np.int64) // step, minlength=1) if len(counts) else np.zeros(1)
    )
    starts = np.arange(len(binned)) * step
    names = [str(start) if step == 1 else f"{start}–{start + step - 1}" for start in starts]
    bars = go.Bar(
        x=starts + (step - 1) / 2, y=binned, width=0.85 * step,
        marker={"color": [GREY if start == 0 and step == 1 else ACCENT for start in starts], "line": {"width": 0}},
        hovertext=[f"{plural(int(n), 'image')} with {name} objects" for n, name in zip(binned, names, strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
    return calm(go.Figure(bars), x="objects on an image", y="images", height=_HEIGHT)


def extents_figure(
    extents: Tensor, levels: Sequence[Tensor] = (), near: Tensor | None = None, *, frame: str
) -> go.Figure:
    """Width against height of every object, on logarithmic axes, with the anchors of each level laid over.

    Args:
        extents: [n, 2].
        levels: the anchors' shapes.
        near: bool [n], whether an anchor fits; None draws all objects alike.
        frame: of the axes, such as `network`.
    """
    step = max(1, -(-len(extents) // MOST_POINTS))
    thinned, fits = extents[::step], None if near is None else near[::step]
    figure = go.Figure()
    parts = [(None, "objects", ACCENT)] if fits is None else [
        (fits, _NEAR_WORDS[0], ACCENT), (~fits, _NEAR_WORDS[1], LOST)
    ]  # fmt: skip
    for mask, name, color in parts:
        figure.add_trace(_object_points(thinned if mask is None else thinned[mask], name, color))
    for level, shapes in enumerate(levels):
        figure.add_trace(_anchor_marks(level, shapes))
    calm(figure, x=f"width, px ({frame} frame)", y=f"height, px ({frame} frame)", height=420)
    figure.update_xaxes(type="log", **_ticks())
    figure.update_yaxes(type="log", **_ticks())
    figure.update_layout(showlegend=bool(levels), legend=_LEGEND, margin={"t": 8})
    return figure


def sides_figure(extents: Tensor, sizes: Sequence[Sequence[float]] = (), *, frame: str) -> go.Figure:
    """Square roots of the objects' areas, as a histogram with logarithmic bins; a line for each anchor size.

    Args:
        extents: [n, 2].
        sizes: side of the anchors of each level, px.
        frame: of the axis.
    """
    figure = _log_histogram(extents.prod(dim=1).sqrt(), "√area %{x:.3g} px")
    for level, sides in enumerate(sizes):
        for side in sides:
            figure.add_vline(side, line={"color": level_color(level), "width": 2, "dash": "dash"})
    return calm(figure, x=f"√area, px ({frame} frame)", y="objects", height=_HEIGHT)


def ratios_figure(extents: Tensor, ratios: Sequence[float] = ()) -> go.Figure:
    """Height / width of the objects, as a histogram with logarithmic bins; a line for each anchor ratio.

    Args:
        extents: [n, 2].
        ratios: height / width of the anchors.
    """
    figure = _log_histogram(extents[:, 0] / extents[:, 1], "height / width %{x:.2f}")
    for ratio in ratios:
        figure.add_vline(ratio, line={"color": SELECTED, "width": 2, "dash": "dash"})
    return calm(figure, x="height / width", y="objects", height=_HEIGHT)


_LEGEND = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "itemsizing": "constant"}


def _object_points(extents: Tensor, name: str, color: str) -> go.Scatter:
    # Not Scattergl: that one writes code while it runs, which the pages forbid (viz_app/headers.py).
    heights, widths = extents.unbind(dim=1)
    return go.Scatter(
        x=widths.numpy(), y=heights.numpy(), mode="markers", name=name,
        marker={"size": 5, "color": with_alpha(color, 0.8), "line": {"width": 0}},
        hovertemplate=f"{as_text(name)}<br>%{{x:.0f}} × %{{y:.0f}} px<extra></extra>",
    )  # fmt: skip


def _anchor_marks(level: int, shapes: Tensor) -> go.Scatter:
    heights, widths = shapes.unbind(dim=1)
    return go.Scatter(
        x=widths.numpy(), y=heights.numpy(), mode="markers", name=f"anchors, level {level}",
        marker={"symbol": "square-open", "size": 11, "color": level_color(level), "line": {"width": 2.5}},
        hovertemplate=f"anchor of level {level}<br>%{{x:.0f}} × %{{y:.0f}} px<extra></extra>",
    )  # fmt: skip


def _log_histogram(values: Tensor, words: str) -> go.Figure:
    """Bins of one width on a logarithmic axis."""
    logs = values.double().log10()
    if len(logs) == 0:
        return go.Figure(go.Bar(x=[], y=[]))
    low, high = (float(end) for end in logs.aminmax())
    low, high = (low - 0.05, high + 0.05) if high - low < 0.1 else (low, high)
    counts, edges = np.histogram(logs.numpy(), bins=_BINS, range=(low, high))
    starts, ends = 10 ** edges[:-1], 10 ** edges[1:]
    bars = go.Bar(
        x=np.sqrt(starts * ends), y=counts, width=(ends - starts) * 0.92,
        marker={"color": ACCENT, "line": {"width": 0}},
        hovertemplate=f"{words}<br>%{{y:,}} objects<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(bars)
    figure.update_xaxes(type="log", **_ticks())
    return figure


def _ticks() -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of each power of ten, written out."""
    return {"dtick": "D2", "tickformat": "~g", "minor": {"showgrid": False}}
