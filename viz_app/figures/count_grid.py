"""A grid of cells with numbers, in which every whole cell answers the pointer and a click.

A heat map gives no click of its own in Streamlit: clear bars lie over it, a bar to a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, GREY, SELECTED, with_alpha

CELLS = "cells"
"""Name of the trace whose bars answer a click; `customdata` of a bar is the key of its cell."""
_STRONG = 0.5
_CLEAR = "rgba(0,0,0,0)"
_HEAD = 64


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One cell.

    Args:
        text: what stands in it.
        hover: what the pointer says.
        shade: from 0, pale, to 1, full; None where the cell is empty.
        key: what a click on it gives; without one it answers none.
        hue: its colour, an index of the grid's colours.
    """

    text: str
    hover: str
    shade: float | None
    key: str = ""
    hue: int = 0


def grid_figure(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    chosen: str | None = None,
    colors: Sequence[str] = (ACCENT,),
    x: str = "",
    y: str = "",
    row_height: int = 32,
) -> go.Figure:
    """Draw the cells, first row on top.

    Args:
        rows, columns: names.
        cells: a sequence of cells for each row.
        chosen: key of the cell that is framed.
        colors: `#RRGGBB`, told apart by the cells' hues.
        x, y: titles of the axes.
        row_height: in screen pixels.
    """
    figure = go.Figure([_heat(cells, hue, color) for hue, color in enumerate(colors)])
    figure.add_traces([_texts(cells, strong=False), _texts(cells, strong=True), _areas(cells)])
    calm(figure, x=x, y=y, height=_HEAD + row_height * len(rows) + (24 if x else 0))
    # The button that saves the chart stands in the corner.
    figure.update_layout(barmode="overlay", bargap=0, margin={"t": 30, "r": 34})
    places = list(range(len(columns)))
    figure.update_xaxes(
        showgrid=False, tickvals=places, ticktext=[_short(name) for name in columns], side="top",
        range=[-0.5, len(columns) - 0.5], tickangle=0 if len(columns) <= 10 else -40,
    )  # fmt: skip
    figure.update_yaxes(
        showgrid=False, tickvals=list(range(len(rows))), ticktext=[_short(name, 26) for name in rows],
        range=[len(rows) - 0.5, -0.5], ticklabelstandoff=6,
    )  # fmt: skip
    for row, line in enumerate(cells):
        for column, cell in enumerate(line):
            if chosen and cell.key == chosen:
                _frame(figure, row, column)
    return figure


def _heat(cells: Sequence[Sequence[Cell]], hue: int, color: str) -> go.Heatmap:
    z = [[np.nan if cell.shade is None or cell.hue != hue else cell.shade for cell in line] for line in cells]
    return go.Heatmap(
        z=z, zmin=0, zmax=1, xgap=2, ygap=2, hoverinfo="skip", showscale=False,
        colorscale=[[0, with_alpha(color, 0.05)], [1, with_alpha(color, 0.95)]],
    )  # fmt: skip


def _texts(cells: Sequence[Sequence[Cell]], *, strong: bool) -> go.Scatter:
    """Numbers on pale cells in grey, on strong ones in white: both read on a light page and on a dark one."""
    places = [
        (column, row, cell.text)
        for row, line in enumerate(cells)
        for column, cell in enumerate(line)
        if cell.text and bool((cell.shade or 0) >= _STRONG) is strong
    ]
    return go.Scatter(
        x=[place[0] for place in places], y=[place[1] for place in places], mode="text",
        text=[place[2] for place in places], hoverinfo="skip",
        textfont={"size": 12, "color": "#FFFFFF" if strong else GREY},
    )  # fmt: skip


def _areas(cells: Sequence[Sequence[Cell]]) -> go.Bar:
    known = [
        (column, row, cell)
        for row, line in enumerate(cells)
        for column, cell in enumerate(line)
        if cell.hover
    ]
    return go.Bar(
        x=[column for column, _, _ in known], base=[row - 0.48 for _, row, _ in known], y=[0.96] * len(known),
        width=0.96, customdata=[cell.key for *_, cell in known], hovertext=[cell.hover for *_, cell in known],
        hovertemplate="%{hovertext}<extra></extra>", name=CELLS,
        marker={"color": _CLEAR, "line": {"width": 0}},
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _frame(figure: go.Figure, row: int, column: int) -> None:
    figure.add_shape(
        type="rect", x0=column - 0.48, x1=column + 0.48, y0=row - 0.46, y1=row + 0.46,
        line={"color": SELECTED, "width": 3},
    )  # fmt: skip


def _short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
