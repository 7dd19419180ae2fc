"""All false positives of the image by cause: a chart, and a table in which one can be asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import BAR, IOU, image_key, linked_table
from viz_app.figures.false_positive_causes import cause_figure, false_positive_items, false_positive_table

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis


def show_causes(diagnosis: Diagnosis) -> None:
    """Draw the section.

    Args:
        diagnosis: with one false positive at least.
    """
    with st.container(border=True):
        st.subheader("False positives", anchor=False)
        chart, table = st.columns([0.4, 0.6], gap="medium")
        with chart:
            show_chart(cause_figure(diagnosis), key="why.causes")
        with table:
            linked_table(
                false_positive_table(diagnosis),
                false_positive_items(diagnosis),
                f"why.false_positives.{image_key(diagnosis.replay.trace)}",
                {"score": BAR, "IoU": IOU},
            )
            st.caption("Best score first; a row asks about its detection. Types are those of TIDE.")
