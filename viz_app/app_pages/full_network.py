"""Full network: the detections beside the objects, what became of each, and the model that did it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.rungs import Rung
from viz_app import state
from viz_app.figures.full_network import overview_groups, overview_picture
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
from viz_app.problems import literal

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler
    from streamlit.elements.arrow import DataframeStateInput
    from streamlit.elements.lib.column_types import ColumnConfig
    from torch import Tensor

    from detector.explaining.ladder import Diagnosis, Verdict
    from detector.tracing.replay import Replay
    from viz_app.scene import Scene

_RED_ROW = "background-color: rgba(214, 69, 56, 0.10)"
_RED_PILL, _GREEN_PILL = "rgba(214, 69, 56, 0.24)", "rgba(0, 158, 115, 0.20)"
_PICKED, _PICKS = "picked detection", "picks"


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
    """The box of the object or of the detection that was picked in a table or in the strip."""
    verdict = None if scene.diagnosis is None else _verdict_of(scene.diagnosis, state.choice().object)
    if scene.diagnosis is not None and verdict is not None:
        return scene.diagnosis.truth.boxes[verdict.object]
    picked = _picked_detection(scene)
    return None if picked is None else scene.replay.boxes[picked]


def _objects(diagnosis: Diagnosis) -> None:
    st.subheader("Objects", anchor=False)
    if not diagnosis.verdicts:
        st.caption("The annotations say that this image holds no object.")
        return
    table = object_table(diagnosis)
    objects = [verdict.object for verdict in diagnosis.verdicts]
    chosen = _verdict_of(diagnosis, state.choice().object)
    key = f"objects.{_generation(diagnosis.replay)}"
    st.dataframe(
        _red_rows(
            table, [place for place, verdict in enumerate(diagnosis.verdicts) if verdict in diagnosis.lost]
        ),
        hide_index=True,
        key=key,
        on_select=lambda: _pick_object(key, objects),
        selection_mode="single-row",
        selection_default=None if chosen is None else _row(objects.index(chosen.object)),
        column_config={
            "object": st.column_config.TextColumn("", width=36),
            "category": st.column_config.TextColumn(width=76),
            "size, px": st.column_config.TextColumn(width=76),
            "best IoU": st.column_config.NumberColumn(format="%.2f", width=68),
            "verdict": _verdict_column(diagnosis),
        },
    )
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
    key = f"detections.{_generation(scene.replay)}.{scene.replay.thresholds}"
    picked = _picked_detection(scene)
    st.dataframe(
        detection_table(scene.replay, scene.diagnosis),
        hide_index=True,
        key=key,
        on_select=lambda: _pick_detection(key, scene),
        selection_mode="single-row",
        selection_default=None if picked is None else _row(picked),
        column_config={
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


def _verdict_of(diagnosis: Diagnosis, index: int | None) -> Verdict | None:
    return next((verdict for verdict in diagnosis.verdicts if verdict.object == index), None)


def _picked_detection(scene: Scene) -> int | None:
    """Index of the picked detection; other thresholds number the detections anew."""
    thresholds, index = state.remembered(_PICKED, (None, 0))
    known = thresholds == scene.replay.thresholds and index < len(scene.replay.labels)
    return index if known else None


def _pick_object(key: str, objects: list[int]) -> None:
    rows = state.selected_rows(key)
    state.choose(replace(state.choice(), object=objects[rows[0]] if rows else None))
    state.remember(_PICKED, (None, 0))
    _forget_other_table()


def _pick_detection(key: str, scene: Scene) -> None:
    rows = state.selected_rows(key)
    state.choose(replace(state.choice(), object=None))
    state.remember(_PICKED, (scene.replay.thresholds, rows[0]) if rows else (None, 0))
    _forget_other_table()


def _forget_other_table() -> None:
    """One thing is picked at a time; a table gives up its selection only under a new key."""
    state.remember(_PICKS, state.remembered(_PICKS, 0) + 1)


def _generation(replay: Replay) -> str:
    return f"{state.remembered(_PICKS, 0)}.{replay.trace.detector}.{replay.trace.input.name}"


def _row(place: int) -> DataframeStateInput:
    return {"selection": {"rows": [place], "columns": [], "cells": []}}
