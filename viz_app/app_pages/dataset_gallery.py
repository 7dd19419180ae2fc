"""The gallery: exactly the objects, or the errors, of the part that is looked at, each a step from its Why?."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Mechanism
from viz_app import resources, state
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.app_pages.dataset_shown import ShownRun, chosen_part
from viz_app.components.gallery import show_gallery
from viz_app.dataset_scenes import item_key
from viz_app.figures.dataset_parts import errors_of, narrowed, objects_of
from viz_app.figures.gallery import gallery_html
from viz_app.figures.gallery_cards import Item, items_of
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal
from viz_app.sidebar.knobs import move_sliders
from viz_app.sidebar.visiting import visit
from viz_app.survey import SIZES, Part

if TYPE_CHECKING:
    import pandas as pd

    from viz_app.links import Selected
    from viz_app.scene import Scene

PER_PAGE = 12
_PART, _CATEGORY, _SIZE = "gallery.part", "gallery.category", "gallery.size"
_CARDS = "gallery cards"
_MOST_KEPT = 3
_LOST, _EVERY = "all lost objects", ""


def show_gallery_card(run: ShownRun, scene: Scene | None) -> None:
    """Draw the card; a click on one of them goes to its Why?."""
    part = chosen_part()
    with st.container(border=True):
        rows = _filters(run, part)
        categories = () if scene is None else scene.trace.categories
        place = f"{part}.{survey().category}.{survey().size}.{'' if scene is None else scene.trace.detector}"
        made = Cards(len(rows), lambda which: _made(run, rows.iloc[which], categories), f"{run.name}.{place}")
        show_cards(made, lambda item: open_image(run, item.image, item.selected, "why"), legend_words(run))


@dataclass(frozen=True, slots=True, eq=False)
class Cards:
    """Cards that are made when their page is looked at.

    Args:
        count: of all of them.
        make: the cards of a slice.
        place: tells what they are cards of; another place begins on its first page.
        name: of the gallery on its page.
        opens: what a click does, for the list of those who type.
    """

    count: int
    make: Callable[[slice], list[Item]]
    place: str
    name: str = "gallery"
    opens: str = "Open in Why?"


def show_cards(cards: Cards, on_open: Callable[[Item], None], legend: str) -> None:
    """A dozen cards with their pages, and a list of them for those who type.

    Args:
        cards: what there is.
        on_open: told which one was clicked, before the page is drawn again.
        legend: Markdown below the cards.
    """
    if cards.count == 0:
        st.caption("No such object: choose another part, or take a filter away.")
        return
    pages = -(-cards.count // PER_PAGE)
    page = min(state.remembered(f"gallery page {cards.place}", 1), pages)
    place = f"{cards.place}.{page}"
    items = _items(cards.make, slice((page - 1) * PER_PAGE, page * PER_PAGE), place)
    # A component takes no key with two underscores in a row, and categories may have them.
    key = f"{cards.name}.cards.{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    show_gallery(
        gallery_html([item.card for item in items]),
        key,
        lambda: _open(items, getattr(state.widget(key), "card", None), on_open),
    )
    st.caption(legend)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        _pager(cards.place, page, pages)
        _list(cards, items, on_open)


def legend_words(run: ShownRun) -> str:
    """What the cards of a diagnosis show, in Markdown."""
    return (
        "Dashed red: the object. Blue: the detection that found it; orange: one that did not. A click opens "
        f"Why?{_sliders_words(run)}"
    )


def _filters(run: ShownRun, part: Part | None) -> pd.DataFrame:
    """The controls on top, and the rows that they leave."""
    errors = part is not None and part.of_errors
    whole = errors_of(run.errors, part) if errors and part else objects_of(run.objects, run.errors, part)
    size_asked = None if errors else survey().size
    rows = narrowed(whole, survey().category, size_asked)
    title, which, category, size = st.columns([0.34, 0.26, 0.2, 0.2], vertical_alignment="bottom")
    with title:
        st.subheader(_title(part), anchor=False)
        st.caption(_count_words(len(rows), "false positive" if errors else "object", size_asked))
    parts = _parts(run)
    state.set_widget(_PART, _EVERY if part is None else str(part))
    which.selectbox(
        "Show", list(parts), key=_PART, format_func=parts.__getitem__, on_change=_take, args=("part", _PART)
    )
    names = sorted(set(whole["category"])) if len(whole) else []
    state.set_widget(_CATEGORY, survey().category or _EVERY)
    category.selectbox(
        "Category", [_EVERY, *dict.fromkeys((*names, *filter(None, [survey().category])))], key=_CATEGORY,
        format_func=lambda name: name or "every category",
        on_change=_take, args=("category", _CATEGORY),
    )  # fmt: skip
    state.set_widget(_SIZE, size_asked or _EVERY)
    size.selectbox(
        "Size", [_EVERY, *SIZES], key=_SIZE, format_func=lambda name: name or "every size",
        on_change=_take, args=("size", _SIZE), disabled=errors,
    )  # fmt: skip
    return rows


def _pager(place: str, page: int, pages: int) -> None:
    """Which dozen is shown."""
    if pages == 1:
        return
    widget = f"gallery.pages.{place}"
    st.pagination(
        pages, default=page, key=widget, width=420,
        on_change=lambda: state.remember(f"gallery page {place}", state.widget(widget)),
    )  # fmt: skip


def _list(cards: Cards, items: list[Item], on_open: Callable[[Item], None]) -> None:
    """The cards as a list, for those who type."""
    key = f"{cards.name}.open"
    st.selectbox(
        cards.opens, list(range(len(items))), index=None, key=key, label_visibility="collapsed",
        format_func=lambda number: f"{items[number].card.title} on {items[number].card.place}",
        placeholder=f"{cards.opens.removesuffix('?')} …", width=280,
        on_change=lambda: _open(items, state.widget(key), on_open),
    )  # fmt: skip


def _open(items: list[Item], number: object, on_open: Callable[[Item], None]) -> None:
    """In a callback: what a browser sends is believed as far as there is such a card."""
    if isinstance(number, int | float) and 0 <= int(number) < len(items):
        on_open(items[int(number)])


def open_image(run: ShownRun, index: int, selected: Selected | None, page: str) -> None:
    """In a callback: look at an image of a diagnosis, under its thresholds, on a page of Inspect.

    Args:
        run: the diagnosis.
        index: place of the image in the data set.
        selected: what is looked at closely on it.
        page: name of the page.
    """
    visit(item_key(run.source, index), selected, page)
    if run.of_sidebar:
        move_sliders(run.summary.thresholds)


def _items(make: Callable[[slice], list[Item]], which: slice, place: str) -> list[Item]:
    """Cards of one page; kept until a few other pages were looked at."""
    known: dict[str, list[Item]] = state.remembered(_CARDS, {})
    if place in known:
        return known[place]
    with st.spinner("Cutting them out …"):
        made = make(which)
    if made:  # what goes wrong is told, and tried again
        state.remember(_CARDS, dict(list({**known, place: made}.items())[-_MOST_KEPT:]))
    return made


def _made(run: ShownRun, rows: pd.DataFrame, categories: tuple[str, ...]) -> list[Item]:
    try:
        dataset = resources.dataset(run.source)
        return items_of(run.diagnosis, rows, dataset, resources.kept_reports(run.folder), categories)
    except (OSError, ValueError, IndexError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return []


def _parts(run: ShownRun) -> dict[str, str]:
    """What can be shown, with its count; parts that hold nothing are left out, but for the one that is shown."""
    summary = run.summary
    counts: dict[Part, int] = {Part("rung", fall.rung): fall.lost for fall in summary.waterfall}
    counts[Part("rung", Rung.FOUND.name)] = summary.found
    counts |= {Part("mechanism", kind.value): summary.mechanisms.get(kind.value, 0) for kind in Mechanism}
    counts |= {Part("tide", kind.value): _tide_count(run, kind) for kind in TideType}
    shown = survey().part
    known = {
        str(part): f"{part.title} · {count:,}"
        for part, count in counts.items()
        if count or str(part) == shown
    }
    return {_EVERY: f"{_LOST} · {summary.objects - summary.found:,}", **known}


def _tide_count(run: ShownRun, kind: TideType) -> int:
    share = run.summary.tide.get(kind.value)
    return 0 if share is None else share.count


def _title(part: Part | None) -> str:
    return "Lost objects" if part is None else part.title[0].upper() + part.title[1:]


def _count_words(count: int, noun: str, size: str | None) -> str:
    narrowing = [text for text in (size, survey().category) if text]
    return plural(count, noun) + (f", {literal(' · '.join(narrowing))} only" if narrowing else "")


def _sliders_words(run: ShownRun) -> str:
    if run.of_sidebar:
        return " with the sliders as they were."
    model = run.summary.model if run.job is None else run.job.model
    return f", through the detector of the sidebar: the diagnosis is of *{literal(model)}*."


def _take(name: str, widget: str) -> None:
    value = state.widget(widget)
    look_at(**{name: str(value) if value else None})
