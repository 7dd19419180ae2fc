"""The upper card of the Data set page: choose a data set, let it be diagnosed, and see how far that is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import streamlit as st

from detector.judging.status import duration
from viz_app import state
from viz_app.app_pages.dataset_choice import (
    choose_dataset,
    kept_for_jobs,
    look_at,
    opened,
    size_words,
    survey,
)
from viz_app.controls import shown_detector
from viz_app.dataset_scenes import files_written
from viz_app.figures.remedy_words import FIELD_WORDS, number_words
from viz_app.figures.words import plural
from viz_app.job_check import check_job
from viz_app.jobs import processes as jobs
from viz_app.jobs.job import Job, short_name
from viz_app.jobs.processes import JobState, Progress
from viz_app.jobs.workspace import diagnosis_folder, diagnosis_names
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from viz_app.scene import Scene

_LIMIT, _SHOWN, _TROUBLE = "dataset.limit", "dataset.run", "dataset trouble"
Slot = Literal["run", "versus"]
_EVERY_SECONDS = 1.0
_STEPS = ("diagnose", "recommend", "summarize")  # each counts the images anew


def choose_run(scene: Scene | None) -> str | None:
    """Draw the card; the name of the diagnosis that is shown, None where there is none yet."""
    with st.container(border=True):
        return _shown(ask_for_run(scene))


def ask_for_run(scene: Scene | None, slot: Slot = "run") -> Job | None:
    """The data set and the button that starts; what would be diagnosed, None where something is missing.

    Args:
        scene: of the sidebar.
        slot: what the diagnosis becomes when it is started: the one that is shown, or the one it is compared with.
    """
    left, middle, right = st.columns([0.56, 0.2, 0.24], vertical_alignment="bottom")
    with left:
        source = choose_dataset()
    state.seed_widget(_LIMIT, state.remembered(_LIMIT, None))
    limit = middle.number_input(
        "Images at most", 1, None, None, 1, key=_LIMIT, placeholder="all", on_change=_keep_limit
    )
    wanted = None if source is None else _job(scene, source, None if limit is None else int(limit))
    with right:
        _button(wanted, slot)
    if wanted is not None:
        _say_what(wanted)
    if trouble := state.remembered(_TROUBLE, ""):
        st.error(literal(as_sentence(trouble)), icon=":material/error:")
    return wanted


def show_progress(name: str, slot: Slot = "run") -> bool:
    """How the diagnosis stands, where it is not finished; whether there is a result to be shown."""
    progress = jobs.poll(diagnosis_folder(name))
    if progress.is_alive:
        _watch(name)
        return False
    if progress.state is JobState.DONE:
        return True
    _say_end(name, progress, slot)
    return False


@st.fragment(run_every=_EVERY_SECONDS)
def _watch(name: str) -> None:
    """A bar that moves by itself; a few small files are read each second."""
    folder = diagnosis_folder(name)
    progress = jobs.poll(folder)
    if not progress.is_alive:
        st.rerun()
    with st.container(border=True):
        bar, button = st.columns([0.86, 0.14], vertical_alignment="center")
        share = progress.done / progress.total if progress.total else 0.0
        bar.progress(min(share, 1.0), progress_words(progress))
        button.button(
            "Stop",
            key=f"dataset.stop.{name}",
            icon=":material/stop:",
            on_click=jobs.stop,
            args=(folder,),
            width="stretch",
        )
        st.caption("It goes on when this page is closed. What is finished stays, also when it is stopped.")


def progress_words(progress: Progress) -> str:
    """How far a diagnosis is, in one line."""
    if progress.state is JobState.STARTING:
        return "Starting: the detector is being loaded"
    step = f"Step {_STEPS.index(progress.phase) + 1} of {len(_STEPS)} · " if progress.phase in _STEPS else ""
    parts = [f"{step}{progress.phase_words}: {progress.done:,} of {plural(progress.total, 'image')}"]
    if progress.rate:
        parts.append(f"{progress.rate:.1f} images/s")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return " · ".join(parts)


def _say_end(name: str, progress: Progress, slot: Slot) -> None:
    """Why there is no result, and a button that goes on."""
    job = jobs.job_of(diagnosis_folder(name))
    kept = (
        f" {progress.done:,} of {plural(progress.total, 'image')} are finished and kept."
        if progress.done
        else ""
    )
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if progress.state is JobState.FAILED:
            st.markdown(
                f":red-badge[failed] {literal(as_sentence(progress.message or 'no reason was left'))}{kept}"
            )
        else:
            st.markdown(f":orange-badge[stopped] This diagnosis is not finished.{kept}")
        if job is not None:
            st.button(
                "Go on", key=f"dataset.go_on.{slot}", icon=":material/play_arrow:", on_click=_start,
                args=(job, slot),
            )  # fmt: skip


def _button(wanted: Job | None, slot: Slot) -> None:
    """Diagnose, or show what was diagnosed before."""
    progress = Progress(JobState.INTERRUPTED) if wanted is None else jobs.poll(diagnosis_folder(wanted.name))
    done, at_work = progress.state is JobState.DONE, progress.is_alive
    shown = wanted is not None and wanted.name in (survey().run, getattr(survey(), slot))
    st.button(
        _button_words(shown=shown, done=done, at_work=at_work),
        key="dataset.diagnose", type="primary", icon=":material/troubleshoot:", width="stretch",
        disabled=wanted is None or ((done or at_work) and shown), on_click=_start, args=(wanted, slot),
    )  # fmt: skip


def _button_words(*, shown: bool, done: bool, at_work: bool) -> str:
    if shown and (done or at_work):
        return "Diagnosed" if done else "Diagnosing …"
    return "Show its diagnosis" if done or at_work else "Diagnose"


def _start(job: Job, slot: Slot) -> None:
    state.remember(_TROUBLE, "")
    try:
        check_job(job.dataset, model=job.model)
        _keep_upload(job)
        job = replace(job, dataset=kept_for_jobs(job.dataset))
        folder = diagnosis_folder(job.name)
        if jobs.poll(folder).state is not JobState.DONE:
            jobs.start(job, folder)
    except (OSError, ValueError) as problem:
        state.remember(_TROUBLE, f"the diagnosis cannot be started: {problem}")
        return
    look_at(**{slot: job.name}, part=None, category=None, size=None)


def _job(scene: Scene | None, source: str, limit: int | None) -> Job | None:
    """What would be diagnosed; None where the data set or the detector is missing, which is told."""
    spec, dataset = shown_detector(), opened(source)
    if spec is None or dataset is None:
        return None
    # Of an opened trace the sliders are the trace's own.
    changed = state.choice().thresholds if scene is not None and scene.model is not None else ()
    whole = limit is None or limit >= len(dataset)
    return Job(
        source, spec.kept_source, spec.weights, spec.words.said(), changed, None if whole else limit,
        files_written(source, spec.source),
    )  # fmt: skip


def _say_what(job: Job) -> None:
    dataset = opened(job.dataset)
    assert dataset is not None
    changed = ", ".join(f"{FIELD_WORDS[name]} {number_words(value)}" for name, value in job.thresholds)
    under = f"with {changed}, as the sliders have it" if changed else "under its own thresholds"
    st.caption(f"{size_words(dataset)} · detector *{literal(short_name(job.model))}* {under}")


def _keep_upload(job: Job) -> None:
    """An uploaded checkpoint becomes a file: the process that diagnoses cannot see the session."""
    spec = shown_detector()
    if spec is not None and job.model == spec.kept_source:
        spec.keep()


def _keep_limit() -> None:
    state.remember(_LIMIT, state.widget(_LIMIT))


def _shown(wanted: Job | None) -> str | None:
    """The diagnosis that is shown: the one asked for, else that of what the widgets say."""
    names = diagnosis_names()
    asked = survey().run if survey().run in names else None
    # An evaluation of the shell will do, where there is nothing more.
    own = () if wanted is None else (wanted.name, replace(wanted, remedies=False).name)
    shown = asked or next((name for name in own if name in names), None)
    if shown != survey().run:
        look_at(
            run=shown
        )  # it stays, though the sliders move on: from then on they ask for another diagnosis
    if [name for name in names if name != shown]:
        state.set_widget(_SHOWN, shown)
        st.selectbox(
            "Kept diagnoses", names, key=_SHOWN, format_func=label_of, on_change=_show_earlier,
            placeholder="choose one", index=None,
        )  # fmt: skip
    return shown


def label_of(name: str) -> str:
    """A diagnosis of the workspace in one line, for people."""
    job = jobs.job_of(diagnosis_folder(name))
    return name if job is None else job.label


def _show_earlier() -> None:
    name = state.widget(_SHOWN)
    if isinstance(name, str):
        job = jobs.job_of(diagnosis_folder(name))
        look_at(
            run=name, data=survey().data if job is None else job.dataset, part=None, category=None, size=None
        )
