"""What to do first: the doctor's findings and the diagnosis of a data set, in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.judging.causes import leading_causes
from viz_app import resources, state
from viz_app.app_pages.dataset_shown import ShownRun
from viz_app.controls import shown_detector
from viz_app.dataset_scenes import annotations_written
from viz_app.figures.remedy_words import plain_words
from viz_app.figures.words import plural
from viz_app.jobs import processes as jobs
from viz_app.jobs.processes import JobState
from viz_app.jobs.workspace import diagnosis_folder, diagnosis_names
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.judging.causes import LeadingCause
    from detector.judging.findings import Report

_REPORTS = "doctor reports"
MOST_REPORTS = 4


def remember_report(source: str, report: Report) -> None:
    """Keep what the doctor said of a data set and the detector of the sidebar, for this session."""
    known: dict[tuple[str, ...], Report] = state.remembered(_REPORTS, {})
    known = {**known, _key(source): report}
    state.remember(_REPORTS, dict(list(known.items())[-MOST_REPORTS:]))


def report_of(source: str) -> Report | None:
    """What the doctor said in this session of a data set and the detector of the sidebar."""
    return state.remembered(_REPORTS, {}).get(_key(source))


def run_of(source: str) -> ShownRun | None:
    """The latest finished diagnosis of a data set by the detector of the sidebar, under the sliders' thresholds."""
    thresholds = dict(state.choice().thresholds)
    for name in diagnosis_names():
        folder = diagnosis_folder(name)
        job = jobs.job_of(folder)
        if job is None or job.dataset != source or dict(job.thresholds) != thresholds:
            continue
        if jobs.poll(folder).state is not JobState.DONE:
            continue
        try:
            run = ShownRun(name, folder, job, resources.diagnosis(folder))
        except (OSError, ValueError):
            continue
        if run.of_sidebar:
            return run
    return None


def show_causes(report: Report | None, run: ShownRun | None) -> None:
    """A card with the first cause, and the others folded; nothing where there is none.

    Args:
        report: the doctor's, where there was an examination.
        run: the diagnosis, where there was one.
    """
    if run is None:
        causes = leading_causes(report)
    else:
        causes = leading_causes(report, run.summary, objects=run.objects, false_positives=run.errors)
    if not causes:
        return
    heard = [name for name, there in (("the doctor", report), ("the diagnosis", run)) if there is not None]
    with st.container(border=True):
        st.subheader("What to do first", anchor=False, help=f"By what {' and '.join(heard)} found.")
        _cause(causes[0])
        if len(causes) > 1:
            with st.expander(f"{plural(len(causes) - 1, 'more cause')}, in this order"):
                for number, cause in enumerate(causes[1:], start=2):
                    _cause(cause, f"{number}. ")


def _cause(cause: LeadingCause, number: str = "") -> None:
    evidence = " · ".join(literal(plain_words(phrase)) for phrase in cause.evidence)
    what, remedy = plain_words(capital(cause.message)), plain_words(cause.remedy)
    said = f"{number}**{literal(as_sentence(what))}** {literal(as_sentence(remedy))}"
    st.markdown(said + (f"  \n:small[:gray[{evidence}]]" if evidence else ""))


def capital(sentence: str) -> str:
    """A sentence with a capital letter at its beginning."""
    return sentence[:1].upper() + sentence[1:]


def _key(source: str) -> tuple[str, ...]:
    """Another one once the annotations were written again."""
    return source, annotations_written(source), model_key()


def model_key() -> str:
    """Tells the detector of the sidebar from others; empty where there is none."""
    spec = shown_detector()
    return "" if spec is None else spec.key
