"""Fast R-CNN: one RoI through the second stage, and what became of all class slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from viz_app.app_pages.fast_rcnn_explained import explain_fast_rcnn
from viz_app.app_pages.parts import IOU, PROBABILITY, image_key, select_row, show_picture
from viz_app.figures import fast_rcnn as figures
from viz_app.figures.fast_rcnn_tables import (
    best_iou,
    refinement_table,
    roi_order,
    roi_table,
    slot_ledger_table,
)
from viz_app.figures.feature_maps import (
    REDUCTIONS,
    cell_heatmap,
    channel_grid,
    channels_by_energy,
    reduce_channels,
)
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.problems import literal

if TYPE_CHECKING:
    from torch import Tensor

    from viz_app.scene import Scene

_MOST_ROIS = 1000
_GRID_CHANNELS, _GRID_COLUMNS = 60, 12
_PLAIN = {"displayModeBar": False}
_ROI_COLUMNS = {
    "probability": PROBABILITY,
    "background": st.column_config.NumberColumn(format="%.3f"),
    "best IoU": IOU,
}


def render(scene: Scene) -> None:
    """Draw the page."""
    if len(scene.replay.head.boxes) == 0:
        st.info(
            "No proposal reached the second stage. Raise the RPN's top-n or lower its score in the sidebar; "
            "the RPN page shows what removed them."
        )
        return
    _stage(scene)


# A fragment: choosing a RoI or a channel draws this page again and nothing else.
@st.fragment
def _stage(scene: Scene) -> None:
    rois = roi_order(scene.replay)[:_MOST_ROIS]
    left, right = st.columns([0.5, 0.5], gap="medium")
    with right, st.container(border=True, height="stretch"):
        roi, label = _choose(scene, rois)
    with left, st.container(border=True, height="stretch"):
        _picture(scene, rois, roi, label)
    _inside(scene, roi)
    _outcome(scene, roi, label)
    with st.expander(f"What happens here to RoI {roi}"):
        st.markdown(explain_fast_rcnn(scene, roi, label))


def _choose(scene: Scene, rois: Tensor) -> tuple[int, int]:
    """The table of RoIs and the numbers of the selected one; (RoI, most probable category)."""
    replay = scene.replay
    table = roi_table(replay, rois)
    key = f"fast_rcnn.rois.{image_key(scene.trace)}"
    row = select_row(table, key, _ROI_COLUMNS, required=True) or 0
    roi = int(rois[row])
    label = int(figures.best_classes(replay)[0][roi])
    name = literal(replay.trace.categories[label])
    st.markdown(f"**RoI {roi}: {name}** {float(replay.class_scores[roi, label]):.3f}, {table['fate'][row]}")
    st.dataframe(
        refinement_table(replay, roi, label),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.2f")
            for name in ("centre x", "centre y", "width", "height")
        },
    )
    _say_iou(scene, roi, label)
    return roi, label


def _say_iou(scene: Scene, roi: int, label: int) -> None:
    before = best_iou(scene.replay, scene.trace.to_image(scene.replay.head.boxes[roi]))
    after = best_iou(scene.replay, figures.refined_box(scene.replay, roi, label))
    if before is not None and after is not None:
        st.caption(
            f"IoU with object #{before[0]}: {before[1]:.3f} before, and after the refinement {after[1]:.3f} "
            f"with #{after[0]}. Boxes in px, image frame."
        )


def _picture(scene: Scene, rois: Tensor, roi: int, label: int) -> None:
    others = st.segmented_control(
        "Other RoIs",
        ["none", "by level"],
        default="none",
        required=True,
        format_func=lambda name: {"none": "This RoI", "by level": f"All {len(rois):,}, by pyramid level"}[
            name
        ],
        key="fast_rcnn.others",
        persist_state="session",
        label_visibility="collapsed",
    )
    groups = figures.level_groups(scene.replay, rois) if others == "by level" else []
    groups += ground_truth_group(scene.trace.ground_truth, scene.trace.categories)
    groups += figures.selected_roi_groups(scene.replay, roi, label)
    show_picture(scene.trace.input.pixels, groups, key="fast_rcnn.picture")


def _inside(scene: Scene, roi: int) -> None:
    """Crop, pooled features and class scores of the RoI, side by side."""
    replay = scene.replay
    features = scene.replayer.roi_features(replay, torch.tensor([roi]))[0]
    crop, pooled, classes = st.columns(3, gap="medium")
    with crop, st.container(border=True, height="stretch"):
        st.subheader("What RoIAlign covers", anchor=False)
        st.plotly_chart(figures.crop_figure(replay, roi), config=_PLAIN, key="fast_rcnn.crop")
        st.caption(
            f"The RoI squeezed to a square, with its {features.shape[-2]} × {features.shape[-1]} bins."
        )
    with pooled, st.container(border=True, height="stretch"):
        _features(scene, features, roi)
    with classes, st.container(border=True, height="stretch"):
        st.subheader("Class probabilities", anchor=False)
        st.plotly_chart(figures.score_bars(replay, roi), config=_PLAIN, key="fast_rcnn.scores")
        st.caption(
            f"The five highest of {replay.class_scores.shape[1]}. Grey: background. Dotted: the score "
            f"threshold {replay.thresholds.box_score:g}."
        )


def _features(scene: Scene, features: Tensor, roi: int) -> None:
    st.subheader("Pooled features", anchor=False)
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
    st.plotly_chart(cell_heatmap(values, height=232), config=_PLAIN, key="fast_rcnn.features")
    level = int(scene.replay.head.level[roi])
    st.caption(f"{features.shape[0]} × {features.shape[1]} × {features.shape[2]} from pyramid level {level}.")


def _outcome(scene: Scene, roi: int, label: int) -> None:
    """The most active channels, and what became of all class slots."""
    features = scene.replayer.roi_features(scene.replay, torch.tensor([roi]))[0]
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Most active channels", anchor=False)
        channels = channels_by_energy(features)[:_GRID_CHANNELS]
        st.image(channel_grid(features, channels, columns=min(_GRID_COLUMNS, len(channels))), width="stretch")
        st.caption(f"{len(channels)} of {len(features)}, by energy, each in its own range.")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Class slots by fate", anchor=False)
        slots = st.column_config.NumberColumn(format="localized", width="small")
        st.dataframe(slot_ledger_table(scene.replay), hide_index=True, column_config={"slots": slots})
        rois, classes = scene.replay.class_scores.shape
        st.caption(f"{rois:,} RoIs × {classes - 1} categories = {len(scene.replay.detections):,} slots.")
