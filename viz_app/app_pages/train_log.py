"""The end of a run's log, and everything that was asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.training.run_directory import RunDirectory
from viz_app.jobs.training import log_tail, output_tail

if TYPE_CHECKING:
    from pathlib import Path

    from detector.training.run_directory import Run


def show_log(run: Run) -> None:
    """The log on the left, the settings on the right."""
    left, right = st.columns([0.58, 0.42], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Log", anchor=False)
        st.code(log_tail(run.folder) or "Nothing yet.", language=None, wrap_lines=True)
        printed = output_tail(run.folder)
        if printed:
            with st.expander("What the process printed beside it"):
                st.code(printed, language=None, wrap_lines=True)
        st.caption(f"`{run.folder}`")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Settings", anchor=False)
        directory = RunDirectory(run.folder)
        st.code(_text(directory.config), language="yaml", height=420)
        environment = _text(directory.environment)
        if environment:
            with st.expander("What it ran on"):
                st.code(environment, language=None, wrap_lines=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
