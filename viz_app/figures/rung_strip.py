"""P3: objects by epochs: in which rung each object of a probe image was lost, or that it was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from detector.explaining.rungs import Rung
from viz_app.figures.charts import calm
from viz_app.figures.epoch_curves import epoch_name
from viz_app.figures.palette import ACCENT, FOUND, with_alpha
from viz_app.figures.waterfall import rung_color
from viz_app.figures.words import plural, rung_name

if TYPE_CHECKING:
    from viz_app.figures.probe_pictures import ProbeGlance

_ROW, _HEAD = 27, 96


def rung_strip(glances: Sequence[ProbeGlance], chosen: int | None = None) -> go.Figure:
    """Objects by epochs: a square for each, green where the object was found, else in the colour of its rung.

    `customdata` of the last trace, of clear markers that answer clicks, is the epoch of each square.

    Args:
        glances: of one image, in order.
        chosen: an epoch whose column is marked.
    """
    epochs = [glance.epoch for glance in glances]
    names = _object_names(glances)
    figure = go.Figure([_squares(glances, list(names)), *_legend(glances), _clicks(glances, names)])
    if chosen in epochs:
        place = epochs.index(chosen)
        figure.add_vrect(
            place - 0.5, place + 0.5, line={"color": ACCENT, "width": 3}, fillcolor="rgba(0,0,0,0)"
        )
    calm(figure, x="epochs done", height=_HEAD + _ROW * max(len(names), 2))
    step = max(1, round(len(epochs) / 14))
    ticks = list(range(0, len(epochs), step))
    figure.update_xaxes(
        tickvals=ticks, ticktext=[epoch_name(epochs[tick]) for tick in ticks], showgrid=False,
        range=[-0.52, len(epochs) - 0.48],
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=list(names.values()), showgrid=False,
        range=[len(names) - 0.48, -0.52],
    )  # fmt: skip
    figure.update_layout(
        showlegend=True, margin={"t": 40}, clickmode="event+select", dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def rung_words(glances: Sequence[ProbeGlance]) -> str:
    """How many objects are found at the first and at the last of the glances."""
    first, last = (sum(rung is Rung.FOUND for rung in glances[place].rungs.values()) for place in (0, -1))
    total = plural(len(glances[-1].rungs), "object")
    after = f"after epoch {epoch_name(glances[-1].epoch)}" if glances[-1].epoch >= 0 else "before training"
    if len(glances) == 1:
        return f"{last} of {total} found {after}."
    before = "at the start" if glances[0].epoch < 0 else f"after epoch {epoch_name(glances[0].epoch)}"
    return f"{first} of {total} found {before}, {last} {after}."


def _object_names(glances: Sequence[ProbeGlance]) -> dict[int, str]:
    return {index: name for glance in glances for index, name in glance.names.items()}


def _color(rung: Rung) -> str:
    return FOUND if rung is Rung.FOUND else rung_color(rung.name)


def _squares(glances: Sequence[ProbeGlance], objects: Sequence[int]) -> go.Heatmap:
    """Each rung as a number, with a scale of twelve flat colours."""
    values = [[glance.rungs.get(index) for glance in glances] for index in objects]
    count = len(Rung)
    scale = [
        (edge / count, _color(rung)) for rung in Rung for edge in (int(rung), int(rung) + 1)
    ]  # each colour from its lower to its upper edge
    return go.Heatmap(
        z=[[None if rung is None else int(rung) for rung in row] for row in values],
        zmin=-0.5, zmax=count - 0.5, colorscale=scale, showscale=False, xgap=2, ygap=2, hoverinfo="skip",
    )  # fmt: skip


def _legend(glances: Sequence[ProbeGlance]) -> list[go.Scatter]:
    """Names of the colours that are there, the deepest first."""
    there = sorted({rung for glance in glances for rung in glance.rungs.values()}, reverse=True)
    return [
        go.Scatter(
            x=[None], y=[None], mode="markers", hoverinfo="skip", showlegend=True,
            name="found" if rung is Rung.FOUND else rung_name(rung.name),
            marker={"symbol": "square", "size": 12, "color": _color(rung)},
        )
        for rung in there
    ]  # fmt: skip


def _clicks(glances: Sequence[ProbeGlance], names: dict[int, str]) -> go.Scatter:
    places = [
        (x, y, glance, index)
        for y, index in enumerate(names)
        for x, glance in enumerate(glances)
        if index in glance.rungs
    ]
    texts = []
    for _, _, glance, index in places:
        rung = glance.rungs[index]
        fate = "found" if rung is Rung.FOUND else f"lost at {rung_name(rung.name)}"
        when = "before training" if glance.epoch < 0 else f"after epoch {epoch_name(glance.epoch)}"
        texts.append(f"{names[index]}, {when}: {fate}")
    clear = {"symbol": "square", "size": 24, "color": with_alpha(ACCENT, 0), "line": {"width": 0}}
    return go.Scatter(
        x=[x for x, *_ in places], y=[y for _, y, *_ in places], mode="markers", marker=clear,
        customdata=[glance.epoch for _, _, glance, _ in places], hovertext=texts, showlegend=False,
        hovertemplate="%{hovertext}<extra></extra>", selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
    )  # fmt: skip
