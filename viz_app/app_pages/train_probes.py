"""The time machine: what the detector made of a few images after every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.projection import principal_plane
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import show_picture
from viz_app.app_pages.train_frames import epochs_of, frame_of, glance_of, images_of
from viz_app.figures.embedding_map import embedding_figure, labels_of
from viz_app.figures.epoch_curves import epoch_name
from viz_app.figures.probe_pictures import (
    LAYERS,
    film_strip,
    frame_groups,
    frame_overlay,
    frame_scale,
    frames_shown,
)
from viz_app.figures.rung_strip import rung_strip, rung_words
from viz_app.jobs.workspace import run_folder
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from pathlib import Path

    from viz_app.figures.probe_pictures import Layer, ProbeFrame, ProbeGlance

_EPOCH, _IMAGE, _LAYER = "train.epoch", "train.probe", "train.layer"
_NONE = "There is no probe yet: the first ones are traced before the first step."
_OFF = "This run looks at no probe images. “Probe images” in the Train panel, under Record, says how many."


def show_probes(name: str) -> None:
    """Draw the view, or say why there is nothing to be seen."""
    folder = run_folder(name)
    epochs = epochs_of(folder)
    if not epochs:
        from viz_app.app_pages.train_shown import config_of_run

        config = config_of_run(name)
        st.info(_OFF if config is not None and config.probes == 0 else _NONE, icon=":material/info:")
        return
    _machine(name, folder, tuple(epochs), tuple(images_of(folder, epochs)))


@fragment
def _machine(name: str, folder: Path, epochs: tuple[int, ...], images: tuple[int, ...]) -> None:
    with st.container(border=True):
        image, layer, epoch = _choose(name, epochs, images)
        try:
            glances = _glances(folder, epochs, image)
            frame = frame_of(folder, epoch, image)
        except ValueError as problem:
            st.error(literal(as_sentence(problem)), icon=":material/error:")
            return
        st.image(film_strip(_spread(glances, epoch), layer, epoch), output_format="PNG")
    left, right = st.columns([0.5, 0.5], gap="small")
    with left, st.container(border=True, height="stretch"):
        _picture(name, frame, layer)
    with right, st.container(border=True, height="stretch"):
        _rungs(name, glances, epoch)
        _embedding(name, frame)


def _choose(name: str, epochs: tuple[int, ...], images: tuple[int, ...]) -> tuple[int, Layer, int]:
    """Image, layer and epoch."""
    left, middle, right = st.columns([0.24, 0.3, 0.46], vertical_alignment="bottom", gap="medium")
    image = left.segmented_control(
        "Probe image", images, default=images[0], required=True, key=f"{_IMAGE}.{name}", persist_state="session",
        format_func=lambda number: str(number + 1),
    )  # fmt: skip
    layer: Layer = middle.segmented_control(  # pyright: ignore[reportAssignmentType]
        "Show", LAYERS, default=LAYERS[0], required=True, key=_LAYER, persist_state="session"
    )
    key = f"{_EPOCH}.{name}"
    if len(epochs) == 1:
        right.caption(f"Traced so far: {_after(epochs[0])}.")
        return int(image or 0), layer, epochs[0]
    # The widget's own value goes while another view is looked at.
    kept, newest = state.remembered(key, (epochs[-1], epochs[-1]))
    stood = state.widget(key) if state.widget(key) in epochs else kept
    at = epochs[-1] if stood == newest or stood not in epochs else stood  # at the end it follows the run
    if state.widget(key) != at:
        state.set_widget(key, at)
    epoch = right.select_slider("After epoch", epochs, key=key, format_func=epoch_name)
    state.remember(key, (epoch, epochs[-1]))
    return int(image or 0), layer, int(epoch)


def _glances(folder: Path, epochs: tuple[int, ...], image: int) -> list[ProbeGlance]:
    """All epochs at a glance; a bar while many are read for the first time."""
    place = st.empty()
    glances = []
    for number, epoch in enumerate(epochs):
        glances.append(glance_of(folder, epoch, image))
        if number % 8 == 7:
            place.progress((number + 1) / len(epochs), "Reading the probes")
    place.empty()
    return glances


def _spread(glances: list[ProbeGlance], chosen: int) -> list[ProbeGlance]:
    shown = frames_shown([glance.epoch for glance in glances], chosen)
    return [glance for glance in glances if glance.epoch in shown]


def _picture(name: str, frame: ProbeFrame, layer: Layer) -> None:
    trace = frame.replay.trace
    st.subheader(f"{literal(trace.input.name)}, {_after(frame.epoch)}", anchor=False)
    show_picture(
        trace.input.pixels,
        frame_groups(frame, layer),
        key="train.probe_picture",
        overlay=frame_overlay(frame, layer),
        scale=frame_scale(layer),
        on_pick=_nothing,
    )


def _rungs(name: str, glances: list[ProbeGlance], epoch: int) -> None:
    st.subheader("How far each object came", anchor=False)
    if not glances[-1].rungs:
        st.caption("There is no object on this image.")
        return
    # Drawn anew with each choice, so that a square can be clicked again.
    key = f"train.rungs.{name}.{epoch}"
    show_chart(rung_strip(glances, epoch), key=key, on_select=lambda: _pick(key, name))
    st.caption(f"{rung_words(glances)} Click a square to go to its epoch.")


def _embedding(name: str, frame: ProbeFrame) -> None:
    replay = frame.replay
    if replay.head.embedding is None or len(replay.head.boxes) == 0:
        return
    known = replay.trace.ground_truth is not None
    st.subheader("Embeddings of the RoIs", anchor=False)
    plane = principal_plane(replay.head.embedding)
    labels = labels_of(replay, "true" if known else "predicted")
    show_chart(embedding_figure(replay, plane, labels, height=300), key=f"train.embedding.{name}")
    what = "the object that it covers" if known else "what it is taken for"
    st.caption(
        f"Each point is a RoI, coloured by {what}. Training pulls the classes apart. Axes are of this epoch."
    )


def _after(epoch: int) -> str:
    return "before training" if epoch < 0 else f"after epoch {epoch_name(epoch)}"


def _pick(key: str, name: str) -> None:
    picked = [point.get("customdata") for point in state.selected_points(key)]
    if picked and picked[0] is not None:
        value = picked[0][0] if isinstance(picked[0], list) else picked[0]
        state.set_widget(f"{_EPOCH}.{name}", int(value))


def _nothing(x: float, y: float) -> None:
    """A click on a probe selects nothing: what the app looks at is the sidebar's image."""
