"""Activations of every stage of a backbone: histograms and shares, and all channels of one cell.

Shapes: `C` channels, (h, w) cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

from detector.tracing.activations import ActivationStatistics, activation_statistics
from viz_app.figures.backbone_maps import NamedMap
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, GREEN, SELECTED
from viz_app.figures.words import shape_words

_BINS = 40
_PART_COLOR = {"body": GREEN, "pyramid": ACCENT}


def all_statistics(maps: Sequence[NamedMap]) -> list[ActivationStatistics]:
    """The numbers of each map."""
    return [activation_statistics(one.values) for one in maps]


def activation_table(maps: Sequence[NamedMap], numbers: Sequence[ActivationStatistics]) -> pd.DataFrame:
    """One row for each map; shares are 0 to 1."""
    return pd.DataFrame(
        [
            {
                "map": one.label,
                "shape": shape_words(number.shape),
                "stride, px": max(one.stride),
                "lowest": number.low,
                "mean": number.mean,
                "highest": number.high,
                "zeros": number.zeros,
                "dead channels": number.dead,
                "saturated": number.saturated,
                "not finite": number.non_finite,
            }
            for one, number in zip(maps, numbers, strict=True)
        ]
    )


def activation_histograms(maps: Sequence[NamedMap], numbers: Sequence[ActivationStatistics]) -> go.Figure:
    """A small histogram for each map, share of the values (log) by activation, with dead and saturated shares."""
    parts = [[place for place, one in enumerate(maps) if one.part == part] for part in _PART_COLOR]
    grid = [part for part in parts if part]
    columns = max(map(len, grid))
    titles = [_title(maps, numbers, part, column) for part in grid for column in range(columns)]
    figure = make_subplots(
        len(grid),
        columns,
        subplot_titles=titles,
        horizontal_spacing=0.03,
        vertical_spacing=0.4 / len(grid),
        shared_yaxes=True,
    )
    for row, part in enumerate(grid, 1):
        for column, place in enumerate(part, 1):
            figure.add_trace(_bars(maps[place]), row=row, col=column)
    calm(figure, height=220 * len(grid) + 40)
    figure.update_layout(bargap=0, margin={"l": 8, "r": 8, "t": 52, "b": 8})
    figure.update_yaxes(type="log", tickformat=".4~%", dtick=2, matches="y", tickfont={"size": 10})
    figure.update_xaxes(nticks=5, tickfont={"size": 10})
    figure.update_yaxes(title="share (log)", col=1)
    figure.update_xaxes(title="activation", row=len(grid))
    figure.update_annotations(font={"size": 12})
    return figure


def _title(
    maps: Sequence[NamedMap], numbers: Sequence[ActivationStatistics], part: list[int], column: int
) -> str:
    if column >= len(part):
        return ""
    number = numbers[part[column]]
    return f"<b>{maps[part[column]].label}</b><br>dead {number.dead:.1%}<br>saturated {number.saturated:.2%}"


def _bars(one: NamedMap) -> go.Bar:
    middles, shares, width = _shares(one.values)
    return go.Bar(
        x=middles, y=shares, width=width, name=one.label,
        marker={"color": _PART_COLOR[one.part], "line": {"width": 0}},
        hovertemplate=f"{one.label}<br>activation %{{x:.3g}}<br>%{{y:.3%}} of the values<extra></extra>",
    )  # fmt: skip


def _shares(maps: Tensor) -> tuple[np.ndarray, np.ndarray, float]:
    """Middle of each bin, share of all values in it, and the bins' width."""
    values = maps.detach().float().cpu().flatten()
    finite = values[torch.isfinite(values)]
    if len(finite) == 0:
        return np.zeros(0), np.zeros(0), 1.0
    low, high = (float(end) for end in finite.aminmax())
    high = high if high > low else low + 1.0
    edges = np.linspace(low, high, _BINS + 1)
    shares = torch.histc(finite, _BINS, low, high).numpy() / len(values)
    return (edges[:-1] + edges[1:]) / 2, shares, float(edges[1] - edges[0])


def cell_values_figure(
    maps: Tensor, cell: tuple[int, int], channel: int | None = None, *, height: int = 190
) -> go.Figure:
    """What every channel of float [C, h, w] says at a cell (y, x); the chosen channel stands out."""
    values = maps[:, cell[0], cell[1]].detach().float().cpu().numpy()
    colors = [SELECTED if index == channel else ACCENT for index in range(len(values))]
    bars = go.Bar(
        x=np.arange(len(values)), y=values, marker={"color": colors, "line": {"width": 0}},
        hovertemplate="channel %{x}<br>activation %{y:.4g}<extra></extra>",
    )  # fmt: skip
    figure = calm(go.Figure(bars), x="channel", y="activation", height=height)
    figure.update_layout(bargap=0)
    return figure
