"""The diagnosis that the Data set page shows, and which part of it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.controls import shown_detector
from viz_app.jobs.processes import job_of
from viz_app.jobs.workspace import diagnosis_folder
from viz_app.problems import as_sentence, literal
from viz_app.survey import Part

if TYPE_CHECKING:
    import pandas as pd

    from detector.judging.dataset_diagnosis import DatasetDiagnosis
    from detector.judging.summary import Summary
    from viz_app.jobs.job import Job


@dataclass(frozen=True, slots=True, eq=False)
class ShownRun:
    """One finished diagnosis.

    Args:
        name: in the workspace.
        folder: where it lies.
        job: what was asked for; None where the folder does not say.
        diagnosis: its result.
    """

    name: str
    folder: Path
    job: Job | None
    diagnosis: DatasetDiagnosis

    @property
    def summary(self) -> Summary:
        """All in numbers."""
        return self.diagnosis.summary

    @property
    def objects(self) -> pd.DataFrame:
        """A row for each object."""
        return self.diagnosis.objects

    @property
    def errors(self) -> pd.DataFrame:
        """A row for each false positive."""
        return self.diagnosis.false_positives

    @property
    def source(self) -> str:
        """The data set, as `open_dataset` takes it."""
        return self.summary.dataset if self.job is None else self.job.dataset

    @property
    def of_sidebar(self) -> bool:
        """Whether the detector of the sidebar is the one that was diagnosed."""
        spec = shown_detector()
        if spec is None or self.job is None:
            return False
        shown = spec.kept_source, spec.weights, spec.words.said()
        return shown == (self.job.model, self.job.weights, self.job.words)


def read_run(name: str) -> ShownRun | None:
    """A finished diagnosis of the workspace; None where it cannot be read, which is told."""
    folder = diagnosis_folder(name)
    try:
        return ShownRun(name, folder, job_of(folder), resources.diagnosis(folder))
    except (OSError, ValueError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None


def chosen_part() -> Part | None:
    """The part that is looked at."""
    text = survey().part
    return None if text is None else Part.parse(text)


def choose_part(part: Part | None, **others: str | None) -> None:
    """Look at a part; at all lost objects again where it is the one that is looked at already."""
    text = None if part is None else str(part)
    same = text == survey().part and all(getattr(survey(), name) == value for name, value in others.items())
    look_at(part=None if same else text, **(dict.fromkeys(others) if same else others))
