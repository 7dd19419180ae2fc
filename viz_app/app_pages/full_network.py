"""Full network: the detections beside the objects, what became of each, and the model that did it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.rungs import Rung
from viz_app import state
from viz_app.app_pages.parts import image_key, linked_table, place_of
from viz_app.figures.full_network import detection_items, overview_groups, overview_picture
from viz_app.figures.module_tree import module_rows, module_table
from viz_app.figures.outcome_tables import (
    FOUND_WORD,
    climb_words,
    detection_table,
    object_table,
    verdict_word,
)
from viz_app.figures.outcome_text import no_detection_words, outcome_text, outcome_words
from viz_app.figures.picture import CONFIG, legend_html
from viz_app.links import Selected
from viz_app.problems import literal

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler
    from streamlit.elements.lib.column_types import ColumnConfig
    from torch import Tensor

    from detector.explaining.ladder import Diagnosis, Verdict
    from viz_app.scene import Scene

_RED_ROW = "background-color: rgba(214, 69, 56, 0.10)"
_RED_PILL, _GREEN_PILL = "rgba(214, 69, 56, 0.24)", "rgba(0, 158, 115, 0.20)"


def render(scene: Scene) -> None:
    """Draw the page."""
    left, right = st.columns([0.48, 0.52], gap="small")
    with right, st.container(border=True):
        if scene.diagnosis is not None:
            _objects(scene.diagnosis)
        _detections(scene)
    with left, st.container(border=True):
        _picture(scene)
    with st.expander(f"What happens here: {outcome_words(scene.replay)}."):
        st.markdown(outcome_text(scene.replay))
    with st.expander("The model, part by part", expanded=True):
        _modules(scene)


def _picture(scene: Scene) -> None:
    lost = [] if scene.diagnosis is None else [verdict.object for verdict in scene.diagnosis.lost]
    false = () if scene.diagnosis is None else scene.diagnosis.false_positives
    figure = overview_picture(scene.replay, lost=lost, false=false, selected=_selected_box(scene))
    height, width = scene.trace.input.image_size
    # As large as the column lets it be, without an empty band below.
    st.html(f"<style>.st-key-picture {{ aspect-ratio: {width} / {height}; max-height: 85vh; }}</style>")
    with st.container(key="picture"):
        st.plotly_chart(figure, height="stretch", config=CONFIG, key="overview")
    st.html(legend_html(overview_groups(scene.replay, lost=lost, false=false)))


def _selected_box(scene: Scene) -> Tensor | None:
    """The box of the object or of the detection that is selected."""
    verdict = _selected_verdict(scene.diagnosis)
    if scene.diagnosis is not None and verdict is not None:
        return scene.diagnosis.truth.boxes[verdict.object]
    place = place_of(detection_items(scene.replay), state.selection())
    return None if place is None else scene.replay.boxes[place]


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
        st.info(no_detection_words(scene.replay))
        return
    linked_table(
        detection_table(scene.replay, scene.diagnosis),
        detection_items(scene.replay),
        f"full_network.detections.{image_key(scene.trace)}",
        {
            "category": st.column_config.TextColumn(width=76),
            "score": st.column_config.NumberColumn(format="%.3f", width=56),
            "matches": st.column_config.TextColumn(width=76),
        },
    )


def _modules(scene: Scene) -> None:
    for note in scene.detector.notes:
        st.caption(literal(note))
    rows = module_rows(scene.detector, scene.replay)
    st.dataframe(
        module_table(rows),
        hide_index=True,
        height="content",
        column_config={
            "parameters": st.column_config.NumberColumn(format="localized"),
            "trainable": st.column_config.NumberColumn(format="localized"),
            "share": st.column_config.ProgressColumn(format="percent", max_value=1.0),
        },
    )


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
