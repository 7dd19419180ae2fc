"""The lineage of one class slot as a row of pictures with links, and what came of one anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.lineage import descendants_of, lineage_of_slot
from detector.tracing.lineage_text import lineage_text
from viz_app import state
from viz_app.app_pages.parts import PROBABILITY, image_key, linked_table
from viz_app.figures.descendants import descendants_items, descendants_table, descendants_words
from viz_app.figures.lineage import LineageStep, lineage_steps
from viz_app.figures.roi_items import slot_items
from viz_app.links import Selected
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.tracing.lineage_records import Lineage
    from viz_app.scene import Scene

_KEY = "why.lineage"


def show_lineage(scene: Scene, slot: int, target: int | None = None) -> None:
    """The way of one class slot from its anchor to its end, with every number, and what else its anchor led to.

    Args:
        scene: what is looked at.
        slot: index among all R x (K-1) class slots of `scene.replay`.
        target: the object that its boxes are compared with; else what its detection was matched to or explained
            by, else the one that it overlaps most.
    """
    lineage = lineage_of_slot(scene.replay, slot, _object_of(scene, slot) if target is None else target)
    steps = lineage_steps(scene.replay, lineage)
    for column, step in zip(st.columns(len(steps), gap="small"), steps, strict=True):
        with column:
            _show_step(step)
    # A row of their own: all links stand at one height.
    for number, (column, step) in enumerate(zip(st.columns(len(steps), gap="small"), steps, strict=True)):
        if step.item is not None:
            with column:
                _link(step, step.item, f"{_KEY}.step.{number}")
    _caption(lineage)
    _suppressor_button(scene, lineage)
    if lineage.anchor is not None:
        with st.expander(f"Everything that came of anchor {lineage.anchor.index:,}"):
            show_descendants(scene, lineage.anchor.index)
    with st.expander("All numbers as text"):
        st.code(lineage_text(lineage, scene.trace.categories), language=None)


def show_descendants(scene: Scene, anchor: int, before: str = "") -> None:
    """What came of one anchor: its box, its RoI, the RoI's class slots, in words and as a table.

    Args:
        scene: what is looked at.
        anchor: its index.
        before: a sentence that comes first.
    """
    found = descendants_of(scene.replay, anchor)
    st.markdown(before + descendants_words(found))
    if found.slots:
        linked_table(
            descendants_table(scene.replay, found),
            descendants_items(found),
            f"why.descendants.{image_key(scene.trace)}",
            {"probability": PROBABILITY},
        )


def _object_of(scene: Scene, slot: int) -> int | None:
    """The object that the slot's detection was matched to, or that explains why it is false."""
    kept, diagnosis = scene.replay.detections.kept.tolist(), scene.diagnosis
    if diagnosis is None or diagnosis.truth is not scene.trace.ground_truth or slot not in kept:
        return None
    place = kept.index(slot)
    matched = int(diagnosis.matches.object_of[place])
    if matched >= 0:
        return matched
    return next((one.object for one in diagnosis.false_positives if one.detection == place), None)


def _show_step(step: LineageStep) -> None:
    st.image(step.thumbnail, width="stretch")
    iou = "" if step.iou is None else f" :blue-badge[IoU {step.iou:.2f}]"
    lines = [f"**{step.title}**{iou}", literal(step.headline)]
    lines += [f":small[:gray[{literal(note)}]]" for note in step.notes if note]
    st.markdown("  \n".join(lines))


def _link(step: LineageStep, item: Selected, key: str) -> None:
    """A button that selects what the step is about and opens the page about its stage."""
    from viz_app.shell import page_of  # the shell imports pages when they are opened

    page = page_of(step.stage)
    if page is None:
        return
    if st.button(page.title, key=key, type="tertiary", icon=":material/arrow_forward:", icon_position="right",
                 help=f"Select it and open {page.title}"):  # fmt: skip
        state.select(item)
        st.switch_page(page)


def _caption(lineage: Lineage) -> None:
    compared = (
        "No object is near enough to compare with."
        if lineage.target is None
        else f"White: object #{lineage.target.object}, which every IoU is with."
    )
    st.caption(
        f"Dotted: where the box was one step before. {compared} Deltas of the class slot are times the box "
        "coder's weights."
    )


def _suppressor_button(scene: Scene, lineage: Lineage) -> None:
    """Where NMS removed the slot: look at what removed it."""
    if lineage.slot.suppressor is None:
        return
    item = slot_items(scene.replay, scene.replay.detections.kept.new_tensor([lineage.slot.suppressor]))[0]
    if item is not None:
        st.button(
            "Look at the box that removed it", key=f"{_KEY}.suppressor", icon=":material/visibility:",
            on_click=state.select, args=(item,),
        )  # fmt: skip
