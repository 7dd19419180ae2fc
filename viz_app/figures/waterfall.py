"""D1: how a data set's recall falls from rung to rung, as a whole and by group.

Shares are of the objects that are no crowd region. Every click area carries in its `customdata` what it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from detector.explaining.rungs import Rung
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, FOUND, LOST, with_alpha
from viz_app.figures.words import plural, rung_name

if TYPE_CHECKING:
    from detector.judging.summary import Fall, Group

MOST_GROUPS = 24
_ALL, _END = "All", "Found"
_CLEAR, _EDGE = "rgba(0,0,0,0)", "rgba(255,255,255,0.6)"
_ROWS, _HEAD, _TALL = (26, 54), 82, 300
# From the first rung to the last: the deeper in the network, the darker; yellow, red, then violet, so that two
# rungs beside each other can be told apart.
_RUNG_COLORS = (
    "#FBE0A0", "#F8C97C", "#F4B05F", "#EF964A", "#E77B3F", "#DC5F3C",
    "#CB4242", "#C0282D", "#8E2060", "#68307E", "#3F2A6E",
)  # fmt: skip


def rung_color(rung: str) -> str:
    """Colour of a rung where objects are lost, `#RRGGBB`."""
    return _RUNG_COLORS[Rung[rung]]


def waterfall_figure(group: Group, chosen: str | None = None, height: int = 380) -> go.Figure:
    """The objects, what each rung loses of them, and what is found in the end.

    The axis begins near the lowest step, so that small losses can be seen: heights of the red blocks compare,
    and no bar stands on the ground. `customdata` of the last trace is the rung under each click area.

    Args:
        group: the objects, at least one.
        chosen: a rung that is looked at; its column is marked.
        height: in screen pixels.
    """
    total, low = group.objects, _low(group)
    names = [_ALL, *(_wrapped(rung_name(fall.rung)) for fall in group.waterfall), _END]
    left = [100 * fall.left / total for fall in group.waterfall]
    figure = go.Figure(
        [
            _stairs(names, [100.0, *left, 100 * group.found / total]),
            _losses(names, group.waterfall, total),
            _ends(names, group),
            _areas(names, group, low),
        ]
    )
    if chosen in [fall.rung for fall in group.waterfall]:
        place = [fall.rung for fall in group.waterfall].index(chosen or "") + 1
        figure.add_vrect(
            place - 0.46, place + 0.46, fillcolor=with_alpha(LOST, 0.10), line_width=0, layer="below"
        )
    calm(figure, y="recall, %", height=height)
    figure.update_layout(barmode="overlay", margin={"t": 22})
    figure.update_xaxes(
        showgrid=False, tickangle=0, tickfont={"size": 10}, categoryorder="array", categoryarray=names
    )
    figure.update_yaxes(range=[low, 100 + 0.07 * (100 - low)])
    return figure


def groups_figure(groups: Mapping[str, Group], chosen: tuple[str, str] | None = None) -> go.Figure:
    """Each group as a row: the share found, then what each rung lost; the lowest recall on top.

    `customdata` of each segment is (group, rung), and (group, FOUND) for the share that was found.

    Args:
        groups: by name; those without objects are left out, and of many the `MOST_GROUPS` of lowest recall stay.
        chosen: (group, rung) that is looked at.
    """
    rows = worst_first(groups)
    rungs = [fall.rung for fall in next(iter(rows.values())).waterfall] if rows else []
    lost = {name: {fall.rung: fall.lost for fall in group.waterfall} for name, group in rows.items()}
    shown = [rung for rung in rungs if any(of[rung] for of in lost.values())]
    figure = go.Figure(
        [_segments(rows, Rung.FOUND.name, {name: group.found for name, group in rows.items()}, chosen)]
    )
    for rung in shown:
        figure.add_trace(_segments(rows, rung, {name: lost[name][rung] for name in rows}, chosen))
    row = min(max(_TALL // max(len(rows), 1), _ROWS[0]), _ROWS[1])
    calm(figure, x="share of the objects, %", height=_HEAD + row * len(rows))
    figure.update_layout(
        barmode="stack", bargap=0.35, showlegend=True, margin={"t": 8},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
    )  # fmt: skip
    figure.update_xaxes(range=[0, 101], tickvals=[0, 20, 40, 60, 80, 100])
    figure.update_yaxes(autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return figure


def worst_first(groups: Mapping[str, Group]) -> dict[str, Group]:
    """Groups that hold objects, those of the lowest recall first, at most `MOST_GROUPS`."""
    known = [(name, group) for name, group in groups.items() if group.objects]
    known.sort(key=lambda item: item[1].found / item[1].objects)
    return dict(known[:MOST_GROUPS])


def _segments(
    rows: Mapping[str, Group], rung: str, counts: Mapping[str, int], chosen: tuple[str, str] | None
) -> go.Bar:
    found = rung == Rung.FOUND.name
    color = with_alpha(FOUND, 0.30) if found else rung_color(rung)
    edges = [(2.5, ACCENT) if chosen == (name, rung) else (1, _EDGE) for name in rows]
    return go.Bar(
        # The share found stands before the bar: letters on it would be hard to read in one of the themes.
        y=[f"{name} · {group.found / group.objects:.0%} of {group.objects:,}" for name, group in rows.items()],
        x=[100 * counts[name] / group.objects for name, group in rows.items()],
        orientation="h",
        name=rung_name(rung),
        customdata=[[name, rung] for name in rows],
        hovertext=[_segment_words(name, rung, counts[name], group) for name, group in rows.items()],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "color": color,
            "line": {"width": [width for width, _ in edges], "color": [edge for _, edge in edges]},
        },
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _segment_words(name: str, rung: str, count: int, group: Group) -> str:
    what = "found" if rung == Rung.FOUND.name else f"lost at {rung_name(rung)}"
    return f"{name}: {count:,} of {plural(group.objects, 'object')} {what} ({count / group.objects:.1%})"


def _stairs(names: Sequence[str], shares: Sequence[float]) -> go.Scatter:
    return go.Scatter(
        x=names,
        y=shares,
        mode="lines",
        line={"shape": "hvh", "color": ACCENT, "width": 2.5},
        hoverinfo="skip",
    )


def _losses(names: Sequence[str], falls: Sequence[Fall], total: int) -> go.Bar:
    """A block for each rung, from what is left up to what came."""
    return go.Bar(
        x=names[1:-1],
        base=[100 * fall.left / total for fall in falls],
        y=[100 * fall.lost / total for fall in falls],
        text=[f"−{fall.lost:,}" if fall.lost else "" for fall in falls],
        textposition="outside", cliponaxis=False, hoverinfo="skip",
        textfont={"color": LOST, "size": 13}, width=0.62, marker={"color": LOST, "line": {"width": 0}},
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _ends(names: Sequence[str], group: Group) -> go.Scatter:
    """A dot on either end of the stairs, with its count."""
    share = 100 * group.found / group.objects
    return go.Scatter(
        x=[names[0], names[-1]], y=[100, share], mode="markers+text", cliponaxis=False, hoverinfo="skip",
        text=[f"<b>{group.objects:,}</b>", f"<b>{group.found:,}</b>"], textposition="top center",
        marker={"size": 11, "color": [ACCENT, FOUND]},
    )  # fmt: skip


def _areas(names: Sequence[str], group: Group, low: float) -> go.Bar:
    """A clear column over each step, which answers the pointer: a loss may be a hair high."""
    words = [f"{plural(group.objects, 'object')}"]
    words += [
        f"{rung_name(fall.rung)}: {fall.lost:,} of {group.objects:,} lost ({fall.lost / group.objects:.1%}), "
        f"{fall.left:,} left"
        for fall in group.waterfall
    ]
    words.append(f"{group.found:,} of {group.objects:,} found ({group.found / group.objects:.1%})")
    rungs = ["", *(fall.rung if fall.lost else "" for fall in group.waterfall), Rung.FOUND.name]
    return go.Bar(
        x=names, base=[low] * len(names), y=[100 - low] * len(names), width=0.96, customdata=rungs,
        hovertext=words, hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": _CLEAR, "line": {"width": 0}},
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _low(group: Group) -> float:
    """Lower end of the axis in percent: a fifth of the whole fall below its end, and never below zero."""
    fall = 100 * (1 - group.found / group.objects)
    return max(0.0, 100 - 1.25 * max(fall, 4.0))


def _wrapped(name: str) -> str:
    return name.replace(" ", "<br>")
