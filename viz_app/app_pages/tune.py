"""Tune: many trials with other settings, what came of them, and the best ones to go on with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from detector.training.tuning_worker import CAPTURE
from viz_app import state
from viz_app.app_pages.tune_form import CHOSEN, KINDS, TROUBLE, show_form
from viz_app.app_pages.tune_result import show_best, show_charts, show_numbers, show_trials
from viz_app.figures.words import plural
from viz_app.job_check import check_study
from viz_app.jobs.studies import (
    Shown,
    at_work,
    config_of,
    problem_of,
    read,
    stamp_of,
    start,
    stop,
    study_names,
)
from viz_app.jobs.workspace import studies_folder
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.training.tuning import StudyConfig
    from viz_app.scene import Scene

_LOOK, _DRAW = 1.0, 2.0
_WORKERS = "tune.workers"


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image."""
    show_form()
    names = study_names()
    if not names:
        with st.container(border=True):
            st.markdown(
                "**No study yet.** Start one above: the thresholds of the bundled detector on a hundred drawn "
                "scenes take about half a minute, and need no training."
            )
        return
    if state.widget(CHOSEN) not in names:
        state.set_widget(CHOSEN, names[0])
    with st.container(border=True):
        name = str(st.selectbox("Study", names, key=CHOSEN, format_func=_label))
        shown = read(name)
        _standing(name, shown)
    view = shown.view
    if view is None or not view.trials:
        return
    show_numbers(view)
    show_best(view, scene)
    show_charts(view)
    show_trials(view)


def _standing(name: str, shown: Shown) -> None:
    """How the study stands: a bar that moves while it is at work, else why it does not and a button to go on."""
    if at_work(name):
        _watch(name, shown.stamp, time.monotonic())
        return
    config = config_of(name)
    problem = problem_of(name) or shown.problem
    if problem:
        st.markdown(f":red-badge[failed] {literal(as_sentence(problem))}")
    view = shown.view
    if config is None or (view is not None and view.ended >= config.trials and not problem):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if not problem:
            done = 0 if view is None else view.ended
            st.markdown(
                f":orange-badge[stopped] {done:,} of {plural(config.trials, 'trial')} are done and kept."
            )
        st.button("Go on", key="tune.go_on", icon=":material/play_arrow:", on_click=_go_on, args=(config,))


@st.fragment(run_every=_LOOK)
def _watch(name: str, stamp: str, drawn: float) -> None:
    """A bar that moves by itself; the page is drawn anew only when the study has changed."""
    now = stamp_of(name)
    if now != stamp and (time.monotonic() - drawn > _DRAW or not at_work(name)):
        st.rerun()
    shown = read(name)
    bar, button = st.columns([0.86, 0.14], vertical_alignment="center")
    config = config_of(name)
    ended, total = (0, 1) if shown.view is None else (shown.view.ended, shown.view.config.trials)
    words = f"{ended:,} of {plural(total, 'trial')}" if shown.view is not None else "Starting"
    if not ended and config is not None and config.kind == "thresholds":
        words = _captured(name) or "Starting: the detector is being loaded"
    bar.progress(min(ended / total, 1.0), words)
    button.button(
        "Stop", key="tune.stop", icon=":material/stop:", on_click=stop, args=(name,), width="stretch",
        help="Trials at hand wait again; what is done stays.",
    )  # fmt: skip
    st.caption("It goes on when this page is closed.")


def _captured(name: str) -> str:
    """How far the images are captured, in words."""
    for path in (studies_folder() / name).glob(f"{CAPTURE}*.txt"):
        try:
            done, total = path.read_text().split()
        except (OSError, ValueError):
            continue  # it is done, or being written
        return f"Capturing images: {done} of {total}"
    return ""


def _go_on(config: StudyConfig) -> None:
    workers = state.widget(_WORKERS)
    state.remember(TROUBLE, "")
    try:
        check_study(config)
    except (OSError, ValueError) as problem:
        state.remember(TROUBLE, f"the study cannot go on: {problem}")
        return
    start(config, workers if isinstance(workers, int) else 1)


def _label(name: str) -> str:
    config = config_of(name)
    if config is None:
        return name
    changed = plural(len(config.parameters), "setting")
    return f"{name} · {KINDS[config.kind].lower()}, {changed}, for {' and '.join(config.objectives)}"
