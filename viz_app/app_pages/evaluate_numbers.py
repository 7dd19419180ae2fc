"""The headline of an evaluation: COCO's averages, and what costs most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.dataset_causes import report_of, show_causes
from viz_app.figures.words import plural
from viz_app.survey import SIZES

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation
    from viz_app.app_pages.dataset_shown import ShownRun

_BOUNDS = {
    "small": "under 32² px",
    "medium": "32² to 96² px",
    "large": "96² px and more",
}
_ABOUT = {
    "AP": "COCO's: the mean over ten IoUs from 0.50 to 0.95 and over the classes.",
    "AP50": "A detection is true from an IoU of 0.50 on.",
    "AP75": "A detection is true from an IoU of 0.75 on: boxes have to fit well.",
}


def show_numbers(run: ShownRun, evaluation: Evaluation) -> None:
    """A row of averages, and the first cause of what is missing."""
    whole = evaluation.objects
    entries = [
        (name, evaluation.statistics[name], plural(whole, "object") if name == "AP" else None, about)
        for name, about in _ABOUT.items()
    ]
    for size in SIZES:
        group = evaluation.summary.by_size.get(size)
        count = 0 if group is None else group.objects
        about = f"Of objects of {_BOUNDS[size]}, image frame."
        entries.append((f"AP {size}", evaluation.statistics[f"AP_{size}"], plural(count, "object"), about))
    for column, (label, value, beside, about) in zip(st.columns(len(entries)), entries, strict=True):
        column.metric(
            label, number_words(value), beside, help=about, border=True, delta_color="off", delta_arrow="off",
            height="stretch",
        )  # fmt: skip
    show_causes(report_of(run.source) if run.of_sidebar else None, run)


def number_words(value: float | None) -> str:
    """An average with three digits; a dash where there is nothing to average over."""
    return "–" if value is None else f"{value:.3f}"
