"""The Objects view: which objects the boxes of each step still cover, and what comes nearest to one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import IOU, PROBABILITY, linked_table
from viz_app.app_pages.rpn_parts import ANCHOR, COUNT, Drawn, selected_details, selected_groups
from viz_app.figures.rpn import anchor_items
from viz_app.figures.rpn_coverage import (
    RecallStep,
    coverage_table,
    filtered_steps,
    real_objects,
    recall_figure,
    recall_table,
    size_members,
    unfiltered_steps,
)
from viz_app.figures.rpn_nearest import (
    Nearest,
    covered_groups,
    focused_object,
    nearest_anchors,
    nearest_groups,
    nearest_table,
    nearest_to,
)
from viz_app.links import Selected
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.tracing.trace import Trace
    from viz_app.scene import Scene

_KEPT = "rpn.coverage"
_BOUNDS = (0.3, 0.5, 0.7)
NO_OBJECTS = (
    "This view needs annotated objects, and this image has none. Choose a bundled scene, or an image that "
    "comes with annotations."
)


def objects_view(scene: Scene) -> Drawn:
    """Controls and table of the view; what is to be drawn."""
    truth = scene.trace.ground_truth
    if truth is None or not bool((~truth.crowd).any()):
        st.info(NO_OBJECTS)
        return Drawn(selected_groups(scene), below=lambda: selected_details(scene))
    steps = _steps(scene, truth)
    step, iou = _controls(steps)
    linked_table(
        coverage_table(steps, truth, scene.trace.categories),
        [Selected("object", index) for index in real_objects(truth).tolist()],
        "rpn.objects",
        dict.fromkeys((one.name for one in steps), IOU),
    )
    focus = focused_object(scene.replay, state.selection())
    groups = covered_groups(truth, scene.trace.categories, step, iou)
    if focus is None:
        st.caption(
            "In the table: the highest IoU of each object with any box of a step. Select one to see what comes "
            "nearest to it."
        )
        return Drawn(groups, below=lambda: _recall(steps, truth, iou))
    found = nearest_to(scene.replay, truth.boxes[focus])
    name = scene.trace.categories[int(truth.labels[focus])]
    st.caption(
        "In the table: the highest IoU of each object with any box of a step. On the picture: what comes nearest "
        f"to object #{focus}, {literal(name)}."
    )
    groups = nearest_groups(scene.replay, found, truth.boxes[focus]) + selected_groups(scene)
    return Drawn(groups, below=lambda: _focused(scene, steps, found, focus, iou))


def _steps(scene: Scene, truth: GroundTruth) -> list[RecallStep]:
    """Coverage at each step; that of all anchors is kept while the image stays, as no slider changes it."""
    known: tuple[Trace, list[RecallStep]] | None = state.remembered(_KEPT, None)
    if known is None or known[0] is not scene.trace:
        known = scene.trace, unfiltered_steps(scene.replay, truth)
        state.remember(_KEPT, known)
    return [*known[1], *filtered_steps(scene.replay, truth)]


def _controls(steps: list[RecallStep]) -> tuple[RecallStep, float]:
    """By which step's boxes the objects are green or red, and from which IoU on."""
    left, right = st.columns([0.6, 0.4])
    names = {step.name: step for step in steps}
    name = left.selectbox(
        "Covered by", list(names), key="rpn.covered", persist_state="session", help="green: yes, red: no"
    )
    iou = right.segmented_control(
        "IoU from",
        _BOUNDS,
        default=0.5,
        required=True,
        key="rpn.iou",
        persist_state="session",
    )
    return names[name or steps[0].name], iou or 0.5


def _recall(steps: list[RecallStep], truth: GroundTruth, iou: float) -> None:
    left, right = st.columns([0.46, 0.54], gap="small")
    sizes = size_members(truth)
    with left, st.container(border=True, height="stretch"):
        st.subheader("Objects covered", anchor=False)
        show_chart(recall_figure(steps, sizes, iou), key="rpn.recall")
    with right, st.container(border=True, height="stretch"):
        st.subheader("By size", anchor=False)
        st.dataframe(recall_table(steps, sizes, iou), hide_index=True, column_config={"boxes": COUNT})
        st.caption("Small: under 32² px, large: from 96² px on, image frame, as COCO has it.")


def _focused(scene: Scene, steps: list[RecallStep], found: Nearest, focus: int, iou: float) -> None:
    truth = scene.trace.ground_truth
    assert truth is not None
    with st.container(border=True):
        st.subheader(f"Nearest to object #{focus}", anchor=False)
        linked_table(
            nearest_table(scene.replay, found),
            anchor_items(nearest_anchors(found)),
            "rpn.nearest",
            {"IoU": IOU, "objectness": PROBABILITY, "anchor": ANCHOR},
        )
        if len(found.proposals) == 0:
            st.caption("No proposal overlaps this object at all.")
    selected_details(scene)
    _recall(steps, truth, iou)
