"""The objects that changed from one diagnosis to another, as pictures or as a table; a click compares one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from detector.judging.comparison_records import Change
from viz_app import resources, state
from viz_app.app_pages.compare_shown import ShownPair, choose_object, chosen_move, moved_objects
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.app_pages.dataset_gallery import Cards, show_cards
from viz_app.app_pages.parts import select_row
from viz_app.figures.compared_cards import compared_items
from viz_app.figures.transitions import move_words
from viz_app.figures.words import plural, rung_name
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.judging.comparison_records import ComparedObject
    from viz_app.figures.gallery_cards import Item

_MOVE, _CATEGORY = "compare.move", "compare.category"
_PICTURES, _TABLE = "pictures", "table"
_EVERY = ""
_LEGEND = "Dashed red: the object. Blue: a detection that found it. A click shows it in A and in B."


def show_objects(pair: ShownPair) -> None:
    """The card."""
    move, category = chosen_move(pair.comparison), survey().category
    objects = moved_objects(pair.comparison, move, category)
    with st.container(border=True):
        left, right = st.columns([0.6, 0.4], vertical_alignment="center")
        left.subheader(_title(move), anchor=False)
        with right, st.container(horizontal=True, horizontal_alignment="right"):
            view = st.segmented_control(
                "View", (_PICTURES, _TABLE), default=_PICTURES, required=True, key="compare.view",
                label_visibility="collapsed", persist_state="session",
            )  # fmt: skip
        _filters(pair, move)
        only = f", {category} only" if category else ""
        st.caption(literal(f"{plural(len(objects), 'object')}{only}, {move_words(move)}"))
        if view == _TABLE:
            _table(pair, objects)
            return
        place = f"compare.{pair.name}.{move}.{category}"
        cards = Cards(
            len(objects), lambda which: _made(pair, objects[which]), place, "compare", "Compare one"
        )
        show_cards(cards, _open, _LEGEND)


def object_table(objects: Sequence[ComparedObject]) -> pd.DataFrame:
    """One row for each object: where each run lost it, or the score with which it was found."""
    return pd.DataFrame(
        {
            "image": [one.image for one in objects],
            "object": [f"#{one.object} {one.category}" for one in objects],
            "size": [one.size for one in objects],
            "change": [one.change.value for one in objects],
            "A": [rung_name(one.rung_a) for one in objects],
            "score A": [one.score_a for one in objects],
            "B": [rung_name(one.rung_b) for one in objects],
            "score B": [one.score_b for one in objects],
        }
    )


def _filters(pair: ShownPair, move: str) -> None:
    """What became of them, and their category."""
    left, right = st.columns([0.72, 0.28], vertical_alignment="bottom")
    counts = {change.value: pair.comparison.count(change) for change in Change}
    state.set_widget(_MOVE, move if move in counts else None)
    left.segmented_control(
        "What became of them", list(counts), key=_MOVE, label_visibility="collapsed",
        format_func=lambda name: f"{name} · {counts[name]:,}", on_change=_take, args=("moved", _MOVE),
    )  # fmt: skip
    names = sorted({one.category for one in pair.comparison.objects})
    asked = survey().category
    state.set_widget(_CATEGORY, asked or _EVERY)
    right.selectbox(
        "Category", [_EVERY, *dict.fromkeys((*names, *filter(None, [asked])))], key=_CATEGORY,
        format_func=lambda name: name or "every category", label_visibility="collapsed",
        on_change=_take, args=("category", _CATEGORY),
    )  # fmt: skip


def _table(pair: ShownPair, objects: Sequence[ComparedObject]) -> None:
    score = st.column_config.NumberColumn(format="%.3f", width=72)
    place = select_row(
        object_table(objects), f"compare.objects.{pair.name}", {"score A": score, "score B": score}
    )
    if place is not None:
        one = objects[place]
        if survey().pair != f"{one.image_index}.{one.object}":
            choose_object(one.image_index, one.object)


def _made(pair: ShownPair, objects: Sequence[ComparedObject]) -> list[Item]:
    try:
        reports = resources.kept_reports(pair.a.folder), resources.kept_reports(pair.b.folder)
        return compared_items(objects, resources.dataset(pair.a.source), *reports)
    except (OSError, ValueError, IndexError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return []


def _open(item: Item) -> None:
    if item.selected is not None:
        choose_object(item.image, item.selected.index)


def _take(name: str, widget: str) -> None:
    value = state.widget(widget)
    look_at(**{name: str(value) if value else None})


def _title(move: str) -> str:
    if move not in list(Change):
        return "These objects"
    return f"{move[0].upper()}{move[1:]}" if move != Change.KEPT else "Found by both"
