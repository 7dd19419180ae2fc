"""The Scores and Top-k views: what the RPN's head says of every anchor, and of the best ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.rpn_parts import ROWS, Drawn, linked_anchors, selected_details
from viz_app.figures import rpn as figures
from viz_app.figures.rpn_charts import delta_histograms, objectness_histogram

if TYPE_CHECKING:
    from viz_app.scene import Scene

_REFINEMENTS: dict[str, figures.Refinement] = {"before": "anchors", "moved": "moved", "clipped": "clipped"}


def objectness_view(scene: Scene) -> Drawn:
    """Objectness of one level as a heat map, and the level's strongest anchors."""
    trace = scene.trace
    levels = range(len(trace.rpn.grid))
    level = st.pills(
        "Pyramid level",
        levels,
        default=0,
        required=True,
        format_func=lambda index: f"{index} · stride {figures.stride(trace, index):g}",
        key=f"rpn.level.{len(levels)}",
        persist_state="session",
    )
    level = level or 0
    kinds = figures.anchor_kinds(trace, level)
    columns = st.columns(2)
    kind = columns[0].selectbox(
        "Anchor, px, network frame",
        [None, *range(len(kinds))],
        format_func=lambda index: f"strongest of {len(kinds)}" if index is None else kinds[index],
        key=f"rpn.kind.{level}",
        persist_state="session",
    )
    opacity = columns[1].slider("Opacity", 0.0, 1.0, 0.75, 0.05, key="rpn.opacity", persist_state="session")
    anchors = figures.top_anchors(scene.replay, ROWS, level)
    st.caption(f"The {len(anchors)} strongest anchors of level {level}; select one to see it.")
    groups = linked_anchors(scene, anchors, "objectness", [])
    overlay = figures.objectness_overlay(trace, level, kind, opacity=opacity)
    return Drawn(groups, overlay, figures.scale_html(), below=lambda: _outputs(scene))


def _outputs(scene: Scene) -> None:
    """Histograms of what the head gave all anchors."""
    selected_details(scene)
    with st.container(border=True):
        left, right = st.columns([0.3, 0.7], gap="medium")
        with left:
            st.subheader("Objectness", anchor=False)
            show_chart(objectness_histogram(scene.replay), key="rpn.scores")
        with right:
            st.subheader("Deltas", anchor=False)
            show_chart(delta_histograms(scene.replay), key="rpn.deltas")
        st.caption("Grey: all anchors. Blue: those that became proposals.")


def strongest_view(scene: Scene) -> Drawn:
    """The anchors of highest objectness, before and after their deltas and the clipping."""
    columns = st.columns(2)
    count = columns[0].slider(
        "Anchors of highest objectness", 1, ROWS, 20, key="rpn.count", persist_state="session"
    )
    shown = columns[1].pills(
        "Show",
        list(_REFINEMENTS),
        selection_mode="multi",
        default=["before", "clipped"],
        help="Dotted: the anchors. Dashed: where their deltas move them. Solid: the same, clipped to the image.",
        key="rpn.shown",
        persist_state="session",
    )
    anchors = figures.top_anchors(scene.replay, count)
    groups = figures.top_groups(scene.replay, anchors, [_REFINEMENTS[name] for name in shown])
    outside = figures.clipped_count(scene.replay, anchors)
    st.caption(f"{outside} of these {len(anchors)} boxes reached over the image's edge and were clipped.")
    groups = linked_anchors(scene, anchors, "strongest", groups)
    return Drawn(groups, below=lambda: selected_details(scene))
