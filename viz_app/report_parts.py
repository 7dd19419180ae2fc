"""Small pieces of a report as HTML: cards, facts, tables, charts as SVG. Every text given is escaped here."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDE, _TALL = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 10, 34


class Trusted(str):
    """HTML that was made here, and is not escaped again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    Args:
        name: for the legend; left out of it where it is empty.
        color: of the line, `#RRGGBB`.
        points: (x, y), both from 0 to 1.
        width: screen pixels.
        dash: SVG's dash pattern; solid when empty.
    """

    name: str
    color: str
    points: Sequence[tuple[float, float]]
    width: float = 2.0
    dash: str = ""


def text(value: str) -> str:
    """As HTML: escaped, unless it was made here."""
    return value if isinstance(value, Trusted) else escape(value)


def card(title: str, body: str, lead: str = "") -> Trusted:
    """A section with its title, and a sentence beneath it; `body` is trusted."""
    said = f'<p class="lead">{text(lead)}</p>' if lead else ""
    return Trusted(f'<section class="card"><h2>{text(title)}</h2>{said}{body}</section>')


def two(left: str, right: str) -> Trusted:
    """Two cards beside each other."""
    return Trusted(f'<div class="two">{left}{right}</div>')


def facts(pairs: Sequence[tuple[str, str]]) -> Trusted:
    """Numbers with their names, large."""
    tiles = "".join(
        f'<div class="fact"><b>{text(value)}</b><span>{text(name)}</span></div>' for name, value in pairs
    )
    return Trusted(f'<div class="facts">{tiles}</div>')


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> Trusted:
    """A table; its first `texts` columns are words and stand left, the others numbers and stand right."""
    kinds = ['class="text"' if place < texts else "" for place in range(len(heads))]
    head = "".join(f"<th {kind}>{text(name)}</th>" for kind, name in zip(kinds, heads, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td {kind}>{text(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return Trusted(
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def meter(value: float | None) -> Trusted:
    """A number from 0 to 1 with a bar as long; a dash where there is none."""
    if value is None:
        return Trusted("–")
    return Trusted(f'<span class="meter"><i style="width:{100 * value:.1f}%"></i></span>{value:.3f}')


def number(value: float | None) -> str:
    """Three decimals, or a dash where there is nothing to average over."""
    return "–" if value is None else f"{value:.3f}"


def line_chart(lines: Sequence[Line], x: str, y: str, *, beneath: str = "") -> Trusted:
    """Lines over a unit square, with a legend.

    Args:
        lines: drawn in this order.
        x, y: names of the axes.
        beneath: SVG beneath the lines, trusted; see `place`.
    """
    paths = "".join(
        f'<path d="M{" ".join("{:.1f},{:.1f}".format(*place(*point)) for point in one.points)}" '
        f'stroke="{escape(one.color)}" stroke-width="{one.width:g}" stroke-dasharray="{escape(one.dash)}">'
        f"<title>{text(one.name)}</title></path>"
        for one in lines
        if one.points
    )
    names = "".join(
        f'<span><i style="border-color:{escape(one.color)};border-style:{_style(one)}"></i>{text(one.name)}</span>'
        for one in lines
        if one.name
    )
    legend = f'<div class="legend">{names}</div>' if names else ""
    drawing = f"{_axes(x, y)}{beneath}{paths}"
    return Trusted(
        f'<svg class="chart" viewBox="0 0 {_WIDE} {_TALL}" role="img" aria-label="{escape(y)} against {escape(x)}">'
        f"{drawing}</svg>{legend}"
    )


def place(x: float, y: float) -> tuple[float, float]:
    """Where a point of the unit square lies in the drawing, px."""
    return _LEFT + x * (_WIDE - _LEFT - _RIGHT), _TOP + (1 - y) * (_TALL - _TOP - _BOTTOM)


def _style(line: Line) -> str:
    """CSS's word for the dashes of a line."""
    if not line.dash:
        return "solid"
    return "dotted" if float(line.dash.split()[0]) <= line.width else "dashed"


def _axes(x: str, y: str) -> str:
    (left, bottom), (right, _) = place(0, 0), place(1, 1)
    parts = []
    for step in range(6):
        value = step / 5
        across, down = place(value, value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{down:.1f}" y2="{down:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{down + 4:.1f}" text-anchor="end">{value:g}</text>')
        parts.append(f'<text x="{across:.1f}" y="{bottom + 15}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{right}" y="{_TALL - 4}" text-anchor="end">{escape(x)}</text>')
    parts.append(f'<text x="{left + 4}" y="{_TOP + 10}">{escape(y)}</text>')
    return "".join(parts)
