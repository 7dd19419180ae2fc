"""Charts of an evaluation, each with one sentence about what is seen, and below it how it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from viz_app import state
from viz_app.app_pages.charts import show_chart, show_picker
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.app_pages.evaluate_explained import (
    average_precision_text,
    calibration_text,
    confusion_text,
    precision_recall_text,
)
from viz_app.figures.average_precision import (
    MOST_ROWS,
    average_precision_figure,
    average_precision_words,
    picked_group,
)
from viz_app.figures.calibration import calibration_figure, calibration_words
from viz_app.figures.confusion import MOST_CATEGORIES, confusion_figure, confusion_words, drawn_labels
from viz_app.figures.precision_recall import curve_words, precision_recall_figure
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation
    from viz_app.app_pages.dataset_shown import ShownRun

_IOU = "evaluate.iou"
_HOW = "How it is computed"


def show_precision(run: ShownRun, evaluation: Evaluation) -> None:
    """D5, at an IoU to choose."""
    with st.container(border=True, height="stretch"):
        st.subheader("Precision against recall", anchor=False)
        ious = [round(float(iou), 2) for iou in evaluation.curves.ious]
        asked = state.remembered(_IOU, ious[0])
        state.seed_widget(_IOU, asked if asked in ious else ious[0])
        iou = float(
            st.select_slider(
                "A detection is true from this IoU on", ious, key=_IOU, format_func="{:.2f}".format,
                on_change=lambda: state.remember(_IOU, state.widget(_IOU)),
            )
        )  # fmt: skip
        labels = {name: one.label for name, one in evaluation.by_category.items()}
        show_chart(precision_recall_figure(evaluation.curves, labels, iou), key=f"evaluate.curves.{run.name}")
        st.markdown(literal(curve_words(evaluation.curves, labels, iou)))
        with st.expander(_HOW):
            st.markdown(precision_recall_text(evaluation, iou))


def show_scores(run: ShownRun, evaluation: Evaluation) -> None:
    """D9; a click shows the lost objects of that class and size."""
    with st.container(border=True, height="stretch"):
        st.subheader("AP by class and size", anchor=False)
        category, size = survey().category, survey().size
        chosen = None if category is None or survey().part is not None else (category, size or "")
        figure = average_precision_figure(
            evaluation.by_category, evaluation.statistics, group_counts(run.objects), chosen
        )
        show_picker(figure, key=f"evaluate.scores.{run.name}.{chosen}", on_pick=_choose_group)
        st.markdown(literal(average_precision_words(evaluation.by_category, evaluation.statistics)))
        known = sum(1 for one in evaluation.by_category.values() if one.objects)
        rest = f" The {MOST_ROWS} of lowest AP of {known:,} are shown." if known > MOST_ROWS else ""
        st.caption(f"Lowest AP first. Click a number to see which of its objects are lost.{rest}")
        with st.expander(_HOW):
            st.markdown(average_precision_text(evaluation))


def show_confusion(run: ShownRun, evaluation: Evaluation) -> None:
    """D6 and D7 beside each other; a click on a cell shows what lies in it."""
    left, right = st.columns([0.56, 0.44], gap="small")
    confusion = evaluation.confusion
    with left, st.container(border=True, height="stretch"):
        st.subheader("What is taken for what", anchor=False)
        key = f"evaluate.confusion.{run.name}.{survey().cell}"
        show_picker(confusion_figure(confusion, survey().cell), key=key, on_pick=_choose_cell)
        st.markdown(literal(confusion_words(confusion)))
        known, shown = len(confusion.categories) - 1, len(drawn_labels(confusion))
        rest = f" The {shown} classes that are mixed up most are shown." if known > MOST_CATEGORIES else ""
        st.caption(
            f"Rows: what the object is. Columns: what it is found as, from a score of {confusion.score:g} on. "
            f"Click a cell to see exactly what lies in it.{rest}"
        )
        with st.expander(_HOW):
            st.markdown(confusion_text(confusion))
    with right, st.container(border=True, height="stretch"):
        st.subheader("Do scores mean what they say?", anchor=False)
        show_chart(calibration_figure(evaluation.calibration), key=f"evaluate.calibration.{run.name}")
        st.markdown(literal(calibration_words(evaluation.calibration)))
        st.caption(
            "Blue: the share of true ones. Orange: what is missing from the mean score, or is over it."
        )
        with st.expander(_HOW):
            st.markdown(calibration_text(evaluation))


def group_counts(objects: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Objects by (category, size)."""
    pairs = zip(objects["category"], objects["size"], strict=True)
    return pd.Series(list(pairs), dtype=object).value_counts().to_dict() if len(objects) else {}


def _choose_group(key: str) -> None:
    category, size = picked_group(key)
    same = survey().part is None and (survey().category, survey().size) == (category, size)
    look_at(part=None, category=None if same else category, size=None if same else size)


def _choose_cell(key: str) -> None:
    look_at(cell=None if survey().cell == key else key)
