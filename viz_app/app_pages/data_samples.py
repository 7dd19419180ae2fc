"""The gallery of the Data page: whole images with their boxes, one class or all; a click opens one in Inspect."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import streamlit as st

from detector.data.datasets import ground_truth_of
from viz_app import state
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.components.gallery import show_gallery
from viz_app.dataset_scenes import annotations_written, item_key
from viz_app.figures.dataset_samples import DataSample, legend_groups, sample_card
from viz_app.figures.gallery import gallery_html
from viz_app.figures.gallery_cards import image_name
from viz_app.figures.picture import legend_html
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal
from viz_app.sidebar.visiting import visit

if TYPE_CHECKING:
    from viz_app.app_pages.data_shown import ShownData
    from viz_app.figures.gallery import Card

PER_PAGE = 12
_SHOW, _OPEN = "data.show", "data.open"
_CARDS, _EMPTY = "data cards", "data without objects"
_EVERY, _WITHOUT = "every", "without"
_OF = "category:"


def show_samples(data: ShownData) -> None:
    """Draw the card."""
    with st.container(border=True):
        shown = _filter(data)
        if not shown:
            st.caption("No image like this: choose another class, or show every image.")
            return
        pages = -(-len(shown) // PER_PAGE)
        place = f"{data.source}|{annotations_written(data.source)}|{_chosen(data)}"
        name = f"data page {place}"
        page = min(state.remembered(name, 1), pages)
        indices = shown[(page - 1) * PER_PAGE : page * PER_PAGE]
        found = _samples(data, indices, f"{place}|{page}")
        _draw(data, found, f"{place}|{page}")
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            if pages > 1:
                _pager(name, page, pages)
            _list(data, [index for index, _, _ in found])


def _filter(data: ShownData) -> list[int]:
    """The control on top; places of the images that it leaves."""
    title, which = st.columns([0.68, 0.32], vertical_alignment="bottom")
    options = _options(data)
    state.set_widget(_SHOW, _chosen(data))
    which.selectbox(
        "Show", list(options), key=_SHOW, format_func=options.__getitem__, on_change=_take,
        args=(data.source,), label_visibility="collapsed",
    )  # fmt: skip
    chosen = _chosen(data)
    if chosen == _WITHOUT:
        shown = data.images_without()
    elif chosen == _EVERY:
        shown = list(range(len(data.dataset)))
    else:
        shown = data.images_with(chosen.removeprefix(_OF))
    with title:
        st.subheader("Samples", anchor=False)
        st.caption(f"{plural(len(shown), 'image')}. A click opens one in Inspect.")
    return shown


def _options(data: ShownData) -> dict[str, str]:
    """What can be shown, each with its count."""
    options = {_EVERY: f"every image · {len(data.dataset):,}"}
    options[_WITHOUT] = f"images without objects · {len(data.images_without()):,}"
    for name, count in data.by_category.items():
        options[f"{_OF}{name}"] = f"{name} · {plural(count, 'object')}"
    return options


def _chosen(data: ShownData) -> str:
    category = survey().category
    if category is not None and category in data.categories[1:]:
        return f"{_OF}{category}"
    return _WITHOUT if state.remembered(_EMPTY, "") == data.source else _EVERY


def _take(source: str) -> None:
    """In a callback: a class goes into the address, for it means the same to whoever follows the link."""
    chosen = str(state.widget(_SHOW) or _EVERY)
    state.remember(_EMPTY, source if chosen == _WITHOUT else "")
    look_at(category=chosen.removeprefix(_OF) if chosen.startswith(_OF) else None)


Found = list[tuple[int, DataSample, "Card"]]


def _samples(data: ShownData, indices: list[int], place: str) -> Found:
    """The images of one page with their cards; kept until another page is looked at."""
    known: tuple[str, Found] | None = state.remembered(_CARDS, None)
    if known is not None and known[0] == place:
        return known[1]
    with st.spinner(f"Reading {plural(len(indices), 'image')} …"):
        found = _read(data, indices)
    if len(found) == len(indices):  # what goes wrong is told, and tried again
        state.remember(_CARDS, (place, found))
    return found


def _read(data: ShownData, indices: list[int]) -> Found:
    found: Found = []
    only = survey().category if survey().category in data.categories else None
    for index in indices:
        try:
            pixels, target = data.dataset[index]
            sample = DataSample(image_name(data.dataset, index), pixels, ground_truth_of(target))
        except (OSError, ValueError) as problem:
            st.error(literal(as_sentence(problem)), icon=":material/error:")
            continue
        found.append((index, sample, sample_card(sample, data.categories, only)))
    return found


def _draw(data: ShownData, found: Found, place: str) -> None:
    # A component takes no key with two underscores in a row, and names may have them.
    key = f"data.cards.{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    indices = [index for index, _, _ in found]
    show_gallery(
        gallery_html([card for _, _, card in found]), key, lambda: _clicked(key, data.source, indices)
    )
    groups = legend_groups([sample for _, sample, _ in found], data.categories)
    if groups:
        st.html(legend_html(groups))


def _pager(name: str, page: int, pages: int) -> None:
    """Which dozen is shown."""
    widget = f"data.pages.{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    st.pagination(
        pages, default=page, key=widget, width=420,
        on_change=lambda: state.remember(name, state.widget(widget)),
    )  # fmt: skip


def _list(data: ShownData, indices: list[int]) -> None:
    """The images as a list, for those who type."""
    st.selectbox(
        "Open in Inspect", indices, index=None, key=_OPEN, label_visibility="collapsed", width=280,
        format_func=lambda index: image_name(data.dataset, index), placeholder="Open one in Inspect …",
        on_change=lambda: _open(data.source, state.widget(_OPEN)),
    )  # fmt: skip


def _clicked(key: str, source: str, indices: list[int]) -> None:
    number = getattr(state.widget(key), "card", None)
    if isinstance(number, int | float) and 0 <= int(number) < len(indices):
        _open(source, indices[int(number)])


def _open(source: str, index: object) -> None:
    """In a callback: look at an image of the data set."""
    if isinstance(index, int):
        visit(item_key(source, index), None)
