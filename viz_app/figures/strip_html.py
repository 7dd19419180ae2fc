"""The strip as HTML and SVG: self-contained markup, readable by eye, by screen reader and by a browser test.

Colours come from the theme's CSS variables where there are any (`strip.css`); every text is escaped.
"""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from pathlib import Path

from viz_app.figures.strip import Chip, LifeLine, Stage, Strip

CSS = Path(__file__).with_name("strip.css").read_text(encoding="utf-8")

_STAGES = len(Stage)
# Of the way from the last stage that has the object to the one that loses it; nearer for the last stage,
# where the reason has to stand between the cross and the edge.
_CROSS_AT = {False: 0.55, True: 0.2}
_START = 1.8
_LONG = 7
_MOST_NAMED = 2


def strip_html(strip: Strip, *, current: Collection[Stage] = (), clickable: Collection[Stage] = ()) -> str:
    """Draw a strip.

    Args:
        strip: the numbers.
        current: stages that the shown page is about; their chips are highlighted.
        clickable: stages that have a page; their chips are buttons.
    """
    chips = "".join(_chip(chip, chip.stage in current, chip.stage in clickable) for chip in strip.chips)
    parts = [f'<div class="chips">{chips}</div>']
    if strip.objects is not None:
        parts.append(f'<div class="alive" aria-hidden="true">{_alive(strip, strip.objects)}</div>')
    if strip.lines:
        lines = "".join(_line(line, why=bool(clickable)) for line in strip.lines)
        parts.append(f'<div class="lines">{lines}</div>')
    shape = "" if strip.lines else " bare"
    return (
        f'<section class="strip{shape}" aria-label="Stages of the detector">{"".join(parts)}'
        f'<p class="in-words">{escape(strip_text(strip))}</p></section>'
    )


def strip_text(strip: Strip) -> str:
    """The strip in words, for people who do not see it."""
    stages = "; ".join(f"{chip.title}: {chip.count} ({chip.note})" for chip in strip.chips)
    if strip.objects is None:
        return f"{stages}. No ground truth is known for this image."
    found = strip.chips[-1].alive or 0
    ends = [
        f"{line.label} lost at {_title(strip, line.lost_at)}: {line.ending}"
        for line in strip.lines
        if line.lost_at
    ]
    return f"{stages}. {found} of {strip.objects} objects found. {'. '.join(ends)}".strip()


def _title(strip: Strip, stage: Stage) -> str:
    return strip.chips[stage].title


def _chip(chip: Chip, current: bool, clickable: bool) -> str:
    state = ' aria-current="step"' if current else ""
    size = " long" if len(chip.count) > _LONG else ""
    inside = (
        f'<span class="title">{escape(chip.title)}</span>'
        f'<span class="count{size}">{escape(chip.count)}</span>'
        f'<span class="note">{escape(chip.note)}</span>'
    )
    loses = " loses" if chip.lost else ""
    attributes = f'class="chip{loses}" data-stage="{chip.stage.key}" title="{escape(chip.hint)}"{state}'
    inside += _lost_mark(chip)
    tag = "button" if clickable else "div"
    kind = ' type="button"' if clickable else ""
    return f'<div class="cell"><{tag}{kind} {attributes}>{inside}</{tag}></div>'


def _lost_mark(chip: Chip) -> str:
    """How many objects the stage loses, and which: by name where there is room for the names."""
    if not chip.lost:
        return ""
    named = " ".join(f"#{index}" for index in chip.lost)
    short = named if len(chip.lost) <= _MOST_NAMED else f"{len(chip.lost)} objects"
    return f'<span class="lost" title="lost here: {named}">lost {short}</span>'


def _alive(strip: Strip, objects: int) -> str:
    noun = "object" if objects == 1 else "objects"
    cells = []
    for chip in strip.chips:
        fewer = ' class="fewer"' if chip.alive != objects else ""
        lost = f' title="lost here: {", ".join(f"#{index}" for index in chip.lost)}"' if chip.lost else ""
        cells.append(f"<span{fewer}{lost}>{chip.alive} of {objects}<i> {noun}</i></span>")
    return "".join(cells)


def _line(line: LifeLine, *, why: bool) -> str:
    last = Stage.DETECTIONS if line.lost_at is None else Stage(line.lost_at - 1)
    drawing = [_segment(_START, _centre(last))]
    drawing += [_dot(_centre(stage)) for stage in Stage if stage <= last and stage < Stage.DETECTIONS]
    if line.lost_at is None:
        drawing.append(f'<circle class="end" cx="{_centre(last):.2f}%" cy="8" r="5.5"/>')
        ending = f'<span class="score" style="left:{_place(last)}">{escape(line.ending)}</span>'
    else:
        cross = _centre(last) + _CROSS_AT[line.lost_at is Stage.DETECTIONS] * (
            _centre(line.lost_at) - _centre(last)
        )
        drawing.append(_segment(_centre(last), cross, dashed=True))
        drawing.append(_cross(cross))
        ending = _reason(line, cross, why=why)
    names = " ".join(map(str, line.objects))
    label = f'<span class="label" title="{escape(line.label)}">{escape(line.label)}</span>'
    inside = f"{label}{_svg(drawing, line.color)}{ending}"
    return f'<div class="line" data-objects="{names}">{inside}</div>'


def _reason(line: LifeLine, cross: float, *, why: bool) -> str:
    """Why the object was lost, beside its cross; for a single object with a button that asks for more."""
    text = escape(line.ending)
    # Past the last but one stage there is little room to the right, and the cross says "lost" already.
    said = text if line.lost_at is Stage.DETECTIONS else f"<i>lost: </i>{text}"
    button = ""
    if why and len(line.objects) == 1:
        index = line.objects[0]
        button = (
            f'<b>·</b><button type="button" class="why" data-why="{index}" '
            f'aria-label="why was object {index} lost?">why?</button>'
        )
    place = f'style="left:{_place(cross)}" title="lost: {text}"'
    return f'<span class="reason" {place}><span>{said}</span>{button}</span>'


def _place(place: Stage | float) -> str:
    """A place on the track as a CSS length of the row: between the label and the gutter."""
    percent = _centre(place) if isinstance(place, Stage) else place
    return f"calc(var(--label) + (100% - var(--label) - var(--gutter)) * {percent / 100:.4f} + 12px)"


def _centre(stage: Stage) -> float:
    """Centre of a stage's column in percent of the track."""
    return (stage + 0.5) / _STAGES * 100


def _svg(drawing: list[str], color: str) -> str:
    return f'<svg style="--own:{color}" aria-hidden="true" focusable="false">{"".join(drawing)}</svg>'


def _segment(start: float, end: float, *, dashed: bool = False) -> str:
    style = 'stroke-width="2" stroke-dasharray="2 3"' if dashed else 'stroke-width="3"'
    return f'<line x1="{start:.2f}%" x2="{end:.2f}%" y1="8" y2="8" {style}/>'


def _dot(place: float) -> str:
    return f'<circle class="dot" cx="{place:.2f}%" cy="8" r="3.5"/>'


def _cross(place: float) -> str:
    # A nested svg: percentages place it, and its own path stays in pixels.
    return (
        f'<svg class="cross" x="{place:.2f}%" y="8" overflow="visible"><path d="M-5-5 5 5M-5 5 5-5"/></svg>'
    )
