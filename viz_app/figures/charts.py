"""What all charts share: tight margins, a transparent ground for light and dark, units on both axes."""

from __future__ import annotations

import plotly.graph_objects as go

GRID = "rgba(128,128,128,0.18)"


def calm(figure: go.Figure, *, x: str = "", y: str = "", height: int = 260) -> go.Figure:
    """Give a chart the app's looks, in place, and return it.

    Args:
        figure: a chart with plain x and y axes.
        x, y: axis titles with their unit.
        height: in screen pixels.
    """
    figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False, bargap=0.25,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", hovermode="closest",
    )  # fmt: skip
    figure.update_xaxes(title=x or None, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title=y or None, gridcolor=GRID, zeroline=False, automargin=True)
    return figure
