"""The Filters view: what each step of the RPN's filter removed and left, and what other score floors would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.filters import ProposalFate
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import show_picture
from viz_app.app_pages.rpn_parts import COUNT, ROWS, STRIDE, Drawn, linked_anchors, selected_details
from viz_app.figures.palette import fate_words
from viz_app.figures.rpn_charts import places_figure
from viz_app.figures.rpn_filter import (
    FLOORS,
    MOST_BOXES,
    by_score,
    fate_groups,
    filter_steps,
    floor_groups,
    ground_truth_group,
    proposals_over,
    step_groups,
    strongest,
)
from viz_app.figures.rpn_tables import level_table

if TYPE_CHECKING:
    from torch import Tensor

    from viz_app.figures.picture import BoxGroup
    from viz_app.scene import Scene

_FATES, _STEPS, _FLOORS = "by fate", "step by step", "score floors"
_LEVEL_COLUMNS = {
    "stride, px": STRIDE,
    "per cell": None,
    "anchors": COUNT,
    "top-n": COUNT,
    "proposals": COUNT,
    "best": st.column_config.NumberColumn(format="%.3f", help="highest objectness"),
}


def filters_view(scene: Scene) -> Drawn:
    """Controls and table of the view; what is to be drawn."""
    mode = st.segmented_control(
        "Show the filter",
        [_FATES, _STEPS, _FLOORS],
        default=_FATES,
        required=True,
        key="rpn.filter",
        persist_state="session",
        label_visibility="collapsed",
    )
    groups, anchors, shown = _steps(scene) if mode == _STEPS else _fates(scene)
    groups += ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    if len(anchors) == 0:
        st.info("Nothing to show: choose another fate or step, or lower the RPN's thresholds in the sidebar.")
    else:
        groups = linked_anchors(scene, anchors, "filters", groups)
    return Drawn(groups, below=lambda: _below(scene, shown, mode or _FATES))


def _fates(scene: Scene) -> tuple[list[BoxGroup], Tensor, Tensor]:
    """Boxes in the colours of their fates: groups, rows of the table, and what is charted."""
    replay = scene.replay
    counts = replay.proposals.counts()
    present = [fate for fate, count in counts.items() if count]
    chosen = st.pills(
        "What became of the boxes",
        present,
        selection_mode="multi",
        default=[fate for fate in present if fate is ProposalFate.KEPT],
        format_func=lambda fate: f"{fate_words(fate)} {counts[fate]:,}",
        key="rpn.fates",
        persist_state="session",
    )
    most = _most("of each fate")
    members = torch.cat([torch.zeros(0).long(), *(strongest(replay, fate, ROWS) for fate in chosen)])
    every = torch.cat([torch.zeros(0).long(), *(replay.proposals.with_fate(fate) for fate in chosen)])
    return fate_groups(replay, chosen, most), by_score(replay.proposals, members)[:ROWS], every


def _steps(scene: Scene) -> tuple[list[BoxGroup], Tensor, Tensor]:
    """Boxes after one step, and those that it removed: groups, rows of the table, and what is charted."""
    steps = {step.name: step for step in filter_steps(scene.replay)}
    name = st.pills(
        "Boxes left after each step",
        list(steps),
        default="limit",
        required=True,
        format_func=lambda name: f"{name} {len(steps[name].left):,}",
        key="rpn.step",
        persist_state="session",
    )
    step = steps[name or "limit"]
    most = _most("left, and removed")
    return step_groups(scene.replay, step, most), step.left[:ROWS], step.left


def _most(which: str) -> int:
    return st.slider(
        f"Boxes of highest objectness, {which}",
        10,
        MOST_BOXES,
        50,
        10,
        key="rpn.most",
        persist_state="session",
    )


def _below(scene: Scene, shown: Tensor, mode: str) -> None:
    selected_details(scene)
    if mode == _FLOORS:
        _floors(scene)
        return
    left, right = st.columns([0.46, 0.54], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Where these boxes lie", anchor=False)
        boxes = scene.trace.to_image(scene.replay.proposals.boxes[by_score(scene.replay.proposals, shown)])
        figure = places_figure(boxes[:MOST_BOXES], scene.trace.input.image_size)
        show_chart(figure, key="rpn.places")
        if len(shown) > MOST_BOXES:
            st.caption(f"The {MOST_BOXES} of highest objectness, of {len(shown):,}.")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Levels", anchor=False)
        st.dataframe(level_table(scene.replay), hide_index=True, column_config=_LEVEL_COLUMNS)
        st.caption("NMS runs on each level by itself; the limit then takes the best of all levels together.")


def _floors(scene: Scene) -> None:
    """The proposals under several score floors, side by side."""
    replay = scene.replay
    truth = ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    with st.container(border=True):
        st.subheader("Proposals at other score floors", anchor=False)
        found = proposals_over(scene.replayer, replay)
        for column, floor, proposals in zip(st.columns(len(FLOORS)), FLOORS, found, strict=True):
            with column:
                st.markdown(f"objectness ≥ {floor:g}: **{len(proposals):,}**")
                groups = floor_groups(replay, proposals, MOST_BOXES)
                show_picture(scene.trace.input.pixels, groups + truth, key=f"rpn.floor.{floor}")
