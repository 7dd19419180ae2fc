"""What further heads say of one detection on Full network: its raw mask, its keypoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import place_of
from viz_app.figures.full_network import detection_items
from viz_app.figures.keypoints import keypoint_figure, keypoint_names, keypoints_of
from viz_app.figures.masks import mask_figure

if TYPE_CHECKING:
    from viz_app.scene import Scene


def show_masks(scene: Scene) -> None:
    """The raw mask of the selected detection, or of the best one."""
    detection = _chosen_detection(scene)
    figure = None if detection is None else mask_figure(scene.replay, detection)
    if figure is None:
        st.info(_no_output("mask", detection))
        return
    chart, words = st.columns(2)
    with chart:
        show_chart(figure, key="full_network.mask")
    words.caption(
        f"Detection {detection}: probability of its own category's mask in {_cells(scene)} cells over its box, "
        "before it is stretched and pasted into the image. Inside is 0.5 and more."
    )


def show_keypoints(scene: Scene) -> None:
    """One keypoint of the selected detection, or of the best one, and the map that it was read from."""
    detection = _chosen_detection(scene)
    points = None if detection is None else keypoints_of(scene.replay, detection)
    if detection is None or points is None:
        st.info(_no_output("keypoint", detection))
        return
    names = keypoint_names(len(points))
    chart, table = st.columns(2)
    with table:
        joint = st.selectbox(
            "Keypoint", range(len(names)), format_func=lambda place: names[place],
            key=f"full_network.joint.{len(names)}", persist_state="session",
        )  # fmt: skip
        x, y = points[joint].tolist()
        st.caption(f"x {x:.1f} px, y {y:.1f} px, image frame")
    with chart:
        figure = keypoint_figure(scene.replay, detection, joint)
        if figure is not None:
            show_chart(figure, key="full_network.keypoint")
    st.caption(f"Detection {detection}: the keypoint is where this map over its box is highest.")


def _chosen_detection(scene: Scene) -> int | None:
    """The selected detection, else the best one."""
    if len(scene.replay.labels) == 0:
        return None
    return place_of(detection_items(scene.replay), state.selection()) or 0


def _no_output(what: str, detection: int | None) -> str:
    if detection is None:
        return f"No detection, so no {what}."
    return (
        f"Detection {detection} has no {what}: the model ran this head for its own detections alone, under its own "
        "thresholds. Select another one, or reset the thresholds."
    )


def _cells(scene: Scene) -> str:
    logits = scene.trace.detections.mask_logits
    return "" if logits is None else f"{logits.shape[-2]} × {logits.shape[-1]}"
