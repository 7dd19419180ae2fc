"""One run on the Train page: how far it is, its buttons and numbers; while it lives, drawn again by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from detector.judging.status import duration
from detector.training.metrics_log import best_of
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState
from viz_app import state
from viz_app.app_pages.changes import change_style, change_words
from viz_app.app_pages.train_curves import show_curves
from viz_app.app_pages.train_log import show_log
from viz_app.app_pages.train_now import show_now
from viz_app.app_pages.train_runs import state_words
from viz_app.app_pages.train_shown import (
    CURVES,
    LOG,
    VIEW,
    VIEWS,
    Mark,
    config_of_run,
    go_on,
    mark_of,
    measured,
    open_in_inspect,
    shown_view,
)
from viz_app.job_check import check_run
from viz_app.jobs import launching
from viz_app.jobs.slots import WAITING
from viz_app.jobs.training import last_words, look
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.training.metrics_log import EpochRow
    from detector.training.run_directory import Run
    from detector.training.run_status import RunStatus

EVERY_SECONDS = 2.0
_TROUBLE = "train run trouble"
_COLORS = {
    RunState.QUEUED: "gray", RunState.RUNNING: "blue", RunState.STOPPED: "orange", RunState.DONE: "green",
    RunState.FAILED: "red", RunState.DIED: "red",
}  # fmt: skip
_PHASES = {"starting": "starting", "training": "training", "validating": "looking at the validation images"}


@st.fragment(run_every=EVERY_SECONDS)
def show_run_by_itself(name: str, view: str, mark: Mark) -> None:
    """A run while one is at work, it or another: what is new is read every two seconds.

    Args:
        name: of the run.
        view: that the page was drawn for.
        mark: how things stood then.
    """
    _show(name, view, mark)


@st.fragment
def show_run(name: str, view: str, mark: Mark) -> None:
    """A run while nothing is at work; as `show_run_by_itself`."""
    _show(name, view, mark)


def _show(name: str, view: str, mark: Mark) -> None:
    go_on()
    if mark_of(name) != mark:
        st.rerun()  # a run began or ended, or an epoch is done: the list and the other views change, too
    run = look(name)
    with st.container(border=True):
        _head(run)
        if run.status is not None and run.status.is_alive:
            st.progress(share_done(run.status), progress_words(run.status))
        _say_end(run)
        _numbers(run)
    st.segmented_control(
        "View", VIEWS, default=CURVES, required=True, key=VIEW, persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    if shown_view() != view:
        st.rerun()
    if view == CURVES:
        show_curves(name)
        show_now(run)
    elif view == LOG:
        show_log(run)


def share_done(status: RunStatus) -> float:
    """How much of the steps is done, 0 to 1."""
    return min(status.step / status.steps, 1.0) if status.steps else 0.0


def progress_words(status: RunStatus) -> str:
    """How far a run is, in one line."""
    if status.state is RunState.QUEUED and status.phase == WAITING:
        return "Waiting for its turn: other runs are being trained"
    if not status.steps:
        return "Starting: the detector and the data set are being loaded"
    parts = [
        f"Epoch {min(status.epoch + 1, status.epochs):,} of {status.epochs:,}: {_PHASES.get(status.phase, '')}"
    ]
    parts.append(f"step {status.step:,} of {status.steps:,}")
    if status.rate:
        parts.append(f"{status.rate:.2g} steps/s" if status.rate < 10 else f"{status.rate:.0f} steps/s")
    if status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    return " · ".join(parts)


def _head(run: Run) -> None:
    """Name and state on the left, what can be done on the right."""
    status, directory = run.status, RunDirectory(run.folder)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        color = "gray" if status is None else _COLORS[status.state]
        st.markdown(f"#### {literal(run.name)} :{color}-badge[{state_words(run).split(' ', 1)[-1]}]")
        with st.container(horizontal=True, horizontal_alignment="right"):
            alive = status is not None and status.is_alive
            if alive:
                _button("Stop", "stop", "stop", partial(launching.stop, run.name))
            elif status is not None and status.state is not RunState.DONE and directory.resume.is_file():
                _button("Resume", "play_arrow", "resume", partial(_resume, run.name))
            best = directory.best
            _button(
                "Open in Inspect", "search", "inspect", partial(open_in_inspect, best), ready=best.is_file()
            )


def _button(label: str, icon: str, key: str, act: Callable[[], object], *, ready: bool = True) -> None:
    st.button(
        label, icon=f":material/{icon}:", key=f"train.{key}", disabled=not ready, on_click=_try, args=(act,),
        help=None if ready else "There is a checkpoint after the first epoch.",
    )  # fmt: skip


def _resume(name: str) -> None:
    config = config_of_run(name)
    if config is not None:
        check_run(config)
    launching.resume(name)


def _try(act: Callable[[], object]) -> None:
    state.remember(_TROUBLE, "")
    try:
        act()
    except (OSError, ValueError) as problem:
        state.remember(_TROUBLE, str(problem))


def _say_end(run: Run) -> None:
    """Why it is not at work, where that is not because it is done; and what went wrong with a button."""
    if trouble := state.remembered(_TROUBLE, ""):
        st.error(literal(as_sentence(trouble)), icon=":material/error:")
    if run.status is None:
        st.error(literal(as_sentence(run.problem or "this run was never begun")), icon=":material/error:")
        return
    message = run.status.message or {RunState.FAILED: "no reason was left"}.get(run.status.state, "")
    if run.status.state is RunState.DIED and not run.status.steps:
        message = last_words(run.folder) or message  # it ended before it could keep a status of its own
    if not message:
        return
    sentence = literal(as_sentence(message[:1].upper() + message[1:]))
    if run.status.state is RunState.STOPPED:
        st.warning(sentence, icon=":material/pause_circle:")
    elif run.status.state in (RunState.DIED, RunState.FAILED):
        again = (
            " Resume takes it up at its last checkpoint." if RunDirectory(run.folder).resume.is_file() else ""
        )
        st.error(sentence + again, icon=":material/error:")


def _numbers(run: Run) -> None:
    """Where it stands, as a row of numbers."""
    reader, config = measured(run.name), config_of_run(run.name)
    monitor = "AP" if config is None else config.monitor
    best = best_of(reader.epochs, monitor)
    last = reader.epochs[-1] if reader.epochs else None
    start = next((row for row in reader.epochs if row.epoch < 0), None)
    found = None if last is None or not last.recall else list(last.recall.values())[-1]
    loss = reader.steps[-1].total if reader.steps else None
    done = sum(row.epoch >= 0 for row in reader.epochs)
    seconds = reader.steps[-1].seconds if reader.steps else None
    values = (
        ("Epochs done", f"{done} of {run.status.epochs}" if run.status else "–", None, "Validated epochs."),
        (
            "Best AP",
            _number(None if best is None else best.AP),
            _gain(start, best),
            f"COCO's, of the epoch with the best {monitor}. Beneath: against the model before training.",
        ),
        (
            "AP now",
            _number(None if last is None else last.AP),
            _gain(start, last),
            "Of the last validation. Beneath: against before.",
        ),
        ("Found", "–" if found is None else f"{found:.1%}", None, "Validation objects found, IoU ≥ 0.5."),
        ("Loss", _number(loss), None, "Weighted sum of the losses, of the last step."),
        ("Trained for", "–" if seconds is None else duration(seconds), None, "Without pauses."),
    )
    for place, (label, value, delta, about) in zip(st.columns(len(values)), values, strict=True):
        place.metric(label, value, delta, help=about, **change_style(delta))


def _gain(start: EpochRow | None, row: EpochRow | None) -> str | None:
    """AP against that of the model before its first step."""
    if start is None or row is None or row.epoch < 0 or start.AP is None or row.AP is None:
        return None
    return change_words(row.AP - start.AP)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
