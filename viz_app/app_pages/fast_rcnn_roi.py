"""One RoI of the second stage: where it is read, what comes out, and what that makes of its box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.roi_grid import SamplingGrid, pooling_rule, sampling_grid
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import IOU, PROBABILITY, image_key, linked_table, with_model
from viz_app.app_pages.shown import Shown
from viz_app.figures import fast_rcnn as figures
from viz_app.figures.fast_rcnn_tables import best_iou, class_table, refinement_table, roi_order, roi_table
from viz_app.figures.feature_maps import (
    REDUCTIONS,
    cell_heatmap,
    channel_grid,
    channels_by_energy,
    reduce_channels,
)
from viz_app.figures.roi_grid import grid_groups
from viz_app.figures.roi_heat import object_ious
from viz_app.figures.roi_items import roi_items, selected_roi, slot_items
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.problems import literal

if TYPE_CHECKING:
    from torch import Tensor

    from viz_app.scene import Scene

MOST_ROIS = 1000
ROI_COLUMNS = {
    "probability": PROBABILITY,
    "background": st.column_config.NumberColumn(format="%.3f"),
    "best IoU": IOU,
}
_GRID_CHANNELS, _GRID_COLUMNS = 60, 12
_NUMBER = st.column_config.NumberColumn(format="%.2f")


def beside(scene: Scene) -> Shown:
    """The table of RoIs and the numbers of the selected one."""
    replay = scene.replay
    roi = _choose(scene)
    label = shown_label(scene, roi)
    slot = int(replay.slot_of(torch.tensor(roi), torch.tensor(label)))
    fate = figures.slot_fate_words(replay, slot)
    name = literal(replay.trace.categories[label])
    st.markdown(f"**RoI {roi}: {name}** {float(replay.class_scores[roi, label]):.3f}, {fate}")
    names = ("centre x", "centre y", "width", "height")
    st.dataframe(
        refinement_table(replay, roi, label), hide_index=True, column_config=dict.fromkeys(names, _NUMBER)
    )
    _say_iou(scene, roi, label)
    groups = ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    return Shown([*groups, *figures.selected_roi_groups(replay, roi, label, linked=False)])


def above(scene: Scene) -> Shown:
    """Whether the sampling grid is drawn, and the grid."""
    wanted = st.segmented_control(
        "Sampling grid",
        ["plain", "bins", "bins and points"],
        default="plain",
        required=True,
        key="fast_rcnn.grid",
        persist_state="session",
        label_visibility="collapsed",
        help="Where RoIAlign reads the feature map: its bins, and the sample points in each.",
    )
    if wanted in (None, "plain"):
        return Shown()
    with with_model():
        groups = grid_groups(scene.trace, _grid(scene, shown_roi(scene)))
        return Shown(groups if wanted == "bins and points" else groups[:1])
    return Shown()


def below(scene: Scene) -> None:
    """Crop, pooled features and class scores of the RoI; its channels and all its categories."""
    replay, roi = scene.replay, shown_roi(scene)
    features = _pooled(scene, roi)
    crop, pooled, classes = st.columns(3, gap="medium")
    with crop, st.container(border=True, height="stretch"):
        st.subheader("What RoIAlign covers", anchor=False)
        with with_model():
            _crop(scene, roi)
    with pooled, st.container(border=True, height="stretch"):
        st.subheader("Pooled features", anchor=False)
        if features is None:
            st.info("This trace was saved without features, and pooling them again needs the model.")
        else:
            _features(scene, features, roi)
    with classes, st.container(border=True, height="stretch"):
        st.subheader("Class probabilities", anchor=False)
        show_chart(figures.score_bars(replay, roi), key="fast_rcnn.scores")
        st.caption(
            f"The five highest of {replay.class_scores.shape[1]}. Grey: background. Dotted: the score "
            f"threshold {replay.thresholds.box_score:g}."
        )
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Most active channels", anchor=False)
        if features is not None:
            _channels(features)
    with right, st.container(border=True, height="stretch"):
        _classes(scene, roi)


def _channels(features: Tensor) -> None:
    channels = channels_by_energy(features)[:_GRID_CHANNELS]
    st.image(channel_grid(features, channels, columns=min(_GRID_COLUMNS, len(channels))), width="stretch")
    st.caption(f"{len(channels)} of {len(features)}, by energy, each in its own range.")


def _pooled(scene: Scene, roi: int) -> Tensor | None:
    """RoIAlign's output for one RoI; None where a trace was saved without it and nothing can pool it again."""
    try:
        return scene.replayer.roi_features(scene.replay, torch.tensor([roi]))[0]
    except ValueError:
        return None


def shown_roi(scene: Scene) -> int:
    """The selected RoI, the one nearest to the selected object, or else that of the most probable category."""
    selected, truth = state.selection(), scene.trace.ground_truth
    roi = selected_roi(scene.replay, selected)
    if roi is not None:
        return roi
    if (
        selected is not None
        and selected.kind == "object"
        and truth is not None
        and selected.index < len(truth)
    ):
        return int(object_ious(scene.replay, selected.index).argmax())
    unlinked = state.widget(_unlinked_key(scene))
    if isinstance(unlinked, int) and 0 <= unlinked < len(scene.replay.head.boxes):
        return unlinked
    return int(roi_order(scene.replay)[0])


def shown_label(scene: Scene, roi: int) -> int:
    """The selected category of this RoI, or else its most probable one but background."""
    selected = state.selection()
    if selected is not None and selected.label and int(scene.replay.head.anchor[roi]) == selected.index:
        return min(selected.label, scene.replay.class_scores.shape[1] - 1)
    return int(figures.best_classes(scene.replay)[0][roi])


def rois_with_selected(scene: Scene, rois: Tensor) -> Tensor:
    """The RoIs of a table, the selected one in front where it is not among them."""
    roi = selected_roi(scene.replay, state.selection())
    if roi is None or bool((rois == roi).any()):
        return rois
    return torch.cat((rois.new_tensor([roi]), rois))


def _choose(scene: Scene) -> int:
    replay, roi = scene.replay, shown_roi(scene)
    rois = rois_with_selected(scene, roi_order(replay)[:MOST_ROIS])
    if selected_roi(replay, state.selection()) is None:
        # The table takes its first row for the one that is shown.
        rois = torch.cat((rois.new_tensor([roi]), rois[rois != roi]))
    items = roi_items(replay, rois)
    if not any(items):
        # RoIs of a training trace came of no known anchor, and a link cannot name them.
        st.number_input("RoI", 0, len(rois) - 1, step=1, key=_unlinked_key(scene))
        st.dataframe(roi_table(replay, rois), hide_index=True, column_config=ROI_COLUMNS, height=200)
        return shown_roi(scene)
    key = f"fast_rcnn.rois.{image_key(scene.trace)}"
    linked_table(roi_table(replay, rois), items, key, ROI_COLUMNS, required=True)
    return shown_roi(scene)


def _unlinked_key(scene: Scene) -> str:
    return f"fast_rcnn.roi.{image_key(scene.trace)}"


def _say_iou(scene: Scene, roi: int, label: int) -> None:
    before = best_iou(scene.replay, scene.trace.to_image(scene.replay.head.boxes[roi]))
    after = best_iou(scene.replay, figures.refined_box(scene.replay, roi, label))
    if before is not None and after is not None:
        st.caption(
            f"IoU with object #{before[0]}: {before[1]:.3f} before, and after the refinement {after[1]:.3f} "
            f"with #{after[0]}. Boxes in px, image frame."
        )


def _grid(scene: Scene, roi: int) -> SamplingGrid:
    head = scene.replay.head
    return sampling_grid(scene.trace, pooling_rule(scene.detector), head.boxes[roi], int(head.level[roi]))


def _crop(scene: Scene, roi: int) -> None:
    grid = _grid(scene, roi)
    show_chart(figures.crop_figure(scene.trace, grid), key="fast_rcnn.crop")
    rows, columns, down, across = grid.points.shape[:4]
    st.caption(
        f"Squeezed to a square: {rows} × {columns} bins, {down} × {across} sample points in each, "
        f"{1 / grid.scale:g} px (network frame) to a cell."
    )


def _features(scene: Scene, features: Tensor, roi: int) -> None:
    channels = channels_by_energy(features)
    options = [*REDUCTIONS, *channels.tolist()]
    shown = st.selectbox(
        "Channel",
        options,
        format_func=lambda name: (
            f"{name} of all {len(channels)}" if isinstance(name, str) else f"channel {name}"
        ),
        key="fast_rcnn.channel",
        persist_state="session",
        label_visibility="collapsed",
        help="Channels are sorted by their energy in this RoI.",
    )
    values = reduce_channels(features, shown) if isinstance(shown, str) else features[int(shown or 0)]
    show_chart(cell_heatmap(values, height=232), key="fast_rcnn.features")
    level = int(scene.replay.head.level[roi])
    st.caption(f"{features.shape[0]} × {features.shape[1]} × {features.shape[2]} from pyramid level {level}.")


def _classes(scene: Scene, roi: int) -> None:
    """All categories of the RoI; selecting one shows the box that its deltas give."""
    replay = scene.replay
    st.subheader("Every category of this RoI", anchor=False)
    labels = replay.class_scores[roi].argsort(descending=True, stable=True)
    slots = replay.slot_of(torch.full_like(labels, roi), labels.clamp(min=1))
    items = [
        None if label == 0 else item
        for label, item in zip(labels.tolist(), slot_items(replay, slots), strict=True)
    ]
    columns = {"probability": PROBABILITY} | dict.fromkeys(("logit", "dx", "dy", "dw", "dh"), _NUMBER)
    linked_table(
        class_table(replay, roi, labels), items, f"fast_rcnn.classes.{image_key(scene.trace)}", columns
    )
    per_class = replay.class_boxes.shape[1] > 1
    st.caption(
        "Every category has deltas of its own: select one to see its box."
        if per_class
        else "The deltas are the same for every category: this head is class-agnostic."
    )
