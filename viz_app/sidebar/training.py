"""The Train panel: a detector, a data set and a recipe in, a training process out; closed, it is one button."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from viz_app import resources, state
from viz_app.controls import shown_detector
from viz_app.jobs.job import short_name
from viz_app.jobs.workspace import checkpoint_path
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.delta_generator import DeltaGenerator

    from detector.training.config import RunConfig
    from viz_app.detector_spec import DetectorSpec

_OPEN, _FROM, _NAME = "train open", "train.from", "train.name"
_LAUNCHED, _ANCHORS_FIRST = "train launches", "train anchors first"
_SHOWN, _SCRATCH = "shown", "scratch"
PAGE = "train"


def training_panel(place: DeltaGenerator) -> None:
    """Draw the button that opens the panel, and the panel over the page while it is open.

    Args:
        place: in the sidebar.
    """
    place.button(
        "Train …", icon=":material/model_training:", key="train.open", width="stretch", on_click=open_panel,
        help="Fine-tune this detector, or train a new one, in a process of its own.",
    )  # fmt: skip
    # Kept open: the page may be drawn anew beneath it, such as when an epoch of another run ends.
    if state.remembered(_OPEN, False):
        _panel()


def open_panel() -> None:
    """In a callback: unfold the panel."""
    state.remember(_OPEN, True)


def open_panel_with_anchors(sizes: Sequence[Sequence[float]], ratios: Sequence[float]) -> None:
    """In a callback: unfold the panel with these anchors in its fields.

    Args:
        sizes: network pixels, of each level.
        ratios: height / width.
    """
    from viz_app.sidebar.training_form import fill_anchors

    fill_anchors(sizes, ratios)
    state.remember(_ANCHORS_FIRST, True)
    open_panel()


def close_panel() -> None:
    """Fold it again; what was set stays for the next time."""
    state.remember(_OPEN, False)
    state.remember(_ANCHORS_FIRST, False)


@st.dialog("Train a detector", width="large", icon=":material/model_training:", on_dismiss=close_panel)
def _panel() -> None:
    from viz_app.sidebar import training_form as form

    spec, config = shown_detector(), None
    left, right = st.columns(2, gap="large")
    try:
        with left:
            scratch = _choose_start(spec)
            values = {} if scratch or spec is None else _model_of(spec)
            values |= form.data_fields(state.choice().survey.data) | form.place_fields()
        with right:
            anchors = "Body and anchors" if scratch else "Anchors"
            first = anchors if state.remembered(_ANCHORS_FIRST, False) else "Recipe"
            recipe, model, record = st.tabs(["Recipe", anchors, "Record"], default=first)
            with recipe:
                values |= form.recipe_fields(scratch)
            with model:
                values |= form.model_fields(scratch)
            with record:
                values |= form.record_fields()
        config = form.config_from(values | form.augmentation_values())
    except ValueError as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
    _launch_row(config, "pyramid" if spec is None or _starts_anew() else spec.source)


def _starts_anew() -> bool:
    return state.widget(_FROM) == _SCRATCH


def _choose_start(spec: DetectorSpec | None) -> bool:
    """Whether a new detector is trained, and not the one that the sidebar shows."""
    name = "this detector" if spec is None else short_name(spec.source)
    start = st.segmented_control(
        "Start from", (_SHOWN, _SCRATCH), default=_SHOWN, required=True, key=_FROM, persist_state="session",
        format_func=lambda kind: name if kind == _SHOWN else "from scratch",
        help="The sidebar's detector with its weights (its head is replaced where the data set has other "
        "categories), or a new pyramid detector with random ones.",
    )  # fmt: skip
    return start == _SCRATCH


def _model_of(spec: DetectorSpec) -> dict[str, Any]:
    """The sidebar's detector as settings; what only this session has becomes a file when it is launched."""
    return {"model.source": str(_path_of(spec) or spec.source), "model.weights": spec.weights}


def _path_of(spec: DetectorSpec) -> Path | None:
    """Where a detector is kept for a process that cannot see the session; None where its source is enough."""
    if spec.words.said():
        return checkpoint_path(f"{short_name(spec.source)}.safetensors", _digest(spec.key))
    return None if spec.data is None else Path(spec.kept_source)


def _launch_row(config: RunConfig | None, model: str) -> None:
    from viz_app.jobs import launching

    try:
        free, count = launching.free_name(model), launching.capacity()
    except (OSError, ValueError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return
    left, right = st.columns([0.72, 0.28], vertical_alignment="bottom")
    name = left.text_input(
        "Name", key=f"{_NAME}.{state.remembered(_LAUNCHED, 0)}", placeholder=free,
        help="Of the run, and of its folder in the workspace.",
    ).strip()  # fmt: skip
    # No callback: it would launch what the fields held before the last of them was left.
    wanted = right.button(
        "Launch", type="primary", icon=":material/rocket_launch:", key="train.launch", width="stretch",
        disabled=config is None,
    )  # fmt: skip
    if wanted and config is not None:
        _launch(name or free, config)
    elif launching.is_full(count):
        st.caption(f"This machine trains {count} at a time and is busy: the run will wait for its turn.")


def _launch(name: str, config: RunConfig) -> None:
    from viz_app.app_pages.dataset_choice import kept_for_jobs
    from viz_app.job_check import check_run
    from viz_app.jobs import launching
    from viz_app.shell import page_called  # the shell draws this panel

    try:
        check_run(config)
        _keep(shown_detector(), config)
        train, val = kept_for_jobs(config.data.train), kept_for_jobs(config.data.val)
        launching.launch(name, replace(config, data=replace(config.data, train=train, val=val)))
    except (OSError, ValueError) as problem:
        st.error(literal(as_sentence(f"the run cannot be launched: {problem}")), icon=":material/error:")
        return
    close_panel()
    state.remember(_LAUNCHED, state.remembered(_LAUNCHED, 0) + 1)  # the next one is called otherwise
    state.look_at_training(name)
    st.switch_page(page_called(PAGE))


def _keep(spec: DetectorSpec | None, config: RunConfig) -> None:
    """A detector that only this session knows becomes a file."""
    path = None if spec is None else _path_of(spec)
    if spec is None or path is None or config.model.source != str(path):
        return
    if spec.words.said():
        from detector.models.checkpoints import save_checkpoint

        detector = resources.detector(spec)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, detector.model, categories=detector.categories)
    else:
        spec.keep()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
