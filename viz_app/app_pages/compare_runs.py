"""The upper card of the Compare page: which two diagnoses, and a way to a second one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import state
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.app_pages.dataset_run import ask_for_run, label_of
from viz_app.jobs import processes as jobs
from viz_app.jobs.processes import JobState
from viz_app.jobs.workspace import diagnosis_folder, diagnosis_names
from viz_app.problems import literal

if TYPE_CHECKING:
    from viz_app.scene import Scene

_A, _B = "compare.a", "compare.b"
_ABOUT = (
    "Two diagnoses of the same data set stand side by side here: two checkpoints, two epochs, or one detector "
    "under two settings of its thresholds. Choose a detector and move the sliders in the sidebar, then diagnose."
)


def choose_pair(scene: Scene | None) -> tuple[str, str] | None:
    """Draw the card; the names of both diagnoses, None while there are not two."""
    with st.container(border=True):
        names = known_runs()
        a = _take("run", names, _earlier(names))
        partners = [] if a is None else partners_of(a, names)
        b = _take("versus", partners, partners[0] if partners else None)
        if names:
            _choosers(a, b, names, partners)
        if b is None:
            st.markdown(f"**{_missing(a)}** {_ABOUT}")
            ask_for_run(scene, "run" if a is None else "versus")
        else:
            with st.expander("Diagnose another one to compare with", icon=":material/add:"):
                ask_for_run(scene, "versus")
    return None if a is None or b is None else (a, b)


def known_runs() -> list[str]:
    """Diagnoses of the workspace that are finished or at work, and those that are shown already; latest first."""
    asked = (survey().run, survey().versus)
    return [name for name in diagnosis_names() if name in asked or _is_usable(name)]


def partners_of(name: str, names: list[str]) -> list[str]:
    """Other diagnoses of the same data set."""
    job = jobs.job_of(diagnosis_folder(name))
    found = []
    for other in names:
        theirs = jobs.job_of(diagnosis_folder(other))
        if other != name and job is not None and theirs is not None and theirs.dataset == job.dataset:
            found.append(other)
    return found


def _is_usable(name: str) -> bool:
    folder = diagnosis_folder(name)
    return jobs.job_of(folder) is not None and jobs.poll(folder).state is JobState.DONE


def _earlier(names: list[str]) -> str | None:
    """Where nothing is asked for: the one before the latest of its data set, so that B is what came after A."""
    partners = partners_of(names[0], names) if names else []
    return next(iter((*partners, *names)), None)


def _take(slot: str, names: list[str], default: str | None) -> str | None:
    """What the link asks for, else the default; the address follows."""
    asked = getattr(survey(), slot)
    shown = asked if asked in names else default
    if shown != asked:
        look_at(**{slot: shown})
    if slot == "run" and shown is not None:
        _same_data(shown)
    return shown


def _same_data(name: str) -> None:
    """The data set of the first diagnosis is the one that a second one is made of."""
    job = jobs.job_of(diagnosis_folder(name))
    if job is not None and survey().data != job.dataset:
        look_at(data=job.dataset)


def _choosers(a: str | None, b: str | None, names: list[str], partners: list[str]) -> None:
    state.set_widget(_A, a)
    state.set_widget(_B, b)
    left, middle, right = st.columns([0.46, 0.08, 0.46], vertical_alignment="bottom")
    left.selectbox("A, the first", names, key=_A, format_func=label_of, on_change=_choose, args=("run", _A))
    middle.button(
        "", key="compare.swap", icon=":material/swap_horiz:", help="B becomes the first one.", width="stretch",
        disabled=b is None, on_click=look_at, kwargs={"run": b, "versus": a, "moved": None},
    )  # fmt: skip
    right.selectbox(
        "B, compared with it", partners, key=_B, format_func=label_of, on_change=_choose, args=("versus", _B),
        placeholder="no other diagnosis of this data set", disabled=not partners,
    )  # fmt: skip


def _choose(slot: str, widget: str) -> None:
    name = state.widget(widget)
    if isinstance(name, str):
        look_at(**{slot: name}, moved=None, pair=None)


def _missing(a: str | None) -> str:
    if a is None:
        return "Nothing to compare yet."
    return f"One diagnosis of {literal(survey().data or 'this data set')} is here; a second one is missing."
