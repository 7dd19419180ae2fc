"""All RoIs together: by pyramid level, before and after their deltas, and how near they come to an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.fast_rcnn_explained import level_words
from viz_app.app_pages.fast_rcnn_roi import ROI_COLUMNS, rois_with_selected, shown_label, shown_roi
from viz_app.app_pages.parts import IOU, image_key, linked_table, with_model
from viz_app.app_pages.shown import Shown
from viz_app.figures.fast_rcnn import level_rule, selected_roi_groups
from viz_app.figures.fast_rcnn_tables import roi_order, roi_table
from viz_app.figures.roi_heat import iou_overlay, object_ious
from viz_app.figures.roi_items import roi_items, selected_roi
from viz_app.figures.roi_levels import level_figure, level_groups, roi_level_table
from viz_app.figures.roi_refinement import (
    arrow_overlay,
    drawn_rois,
    mean_gain,
    refinement_groups,
    winning_classes,
)
from viz_app.figures.rpn import scale_html
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.links import Selected
from viz_app.problems import literal

if TYPE_CHECKING:
    from torch import Tensor

    from viz_app.figures.picture import BoxGroup
    from viz_app.scene import Scene

_MOST_DRAWN = 600
_ROWS = 200
_DRAW = "fast_rcnn.draw"


def levels(scene: Scene) -> Shown:
    """RoIs in the colour of their level, and why the selected one is pooled from its own."""
    replay = scene.replay
    count = _count(scene, "fast_rcnn.levels", "RoIs drawn, the most probable ones", 300)
    rois = roi_order(replay)[:count]
    _table(scene, rois[:_ROWS], "levels")
    with with_model():
        st.markdown(level_words(scene.detector, replay, shown_roi(scene)))
    groups = level_groups(replay, rois) + _objects(scene)
    return Shown(groups + _selected(scene))


def below_levels(scene: Scene) -> None:
    """How many RoIs each level takes, and of which size."""
    replay, rule = scene.replay, None if scene.model is None else level_rule(scene.model)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.subheader("RoIs by size", anchor=False)
        figure = level_figure(replay, rule, shown_roi(scene))
        show_chart(figure, key="fast_rcnn.sides")
        st.caption("Coloured by level. Dotted: where the rule goes to the next level. Orange: this RoI.")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Levels", anchor=False)
        counts = st.column_config.NumberColumn(format="localized")
        st.dataframe(
            roi_level_table(replay, rule),
            hide_index=True,
            height="content",
            column_config={"RoIs": counts, "detections": counts},
        )


def refinement(scene: Scene) -> Shown:
    """Some RoIs before and after their deltas."""
    replay = scene.replay
    order = st.segmented_control(
        "Which RoIs",
        ["most probable", "drawn at random"],
        default="most probable",
        required=True,
        key="fast_rcnn.order",
        persist_state="session",
        label_visibility="collapsed",
    )
    left, right = st.columns([0.55, 0.45])
    with left:
        count = _count(scene, "fast_rcnn.refined", "RoIs", 25, most=_ROWS)
    shown = right.pills(
        "Show",
        ["before", "arrows", "after"],
        selection_mode="multi",
        default=["before", "arrows"],
        key="fast_rcnn.refinement",
        persist_state="session",
        help="Grey and dotted: taken for background. Arrows lead from two corners before to those after.",
    )
    seed = None
    if order == "drawn at random":
        seed = int(state.remembered(_DRAW, 0))
        st.button("Draw again", icon=":material/casino:", on_click=_next_draw, key="fast_rcnn.redraw")
    rois = drawn_rois(replay, roi_order(replay), count, seed)
    _table(scene, rois, "refinement")
    _say_gain(scene, rois)
    groups = refinement_groups(replay, rois, before="before" in shown, after="after" in shown)
    overlay = arrow_overlay(replay, rois) if "arrows" in shown else None
    return Shown([*_objects(scene), *groups, *_selected(scene)], overlay)


def near_object(scene: Scene) -> Shown:
    """How near the RoIs come to one object."""
    replay, truth = scene.replay, scene.trace.ground_truth
    if truth is None or len(truth) == 0:
        st.info(
            "Nothing to compare with: this image has no annotated object. Choose a bundled scene, or an image "
            "that comes with annotations."
        )
        return Shown(_selected(scene))
    index = _object(scene)
    ious = object_ious(replay, index)
    rois = ious.argsort(descending=True, stable=True)[:_ROWS]
    _table(scene, rois, f"near.{index}", ious)
    won = int((ious >= 0.5).sum())
    name = literal(scene.trace.categories[int(truth.labels[index])])
    taken = int((winning_classes(replay)[ious >= 0.5] == int(truth.labels[index])).sum())
    st.markdown(
        f"**{won:,}** RoIs cover object #{index} with an IoU of 0.5 or more; **{taken:,}** of them are taken "
        f"for *{name}*. The best covers it with {float(ious.max()):.3f}."
    )
    groups = _objects(scene) + _selected(scene)
    scale = scale_html(name="best IoU of a RoI over the pixel")
    return Shown(groups, iou_overlay(replay, index), scale)


def _object(scene: Scene) -> int:
    """The object to compare with: the selected one, or the one that was chosen last."""
    truth, selected = scene.trace.ground_truth, state.selection()
    assert truth is not None
    key = f"fast_rcnn.object.{image_key(scene.trace)}"
    if selected is not None and selected.kind == "object" and selected.index < len(truth):
        state.set_widget(key, selected.index)
    chosen = st.selectbox(
        "Object",
        range(len(truth)),
        format_func=lambda index: f"#{index} {scene.trace.categories[int(truth.labels[index])]}",
        key=key,
        on_change=lambda: _select_object(key),
    )
    return int(chosen or 0)


def _select_object(key: str) -> None:
    chosen = state.widget(key)
    if isinstance(chosen, int):
        state.select(Selected("object", chosen))


def _count(scene: Scene, key: str, label: str, start: int, most: int = _MOST_DRAWN) -> int:
    """How many RoIs are drawn; all of them where there are hardly any."""
    there = len(scene.replay.head.boxes)
    if there < 2:
        return there
    # One key for each number of RoIs: a slider whose end moves forgets its value.
    most = min(most, there)
    return st.slider(label, 1, most, min(start, most), key=f"{key}.{most}", persist_state="session")


def _next_draw() -> None:
    state.remember(_DRAW, int(state.remembered(_DRAW, 0)) + 1)


def _table(scene: Scene, rois: Tensor, name: str, ious: Tensor | None = None) -> None:
    rois = rois_with_selected(scene, rois)
    table = roi_table(scene.replay, rois)
    if ious is not None:
        table.insert(1, "IoU", ious[rois].cpu().numpy())
    key = f"fast_rcnn.{name}.{image_key(scene.trace)}"
    linked_table(table, roi_items(scene.replay, rois), key, {**ROI_COLUMNS, "IoU": IOU})


def _say_gain(scene: Scene, rois: Tensor) -> None:
    gain = mean_gain(scene.replay, rois)
    if gain is None:
        return
    st.caption(
        f"{gain.rois:,} of them were not taken for background: their IoU with the object they cover best is "
        f"{gain.before:.3f} on average before the refinement and {gain.after:.3f} after."
    )


def _objects(scene: Scene) -> list[BoxGroup]:
    return ground_truth_group(scene.trace.ground_truth, scene.trace.categories)


def _selected(scene: Scene) -> list[BoxGroup]:
    """The selected RoI before and after, where one is selected."""
    roi = selected_roi(scene.replay, state.selection())
    return [] if roi is None else selected_roi_groups(scene.replay, roi, shown_label(scene, roi))
