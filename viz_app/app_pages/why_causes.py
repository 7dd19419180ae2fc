"""All false positives of the image by cause: a chart, and a table in which one can be asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import IOU, PROBABILITY, image_key, linked_table
from viz_app.figures.false_positive_causes import cause_figure, false_positive_items, false_positive_table

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis


def show_causes(diagnosis: Diagnosis) -> None:
    """Draw the section.

    Args:
        diagnosis: with one false positive at least.
    """
    st.subheader("All false positives of this image", anchor=False)
    show_chart(cause_figure(diagnosis), key="why.causes")
    linked_table(
        false_positive_table(diagnosis),
        false_positive_items(diagnosis),
        f"why.false_positives.{image_key(diagnosis.replay.trace)}",
        {"score": PROBABILITY, "IoU": IOU},
    )
    st.caption("Best score first; a row asks about its detection. Types are those of TIDE.")
