"""Pieces that the stage pages share: the picture with its legend, and a table with one selected row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pandas as pd
import streamlit as st

from viz_app import downloads, state
from viz_app.canvas.component import show_canvas
from viz_app.figures.picture import legend_html
from viz_app.problems import as_sentence, literal
from viz_app.scene import ModelNeeded
from viz_app.sidebar.knobs import set_box_thresholds

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler
    from streamlit.elements.arrow import DataframeStateInput
    from streamlit.elements.lib.column_types import ColumnConfig
    from torch import Tensor

    from detector.tracing.trace import Trace
    from viz_app.canvas.candidates import Preview
    from viz_app.canvas.events import CanvasEvent, Pick
    from viz_app.figures.picture import BoxGroup
    from viz_app.links import Selected

Corners = tuple[float, float, float, float]
PROBABILITY = st.column_config.NumberColumn(format="%.3f")
BAR = st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1)
_ROW_HEIGHT = 35
_TABLE_HEIGHT = 265  # seven rows: leaves room for the numbers of the selected one beside the picture
IOU = st.column_config.NumberColumn(format="%.2f")


def show_picture(
    pixels: Tensor,
    groups: Sequence[BoxGroup],
    *,
    key: str,
    overlay: Tensor | None = None,
    scale: str = "",
    preview: Preview | None = None,
    on_pick: Callable[[float, float], None] | None = None,
    on_drawn: Callable[[Corners], None] | None = None,
    downloads_here: bool = True,
    linked: str | None = None,
) -> Pick | None:
    """The picture, a line that names what is drawn on it, and the colours of a heat map; the click, if any.

    A click on a box with an item selects that in the whole app, a click beside all boxes selects nothing.

    Args:
        pixels: uint8 [3, H, W].
        groups: drawn in this order.
        key: of the widget.
        overlay: uint8 [h, w, 4] RGBA, stretched over the image, beneath the boxes.
        scale: HTML that says what the overlay's colours mean.
        preview: lets the box filter's thresholds be moved on the picture, too.
        on_pick: told where a click was, (x, y) in the image frame, before the page is drawn again; then the
            click selects nothing by itself.
        on_drawn: told of a box that was drawn, xyxy in the image frame, before the page is drawn again; without
            it nothing can be drawn.
        downloads_here: the downloads stand below; a page that draws its tables later offers them itself.
        linked: pictures of this name on the page are moved and zoomed together.
    """
    drawn = [group for group in groups if len(group)]
    event = show_canvas(
        pixels,
        drawn,
        key=key,
        overlay=overlay,
        selected=_selected_box(drawn),
        preview=preview,
        draw=on_drawn is not None,
        linked=linked,
        on_event=lambda event: _follow(event, drawn, on_pick, on_drawn),
    )
    if drawn:
        st.html(legend_html(drawn))
    if scale:
        st.html(scale)
    if downloads_here:
        downloads.offer(key, pixels, drawn, overlay)
    return event.pick


def _follow(
    event: CanvasEvent,
    drawn: Sequence[BoxGroup],
    on_pick: Callable[[float, float], None] | None,
    on_drawn: Callable[[Corners], None] | None,
) -> None:
    if event.thresholds is not None:
        set_box_thresholds(*event.thresholds)
    if event.drawn is not None and on_drawn is not None:
        on_drawn(event.drawn)
        return
    if event.pick is None:
        return
    if on_pick is not None and event.pick.x >= 0:  # the escape key reports a place outside the picture
        on_pick(event.pick.x, event.pick.y)
        return
    if event.pick.box is None:
        state.select(None)
        return
    group, place = event.pick.box
    item = drawn[group].items[place] if drawn[group].items else None
    if item is not None:
        state.select(item)


def _selected_box(drawn: Sequence[BoxGroup]) -> tuple[int, int] | None:
    """(group, place) of the box that stands for what is selected, the one drawn last."""
    places = [(number, place_of(group.items, state.selection())) for number, group in enumerate(drawn)]
    known = [(number, place) for number, place in places if place is not None]
    return known[-1] if known else None


def select_row(
    table: pd.DataFrame,
    key: str,
    columns: Mapping[str, ColumnConfig | None],
    *,
    required: bool = False,
    height: int = _TABLE_HEIGHT,
    row_height: int = _ROW_HEIGHT,
) -> int | None:
    """A table in which one row can be selected; the place of that row, or None.

    Args:
        table: the rows.
        key: of the widget; another key forgets the selection.
        columns: formats by column name; None hides a column.
        required: one row is always selected, the first one to begin with.
        height: at most, in screen pixels; seven rows by default.
        row_height: in screen pixels; from 68 on, long texts go on in a second and a third line.
    """
    downloads.note_table(key, table)
    event = st.dataframe(
        table,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-row-required" if required else "single-row",
        column_config=dict(columns),
        height=min(height, _ROW_HEIGHT + row_height * len(table) + 2),
        row_height=row_height,
    )
    rows = event["selection"]["rows"]
    # A table that became shorter may still report a row that is gone.
    if rows and rows[0] < len(table):
        return int(rows[0])
    return 0 if required and len(table) else None


def linked_table(
    table: pd.DataFrame | Styler,
    items: Sequence[Selected | None],
    key: str,
    columns: Mapping[str, ColumnConfig | None],
    *,
    required: bool = False,
    height: int | Literal["content"] | None = None,
) -> int | None:
    """A table whose selected row is what is selected in the whole app; the place of that row, or None.

    A row that was selected elsewhere and lies further down than the table shows comes first.

    Args:
        table: the rows.
        items: what each row stands for; a detection is found by its anchor, too.
        key: of the widget.
        columns: formats by column name; None hides a column.
        required: without a selection among the rows, the first one counts as selected.
        height: in screen pixels; seven rows by default.
    """
    downloads.note_table(key, table)
    place = place_of(items, state.selection())
    shown = 0 if place is None and required and items else place
    name = f"{key}.{hashlib.sha256('|'.join(map(str, items)).encode()).hexdigest()[:12]}"
    height = height or min(_TABLE_HEIGHT, _ROW_HEIGHT * (len(items) + 1) + 2)
    order = list(range(len(items)))
    if isinstance(height, int) and isinstance(table, pd.DataFrame):
        first = _first_row(name, place, in_view=height // _ROW_HEIGHT - 1)
        order.sort(key=lambda row: row != first)
        table = table.iloc[order]
    drawn = state.table_key(name)
    st.dataframe(
        table,
        hide_index=True,
        key=drawn,
        on_select=lambda: _select_row(drawn, name, [items[row] for row in order]),
        selection_mode="single-row",
        selection_default=None if shown is None else _rows(order.index(shown)),
        column_config=dict(columns),
        height=height,
    )
    return shown


def _first_row(table: str, place: int | None, in_view: int) -> int | None:
    """The row that was brought to the top; it stays there while rows are selected in the table itself."""
    if not state.is_selected_in(table):
        hidden = place is not None and place >= in_view
        state.remember(f"first row.{table}", place if hidden else None)
    return state.remembered(f"first row.{table}", None)


@contextmanager
def with_model() -> Iterator[None]:
    """What is drawn inside asks the model; where a trace was opened without it, a sentence says so instead."""
    try:
        yield
    except ModelNeeded as reason:
        st.info(literal(as_sentence(reason)), icon=":material/info:")


def place_of(items: Sequence[Selected | None], selected: Selected | None) -> int | None:
    """Where `selected` is among the items, or else the first item of the same anchor; None if nowhere."""
    if selected is None:
        return None
    if selected in items:
        return items.index(selected)
    same = (n for n, item in enumerate(items) if item and item.anchor == selected.anchor is not None)
    return next(same, None)


def _select_row(widget: str, table: str, items: Sequence[Selected | None]) -> None:
    rows = state.selected_rows(widget)
    state.select(items[rows[0]] if rows else None, table)


def _rows(place: int) -> DataframeStateInput:
    return {"selection": {"rows": [place], "columns": [], "cells": []}}


def image_key(trace: Trace) -> str:
    """Names image and detector, for the keys of widgets that belong to one image."""
    return f"{trace.detector}.{trace.input.name}"
