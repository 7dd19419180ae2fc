"""Full network: the detections beside the objects, what became of each, and the model that did it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

import streamlit as st

from detector.explaining.first_detection import lowered_until_found
from detector.explaining.rungs import Rung
from viz_app import downloads, state
from viz_app.app_pages.full_network_views import show_views
from viz_app.app_pages.parts import image_key, linked_table, place_of, show_picture
from viz_app.canvas.candidates import preview_of
from viz_app.figures.full_network import detection_items, overview_groups
from viz_app.figures.keypoints import keypoint_overlay
from viz_app.figures.masks import mask_overlay
from viz_app.figures.outcome_tables import (
    FOUND_WORD,
    climb_words,
    detection_table,
    object_table,
    verdict_word,
)
from viz_app.figures.outcome_text import match_text, no_detection_words, outcome_text, outcome_words
from viz_app.links import Selected
from viz_app.problems import literal
from viz_app.sidebar.knobs import PREVIEWED, move_sliders

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler
    from streamlit.elements.lib.column_types import ColumnConfig
    from torch import Tensor

    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.thresholds import Thresholds
    from viz_app.scene import Scene

_PICTURE = "full_network.picture"
_SHORT = 7
_RED_ROW = "background-color: rgba(214, 69, 56, 0.10)"
_RED_PILL, _GREEN_PILL = "rgba(214, 69, 56, 0.24)", "rgba(0, 158, 115, 0.20)"


def render(scene: Scene) -> None:
    """Draw the page."""
    left, right = st.columns([0.48, 0.52], gap="small")
    # The picture is sent first: it is what people look at while a threshold moves.
    picture = left.container(border=True)
    groups, overlay = overview_groups(scene.replay, scene.diagnosis), _overlay(scene)
    with picture:
        show_picture(
            scene.trace.input.pixels,
            groups,
            key=_PICTURE,
            overlay=overlay,
            preview=preview_of(scene.replay, PREVIEWED),
            downloads_here=False,
        )
    with right, st.container(border=True):
        if scene.diagnosis is not None:
            _objects(scene.diagnosis)
        _detections(scene)
    with picture:
        downloads.offer(_PICTURE, scene.trace.input.pixels, groups, overlay)
    with st.expander(f"What happens here: {outcome_words(scene.replay)}."):
        st.markdown(outcome_text(scene.replay))
        if scene.diagnosis is not None:
            st.markdown(match_text(scene.diagnosis))
    show_views(scene, state.selection())


def _overlay(scene: Scene) -> Tensor | None:
    """Masks or keypoints: of the selected detection, or of the best ones."""
    place = place_of(detection_items(scene.replay), state.selection())
    members = None if place is None else [place]
    masks = mask_overlay(scene.replay, members)
    return keypoint_overlay(scene.replay, members) if masks is None else masks


def _objects(diagnosis: Diagnosis) -> None:
    st.subheader("Objects", anchor=False)
    if not diagnosis.verdicts:
        st.caption("The annotations say that this image holds no object.")
        return
    lost = [place for place, verdict in enumerate(diagnosis.verdicts) if verdict in diagnosis.lost]
    linked_table(
        _red_rows(object_table(diagnosis), lost),
        [Selected("object", verdict.object) for verdict in diagnosis.verdicts],
        f"full_network.objects.{image_key(diagnosis.replay.trace)}",
        {
            "object": st.column_config.TextColumn("", width=36),
            "category": st.column_config.TextColumn(width=76),
            "size, px": st.column_config.TextColumn(width=76),
            "best IoU": st.column_config.NumberColumn(format="%.2f", width=68),
            "verdict": _verdict_column(diagnosis),
        },
        height=_height(len(diagnosis.verdicts)),
    )
    chosen = _selected_verdict(diagnosis)
    if chosen is not None:
        _say_verdict(diagnosis, chosen)


def _say_verdict(diagnosis: Diagnosis, verdict: Verdict) -> None:
    """Where one object was lost and how many of its candidates got how far."""
    found = verdict.rung is Rung.FOUND
    name = diagnosis.replay.trace.categories[int(diagnosis.truth.labels[verdict.object])]
    badge = ":green-badge[found]" if found else f":red-badge[{literal(verdict_word(verdict.rung))}]"
    why = "" if found else f" {literal(verdict.reason)}"
    st.markdown(f"**#{verdict.object} {literal(name)}** {badge}{why}")
    st.caption(f"Candidates left after each rung: {literal(climb_words(verdict))}")


def _detections(scene: Scene) -> None:
    st.subheader("Detections", anchor=False)
    if len(scene.replay.labels) == 0:
        _nothing(scene)
        return
    linked_table(
        detection_table(scene.replay, scene.diagnosis),
        detection_items(scene.replay),
        f"full_network.detections.{image_key(scene.trace)}",
        {
            "category": st.column_config.TextColumn(width=76),
            "score": st.column_config.NumberColumn(format="%.3f", width=56),
            "matches": st.column_config.TextColumn(width=76),
            "IoU": st.column_config.TextColumn(width=44),
        },
        height=_height(len(scene.replay.labels)),
    )


def _nothing(scene: Scene) -> None:
    """Which step left nothing, and a button that brings the strongest candidate back."""
    st.info(no_detection_words(scene.replay))
    lowered = lowered_until_found(scene.replayer, scene.replay)
    if lowered is not None:
        st.button(
            f"Show the strongest: {_difference(scene.replay.thresholds, lowered)}",
            key="full_network.lower", on_click=move_sliders, args=(lowered,), type="primary",
        )  # fmt: skip


def _difference(before: Thresholds, after: Thresholds) -> str:
    """The score thresholds that differ, as the sliders name them."""
    named = (("rpn_score", "min. objectness"), ("box_score", "Score"))
    changed = [
        (name, getattr(after, field))
        for field, name in named
        if getattr(before, field) != getattr(after, field)
    ]
    return ", ".join(f"{name} {value:g}" for name, value in changed)


def _height(rows: int) -> Literal["content"] | None:
    """A short table shows all its rows, a long one scrolls."""
    return "content" if rows <= _SHORT else None


def _red_rows(table: pd.DataFrame, rows: Collection[int]) -> Styler:
    return table.style.apply(lambda row: [_RED_ROW if row.name in rows else ""] * len(row), axis=1)


def _verdict_column(diagnosis: Diagnosis) -> ColumnConfig:
    """Pills: green for found, red for each rung that lost an object."""
    words = list(dict.fromkeys(verdict_word(verdict.rung) for verdict in diagnosis.verdicts))
    colors = [_GREEN_PILL if word == FOUND_WORD else _RED_PILL for word in words]
    return st.column_config.MultiselectColumn(options=words, color=colors)


def _selected_verdict(diagnosis: Diagnosis | None) -> Verdict | None:
    selected = state.selection()
    if diagnosis is None or selected is None or selected.kind != "object":
        return None
    return next((verdict for verdict in diagnosis.verdicts if verdict.object == selected.index), None)
