"""D2: the lost objects of a data set by the five mechanisms of Miller et al. 2022."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from detector.explaining.verdicts import Mechanism
from viz_app.figures.charts import calm
from viz_app.figures.palette import LOST, with_alpha
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

MECHANISM_WORDS = {
    Mechanism.PROPOSAL: "no proposal covers it",
    Mechanism.REGRESSOR: "its refined box is off",
    Mechanism.INTERCLASS: "another class wins",
    Mechanism.BACKGROUND: "background wins",
    Mechanism.CALIBRATION: "a filter of the box head drops it",
}
"""What each mechanism means, in a few words."""


def mechanisms_figure(counts: Mapping[str, int], chosen: str | None = None, height: int = 220) -> go.Figure:
    """How many objects each mechanism lost; `customdata` of a bar is the mechanism.

    Args:
        counts: lost objects by mechanism; one that is missing lost none.
        chosen: the mechanism that is looked at; the others step back.
        height: in screen pixels.
    """
    names = [mechanism.value for mechanism in Mechanism]
    lost = [counts.get(name, 0) for name in names]
    return ranked_bars(
        names,
        lost,
        texts=[f"{count:,}" for count in lost],
        hover=[
            f"{name}: {plural(count, 'object')} lost; {MECHANISM_WORDS[Mechanism(name)]}"
            for name, count in zip(names, lost, strict=True)
        ],
        color=LOST,
        chosen=chosen,
        title="lost objects",
        height=height,
    )


def ranked_bars(
    names: list[str],
    values: list[float] | list[int],
    *,
    texts: list[str],
    hover: list[str],
    color: str,
    chosen: str | None,
    title: str,
    height: int,
    keys: list[str] | None = None,
) -> go.Figure:
    """Horizontal bars in the given order, each with its number behind it and a click area over its whole row.

    Args:
        names: of the rows, first one on top.
        values: lengths; those below zero reach to the left.
        texts: behind the bars.
        hover: under the pointer.
        color: `#RRGGBB`.
        chosen: key of the row that is looked at; the others step back.
        title: of the axis, with its unit.
        height: in screen pixels.
        keys: `customdata` of each row, the names by default; an empty one answers no click.
    """
    keys = keys or names
    low, high = min(0.0, *values, 0.0), max(*values, 0.0, 0.0)
    room = ((high - low) or 1.0) * max(0.16, 0.04 * max(map(len, texts)))
    ends = (low - (room if low < 0 else 0.0), high + room)
    faded = [with_alpha(color, 0.35) if chosen not in (None, key) else color for key in keys]
    still = {
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
        "orientation": "h",
    }
    figure = go.Figure(
        [
            go.Bar(
                y=names, x=values, text=texts, textposition="outside", cliponaxis=False, hoverinfo="skip",
                marker={"color": faded, "line": {"width": 0}}, width=0.6, **still,
            ),
            # A bar of no length is looked at, too: the area over the row answers the pointer.
            go.Bar(
                y=names, x=[ends[1] - ends[0]] * len(names), base=[ends[0]] * len(names), width=0.96,
                customdata=keys, hovertext=hover, hovertemplate="%{hovertext}<extra></extra>",
                marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}}, **still,
            ),
        ]
    )  # fmt: skip
    calm(figure, x=title, height=height)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=list(ends), nticks=5)
    figure.update_yaxes(autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return figure
