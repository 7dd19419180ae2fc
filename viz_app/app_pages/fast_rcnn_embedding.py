"""All RoIs as a map of their embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.tracing.projection import Projection, principal_plane
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.fast_rcnn_roi import shown_label
from viz_app.app_pages.parts import image_key
from viz_app.app_pages.shown import Shown
from viz_app.figures.embedding_map import ColorBy, clicked_roi, embedding_figure, labels_of
from viz_app.figures.fast_rcnn import selected_roi_groups
from viz_app.figures.roi_items import roi_items, selected_roi
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.problems import literal

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.replay import Replay
    from viz_app.scene import Scene

_KEPT = "fast_rcnn.plane"


def beside(scene: Scene) -> Shown:
    """The map; a click on a point selects its RoI."""
    replay, truth = scene.replay, scene.trace.ground_truth
    groups = ground_truth_group(truth, scene.trace.categories)
    if replay.head.embedding is None:
        st.info("The embeddings were not kept in this trace. Capture the image again to see them.")
        return Shown(groups)
    options: list[ColorBy] = ["predicted"] if truth is None else ["predicted", "true"]
    by = st.segmented_control(
        "Colour",
        options,
        default="predicted",
        required=True,
        format_func=lambda name: f"by {name} category",
        key=f"fast_rcnn.color.{len(options)}",
        persist_state="session",
        label_visibility="collapsed",
    )
    roi = selected_roi(replay, state.selection())
    color: ColorBy = "true" if by == "true" else "predicted"
    labels, plane = labels_of(replay, color), _plane(replay.head.embedding)
    table = f"fast_rcnn.embedding.{image_key(scene.trace)}.{by}"
    key = state.table_key(table)
    show_chart(
        embedding_figure(replay, plane, labels, roi),
        key=key,
        on_select=lambda: _select(replay, key, table),
        scroll_zoom=True,
    )
    st.caption(
        f"The {replay.head.embedding.shape[1]} numbers of each of {len(labels):,} RoIs, on the plane where they "
        f"differ most (PCA). A true category is that of the object covered with an IoU of 0.5 or more."
    )
    if roi is None:
        return Shown(groups)
    label = shown_label(scene, roi)
    name = literal(scene.trace.categories[label])
    st.markdown(f"**RoI {roi}: {name}** {float(replay.class_scores[roi, label]):.3f}")
    return Shown(groups + selected_roi_groups(replay, roi, label))


def _plane(embedding: Tensor) -> Projection:
    """The plane, kept while the embeddings are the same: a click must not wait for it."""
    known: tuple[Tensor, Projection] | None = state.remembered(_KEPT, None)
    if known is not None and known[0] is embedding:
        return known[1]
    plane = principal_plane(embedding)
    state.remember(_KEPT, (embedding, plane))
    return plane


def _select(replay: Replay, key: str, table: str) -> None:
    roi = clicked_roi(state.selected_points(key))
    if roi is not None and roi < len(replay.head.boxes):
        state.select(roi_items(replay, torch.tensor([roi]))[0], table)
