"""The class slots: which of them died where, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.filters import DetectionFate
from viz_app import state
from viz_app.app_pages.parts import PROBABILITY, image_key, linked_table
from viz_app.app_pages.shown import Shown
from viz_app.figures.class_slots import (
    selected_slot_groups,
    slot_duel,
    slot_groups,
    slot_table,
    strongest_slots,
    suppressed_slots,
)
from viz_app.figures.fast_rcnn_tables import slot_ledger_table
from viz_app.figures.palette import fate_words
from viz_app.figures.roi_items import selected_slot, slot_items
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.problems import literal

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.replay import Replay
    from viz_app.scene import Scene

_FIRST = (DetectionFate.KEPT, DetectionFate.SUPPRESSED)


def beside(scene: Scene) -> Shown:
    """Slots of the chosen fates as table and boxes; who suppressed the selected one, and whom it suppressed."""
    replay = scene.replay
    counts = replay.detections.counts()
    present = [fate for fate, count in counts.items() if count]
    chosen = st.pills(
        "What became of the slots",
        present,
        selection_mode="multi",
        default=[fate for fate in present if fate in _FIRST],
        format_func=lambda fate: f"{fate_words(fate)} {counts[fate]:,}",
        key="fast_rcnn.fates",
        persist_state="session",
    )
    slots = strongest_slots(replay, chosen)
    slot = selected_slot(replay, state.selection())
    rows = _with_selected(replay, slots, slot)
    groups = ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    if len(rows) == 0:
        st.info("Nothing to show: choose a fate above, or lower the score threshold in the sidebar.")
        return Shown(groups)
    key = f"fast_rcnn.slots.{image_key(scene.trace)}"
    linked_table(slot_table(replay, rows), slot_items(replay, rows), key, {"probability": PROBABILITY})
    groups += slot_groups(replay, slots)
    if slot is None:
        st.caption("Select a slot, in the table or on the picture, to see who suppressed it, or whom it did.")
        return Shown(groups)
    st.markdown(slot_words(replay, slot))
    return Shown(groups + selected_slot_groups(replay, slot))


def below(scene: Scene) -> None:
    """How many slots met which fate."""
    with st.container(border=True):
        st.subheader("Class slots by fate", anchor=False)
        columns = {"slots": st.column_config.NumberColumn(format="localized", width="small")}
        st.dataframe(
            slot_ledger_table(scene.replay), hide_index=True, column_config=columns, height="content"
        )
        rois, classes = scene.replay.class_scores.shape
        st.caption(f"{rois:,} RoIs × {classes - 1} categories = {len(scene.replay.detections):,} slots.")


def slot_words(replay: Replay, slot: int) -> str:
    """What became of one slot, in one sentence or two."""
    fate = DetectionFate(int(replay.detections.fate[slot]))
    category = literal(replay.trace.categories[int(replay.detections.labels[slot])])
    name = f"The *{category}* slot of RoI {int(replay.roi_of(torch.tensor(slot)))}"
    found, lost = slot_duel(replay, slot), len(suppressed_slots(replay, slot))
    if found is not None:
        by = int(replay.roi_of(torch.tensor(found.suppressor)))
        return (
            f"{name} was **suppressed by that of RoI {by}**: their boxes overlap with IoU {found.iou:.3f}, over "
            f"{replay.thresholds.box_nms:g}, and its probability is {found.gap:.3f} higher."
        )
    removed = f" It suppressed **{lost:,}**." if lost else ""
    return f"{name}: **{fate_words(fate)}**.{removed}"


def _with_selected(replay: Replay, slots: Tensor, slot: int | None) -> Tensor:
    """The selected slot and its suppressor come first where they are not among the chosen."""
    if slot is None:
        return slots
    found = slot_duel(replay, slot)
    wanted = [slot] if found is None else [slot, found.suppressor]
    missing = [one for one in wanted if not bool((slots == one).any())]
    return torch.cat((slots.new_tensor(missing), slots))
