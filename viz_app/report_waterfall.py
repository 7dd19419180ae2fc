"""The waterfall of a report: a row for each rung, blue for what is left, red for what the rung loses."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from viz_app.figures.words import rung_name
from viz_app.report_parts import Trusted

if TYPE_CHECKING:
    from detector.judging.summary import Fall, Summary

_HEAD = (
    '<div class="fall head"><span></span><span></span><span>objects</span><span>share</span>'
    '<span title="what AP would gain if this rung lost nothing">AP at stake</span></div>'
)


def waterfall_html(summary: Summary) -> Trusted:
    """All objects, what each rung loses of them, and what is found; a rung that loses some narrows the gallery."""
    gains = {gain.rung: gain.gain for gain in summary.oracle}
    low = _low(summary)
    rows = [_HEAD, _end("All", summary.objects, summary.objects, low)]
    rows += [_fall(fall, summary.objects, gains.get(fall.rung), low) for fall in summary.waterfall]
    rows.append(_end("Found", summary.found, summary.objects, low, found=True))
    return Trusted(f'<div class="falls">{"".join(rows)}</div>')


def waterfall_lead(summary: Summary) -> str:
    """How it is read, and where its bars begin."""
    low = _low(summary)
    begin = f" Bars begin at {low:.0%} of the objects, so that small losses can be seen." if low else ""
    return f"Every object climbs these rungs; a rung takes some away in red.{begin} Click one to see what it lost."


def _low(summary: Summary) -> float:
    """Where bars begin: a fifth below the lowest one, so that small losses can be seen."""
    lost = 1 - summary.found / summary.objects
    return max(0.0, round(1 - 1.25 * max(lost, 0.04), 2))


def _fall(fall: Fall, objects: int, gain: float | None, low: float) -> str:
    name = escape(rung_name(fall.rung))
    left, before = (_place(count / objects, low) for count in (fall.left, fall.left + fall.lost))
    track = f'<span class="track"><i style="width:{left:.2f}%"></i>'
    if not fall.lost:
        empty = "<span></span>" * 3
        return f'<div class="fall"><span class="none">{name}</span>{track}</span>{empty}</div>'
    track += f'<u style="left:{left:.2f}%;width:{before - left:.2f}%"></u></span>'
    cost = "" if gain is None else f"{gain:+.3f}"
    return (
        f'<button type="button" class="fall" data-narrow="{escape(fall.rung)}" aria-pressed="false" '
        f'title="show what was lost here"><span>{name}</span>{track}<span class="lost">−{fall.lost:,}</span>'
        f"<span>{fall.lost / objects:.1%}</span><span>{cost}</span></button>"
    )


def _end(name: str, count: int, objects: int, low: float, *, found: bool = False) -> str:
    kind = " end" if found else ""
    bar = f'<span class="track"><i style="width:{_place(count / objects, low):.2f}%"></i></span>'
    return (
        f'<div class="fall{kind}"><span><b>{name}</b></span>{bar}<span><b>{count:,}</b></span>'
        f"<span>{count / objects:.1%}</span><span></span></div>"
    )


def _place(share: float, low: float) -> float:
    """Percent of the track."""
    return 100 * max(0.0, share - low) / (1 - low)
