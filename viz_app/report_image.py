"""The report of one image: the strip, the picture with its thresholds, and the ladder of every object."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from detector.explaining.advice import advice_for
from detector.explaining.ladder_text import RUNG_NAMES, outcome_words, story
from detector.explaining.remedies import remedy_for
from detector.explaining.rungs import Rung
from viz_app.canvas.candidates import preview_of
from viz_app.canvas.packet import pack
from viz_app.figures.concerned import concerned_boxes
from viz_app.figures.evidence_facts import evidence_facts
from viz_app.figures.evidence_picture import tiles_of
from viz_app.figures.full_network import overview_groups
from viz_app.figures.ladder import ladder_rows
from viz_app.figures.ladder_html import ladder_html
from viz_app.figures.outcome_tables import detection_table
from viz_app.figures.picture import legend_html
from viz_app.figures.remedy_words import change_words, effect_words, price_words, title_words
from viz_app.figures.strip import strip_of
from viz_app.figures.strip_html import strip_html
from viz_app.figures.words import plural
from viz_app.report_page import Page, canvas_html
from viz_app.report_parts import Trusted, card, table, text

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replay, Replayer
    from viz_app.figures.picture import BoxGroup

_PICTURE = "picture"
_MOST_LADDERS, _MOST_ROWS = 60, 100


def image_page(replayer: Replayer, replay: Replay, diagnosis: Diagnosis | None) -> Page:
    """The report of an image.

    Args:
        replayer: finds remedies; without a model only as far as a trace tells.
        replay: what is shown.
        diagnosis: of this replay; None where nothing is annotated.
    """
    trace = replay.trace
    title = f"{trace.input.name} through {trace.detector}"
    groups = overview_groups(replay, diagnosis)
    packet = pack(trace.input.pixels, groups, preview=preview_of(replay))
    strip = Trusted(f'<div class="of-strip">{strip_html(strip_of(replay, diagnosis))}</div>')
    picture = f'<div class="picture">{canvas_html(_PICTURE, _targets(groups))}{legend_html(groups)}</div>'
    if diagnosis is None or not diagnosis.verdicts:
        shown = card("Detections", picture, "Drag the thresholds below the picture: boxes follow.")
    else:
        lead = "Click a box for its ladder, or an object for its box; drag the thresholds below the picture."
        ladders = _ladders(replayer, diagnosis, groups)
        shown = card(
            "Objects and detections", f'<div class="image">{picture}<div>{ladders}</div></div>', lead
        )
    found = card("All detections", _detections(replay, diagnosis), "Best first.")
    return Page(
        title,
        f"{_header(title, replay, diagnosis)}{strip}{shown}{found}{_footer(replay)}",
        {_PICTURE: packet},
    )


def _header(title: str, replay: Replay, diagnosis: Diagnosis | None) -> str:
    height, width = replay.trace.input.image_size
    knobs = replay.thresholds
    about = (
        f"{width} × {height} px; score over {knobs.box_score:g}, NMS at IoU {knobs.box_nms:g}, "
        f"{plural(len(replay.labels), 'detection')}"
    )
    caution = "" if replay.trace.faithful else (
        '<p class="caution">A replay is not this model\'s own output (it overrides one of torchvision\'s filters): '
        "what stands here is the replay's.</p>"
    )  # fmt: skip
    return (
        f"<header><h1>{text(title)}</h1><p>{text(about)}</p>"
        f'<p class="headline">{_headline(diagnosis)}</p>{caution}</header>'
    )


def _headline(diagnosis: Diagnosis | None) -> str:
    if diagnosis is None:
        return "Nothing is annotated on this image, so nothing can be missing from it."
    objects, lost = len(diagnosis.verdicts), diagnosis.lost
    false = plural(len(diagnosis.false_positives), "false positive")
    if not lost:
        return f"{'All' if objects else 'There are no'} objects {'are found' if objects else 'to find'}; {false}."
    where = ", ".join(f"<b>#{verdict.object}</b> at {text(RUNG_NAMES[verdict.rung])}" for verdict in lost[:4])
    more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
    verb = "is" if len(lost) == 1 else "are"
    return f"<b>{len(lost)} of {plural(objects, 'object')}</b> {verb} lost: {where}{more}; {false}."


def _targets(groups: list[BoxGroup]) -> dict[str, str]:
    """The ladder that a click on an object's box opens, by `group.place`."""
    return {
        f"{number}.{place}": f"object-{item.index}"
        for number, group in enumerate(groups)
        for place, item in enumerate(group.items)
        if item is not None and item.kind == "object"
    }


def _ladders(replayer: Replayer, diagnosis: Diagnosis, groups: list[BoxGroup]) -> str:
    """The lost objects first, the first of them opened."""
    boxes = {target: place for place, target in _targets(groups).items()}
    order = sorted(diagnosis.verdicts, key=lambda verdict: verdict.rung is Rung.FOUND)
    parts = [
        _ladder(replayer, diagnosis, verdict, boxes.get(f"object-{verdict.object}", ""), number == 0)
        for number, verdict in enumerate(order[:_MOST_LADDERS])
    ]
    left = len(order) - len(parts)
    return "".join(parts) + (f"<p>And {left:,} more objects.</p>" if left else "")


def _ladder(replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict, box: str, opened: bool) -> str:
    lost = verdict.rung is not Rung.FOUND
    name = diagnosis.replay.trace.categories[int(diagnosis.truth.labels[verdict.object])]
    state = f"lost at {RUNG_NAMES[verdict.rung]}" if lost else outcome_words(verdict)
    pixels = diagnosis.replay.trace.input.pixels
    tiles = tiles_of(pixels, concerned_boxes(diagnosis, verdict), found=not lost)
    drawn = ladder_html(ladder_rows(diagnosis, verdict), evidence_facts(diagnosis, verdict), tiles)
    place = f' data-box="{escape(box)}"' if box else ""
    return (
        f'<details id="object-{verdict.object}"{place}{" open" if opened and lost else ""}>'
        f"<summary><b>#{verdict.object}</b> {text(name)}"
        f'<span class="state{" gone" if lost else ""}">{text(state)}</span></summary>'
        f'<div class="ladder-box"><p>{text(story(diagnosis, verdict))}</p>'
        f'<div class="of-ladder">{drawn}</div>{_help(replayer, diagnosis, verdict) if lost else ""}</div></details>'
    )


def _help(replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict) -> str:
    """The smallest change of a threshold that brings a lost object back, and what else would help."""
    try:
        remedy, advice = remedy_for(replayer, diagnosis, verdict), advice_for(replayer, diagnosis, verdict)
    except ValueError as problem:  # RoIs that a trace without its model did not record
        return f"<p>{text(str(problem))}.</p>"
    said = [text(sentence) for sentence in advice]
    if remedy is not None:
        effect, price = effect_words(remedy, f"#{verdict.object}"), price_words(remedy.price)
        said.insert(
            0,
            f"<b>{text(title_words(remedy))}</b>: {text(change_words(remedy))}. {text(f'{effect} {price}')}",
        )
    return f'<p class="remedy">{"<br>".join(said)}</p>' if said else ""


def _detections(replay: Replay, diagnosis: Diagnosis | None) -> Trusted:
    found = detection_table(replay, diagnosis)
    heads = [str(name) for name in found.columns]
    rows = [[_cell(value) for value in row] for row in found.head(_MOST_ROWS).itertuples(index=False)]
    more = f"<p>And {len(found) - _MOST_ROWS:,} more.</p>" if len(found) > _MOST_ROWS else ""
    return Trusted(f"{table(heads, rows)}{more}")


def _cell(value: object) -> str:
    """A cell of a table for the app: numbers, texts, and lists of one text."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return "–" if value != value else f"{value:.3f}"
    return "–" if value is None else str(value)


def _footer(replay: Replay) -> str:
    return (
        f"<footer><p>Boxscope, {text(replay.trace.detector)}. Boxes are in pixels of the image. This file needs no "
        "network.</p></footer>"
    )
