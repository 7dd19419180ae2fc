"""Below the first screen of Full network: the path, matches, thresholds, classes, masks and the model's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.sweeps import nms_curve, score_curve
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.full_network_heads import show_keypoints, show_masks
from viz_app.app_pages.full_network_model import show_model
from viz_app.app_pages.thumbnails import show_thumbnail
from viz_app.figures.match_matrix import MOST_DETECTIONS, matrix_figure, picked_item
from viz_app.figures.path import Step, path_steps
from viz_app.figures.score_tables import class_table, score_figure
from viz_app.figures.strip import Stage
from viz_app.figures.threshold_curves import curve_figure
from viz_app.problems import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.explaining.verdicts import Diagnosis
    from viz_app.links import Selected
    from viz_app.scene import Scene

_PATH, _MATCHES, _THRESHOLDS, _CLASSES = "Path", "Matches", "Thresholds", "Classes and scores"
_MASKS, _KEYPOINTS, _MODEL = "Masks", "Keypoints", "Model"
_MATRIX = "full_network.matrix"
_CLASS_COLUMNS = {
    "category": st.column_config.TextColumn(width=84),
    **{
        name: st.column_config.NumberColumn(format="localized", width=58)
        for name in ("objects", "found", "missed", "false", "slots")
    },
    "detections": st.column_config.NumberColumn(format="localized", width=76),
    "best score": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1, width=110),
    "mean score": st.column_config.NumberColumn(format="%.3f", width=80),
}


# A fragment: another view draws this part of the page again and nothing else.
@fragment
def show_views(scene: Scene, selected: Selected | None) -> None:
    """One of the views that the model and the image have.

    Args:
        scene: what is looked at.
        selected: what was selected when the page above was drawn.
    """
    if state.selection() != selected:
        st.rerun()
    views = _views(scene)
    with st.container(border=True):
        own = ".".join(name for name in (_MASKS, _KEYPOINTS) if name in views)
        view = st.segmented_control(
            "Look closer", list(views), default=_PATH, required=True, key=f"full_network.view.{own}",
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
        views.get(view or _PATH, _path)(scene)


def _views(scene: Scene) -> dict[str, Callable[[Scene], None]]:
    found = scene.trace.detections
    return {
        _PATH: _path,
        _MATCHES: _matches,
        _THRESHOLDS: _thresholds,
        _CLASSES: _classes,
        **({} if found.mask_logits is None else {_MASKS: show_masks}),
        **({} if found.keypoint_logits is None else {_KEYPOINTS: show_keypoints}),
        _MODEL: show_model,
    }


def _path(scene: Scene) -> None:
    steps = path_steps(scene.replay, scene.diagnosis)
    for column, step in zip(st.columns(len(steps), gap="small"), steps, strict=True):
        with column:
            _step(step)


def _step(step: Step) -> None:
    from viz_app.shell import page_of  # the shell imports pages when they are opened

    show_thumbnail(step.thumbnail)
    count = f"  \n:small[{literal(step.count)}]" if step.count else ""
    st.markdown(f"**{step.title}**{count}  \n:small[:gray[{literal(step.note)}]]")
    page = None if step.stage is Stage.DETECTIONS else page_of(step.stage)
    if page is not None:
        st.page_link(
            page, label="open", help=page.title, icon=":material/arrow_forward:", icon_position="right"
        )


def _matches(scene: Scene) -> None:
    diagnosis = scene.diagnosis
    if diagnosis is None:
        st.info("Matches need annotated objects: open a bundled scene, or a data set with its annotations.")
        return
    if len(diagnosis.truth) == 0 or len(scene.replay.labels) == 0:
        nothing = "no object" if len(diagnosis.truth) == 0 else "no detection"
        st.info(f"Nothing to compare: there is {nothing} on this image under these thresholds.")
        return
    key = f"{_MATRIX}.{state.selection()}"
    show_chart(
        matrix_figure(diagnosis, state.selection()), key=key, on_select=lambda: _pick_pair(diagnosis, key)
    )
    count = len(scene.replay.labels)
    rest = f" The {MOST_DETECTIONS} best of {count:,} are shown." if count > MOST_DETECTIONS else ""
    st.caption(
        "IoU in the image frame. Framed: matches, best score first, each of an object of its category with an IoU "
        f"of at least {diagnosis.iou:g}. A click selects the detection, a second click its object.{rest}"
    )


def _pick_pair(diagnosis: Diagnosis, key: str) -> None:
    points = state.selected_points(key)
    if points:
        index, detection = points[0]["customdata"]
        state.select(picked_item(diagnosis, (int(index), int(detection)), state.selection()))


def _thresholds(scene: Scene) -> None:
    truth = None if scene.diagnosis is None else scene.diagnosis.truth
    objects = None if scene.diagnosis is None else len(scene.diagnosis.verdicts)
    curves = (score_curve(scene.replay, truth), nms_curve(scene.replay, truth))
    for column, curve in zip(st.columns(2), curves, strict=True):
        with column:
            show_chart(curve_figure(curve, objects), key=f"full_network.{curve.field}")
    st.caption(
        "Counts on this image while one threshold moves and all others stay: exact at every score, and by a replay "
        f"of the box filter at {len(curves[1].values)} values of NMS. The RPN filter stays as it is."
    )


def _classes(scene: Scene) -> None:
    table, chart = st.columns([0.64, 0.36])
    with table:
        st.dataframe(
            class_table(scene.replay, scene.diagnosis), hide_index=True,
            column_config=_CLASS_COLUMNS,
        )  # fmt: skip
    with chart:
        show_chart(score_figure(scene.replay, scene.diagnosis), key="full_network.scores")
    st.caption("Slots: pairs of RoI and class over the score threshold, before NMS. Dashed: the threshold.")
