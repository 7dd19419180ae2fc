"""The Anchors view: the anchors of one place on all levels, their centres, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.cells import Cell, cell_number
from viz_app import state
from viz_app.app_pages.parts import PROBABILITY, linked_table
from viz_app.app_pages.rpn_parts import ANCHOR, COUNT, STRIDE, Drawn, selected_details, selected_groups
from viz_app.figures.anchors import (
    anchor_groups,
    base_table,
    cell_anchors,
    cell_at,
    cell_table,
    cells_through_levels,
    centres_overlay,
    chosen_cell,
)
from viz_app.figures.rpn import anchor_items, stride
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.links import Selected

if TYPE_CHECKING:
    from viz_app.scene import Scene

_ALL = -1
_CELL, _ANCHOR = "a cell", "an anchor"


def anchors_view(scene: Scene) -> Drawn:
    """Controls and table of the view; what is to be drawn."""
    trace = scene.trace
    level, centres, clicks = _controls(scene)
    cell = chosen_cell(trace, state.selection())
    anchors = cell_anchors(trace, cell, level)
    shown = cell if level is None else cells_through_levels(trace, cell)[level]
    st.caption(
        f"{len(anchors)} anchors around cell ({shown.y}, {shown.x}) of level {shown.level}"
        + (", and around the nearest cell of every other level." if level is None else ".")
    )
    linked_table(
        cell_table(scene.replay, anchors),
        anchor_items(anchors),
        "rpn.cell",
        {
            "w × h, px": st.column_config.TextColumn(help="network frame"),
            "√area": st.column_config.NumberColumn(format="%.0f", help="px, network frame"),
            "h : w": st.column_config.NumberColumn(format="%.2f"),
            "objectness": PROBABILITY,
            "anchor": ANCHOR,
        },
    )
    groups = ground_truth_group(trace.ground_truth, trace.categories)
    groups += anchor_groups(trace, anchors, labels=level is not None, items=clicks == _ANCHOR)
    groups += selected_groups(scene)
    return Drawn(
        groups,
        centres_overlay(trace, cell.level if level is None else level) if centres else None,
        below=lambda: _below(scene),
        picked=(lambda x, y: _choose_cell(scene, level or 0, x, y)) if clicks == _CELL else None,
    )


def _controls(scene: Scene) -> tuple[int | None, bool, str]:
    """The level (None for all of them), whether its centres are drawn, and what a click chooses."""
    levels = range(len(scene.trace.rpn.grid))
    chosen = st.pills(
        "Pyramid level",
        [_ALL, *levels],
        default=_ALL,
        required=True,
        format_func=lambda index: (
            "all" if index == _ALL else f"{index} · stride {stride(scene.trace, index):g}"
        ),
        key=f"rpn.anchors.level.{len(levels)}",
        persist_state="session",
    )
    left, right = st.columns(2, vertical_alignment="bottom")
    clicks = left.segmented_control(
        "A click on the picture chooses",
        [_CELL, _ANCHOR],
        default=_CELL,
        required=True,
        key="rpn.anchors.click",
        persist_state="session",
    )
    centres = right.toggle(
        "Centres of the level",
        value=True,
        key="rpn.anchors.centres",
        persist_state="session",
        help="A dot for each cell. With all levels: those of the chosen cell's level.",
    )
    return (None if chosen in (None, _ALL) else chosen), centres, clicks or _CELL


def _choose_cell(scene: Scene, level: int, x: float, y: float) -> None:
    cell: Cell = cell_at(scene.trace, level, (x, y))
    state.select(Selected("cell", cell_number(scene.trace.rpn, cell)))


def _below(scene: Scene) -> None:
    selected_details(scene)
    with st.container(border=True):
        st.subheader(f"{len(scene.trace.rpn.anchors):,} anchors, level by level", anchor=False)
        st.dataframe(
            base_table(scene.trace),
            hide_index=True,
            column_config={
                "stride, px": STRIDE,
                "anchors": COUNT,
                "sizes w × h, px": st.column_config.TextColumn(help="network frame", width="large"),
                "√area, px": st.column_config.TextColumn(help="network frame"),
            },
        )
