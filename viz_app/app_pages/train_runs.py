"""The list of runs on the Train page: a click looks at one, ticks lay several over one another."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from detector.judging.status import duration
from detector.training.metrics_log import best_of
from detector.training.run_status import RunState
from viz_app import state
from viz_app.app_pages.train_shown import MOST_OVERLAID, config_of_run, measured, tick, ticked
from viz_app.jobs.job import short_name
from viz_app.jobs.slots import WAITING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.training.run_directory import Run

_TABLE = "train.runs"
_ROW, _MOST_ROWS = 35, 6
_STATES = {
    RunState.QUEUED: "… queued",
    RunState.RUNNING: "▶ running",
    RunState.STOPPED: "■ stopped",
    RunState.DONE: "✓ done",
    RunState.FAILED: "✗ failed",
    RunState.DIED: "✗ died",
}
_COLUMNS = {
    "": st.column_config.TextColumn(width=30),
    "run": st.column_config.TextColumn(width="medium"),
    "done": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
    "AP": st.column_config.TextColumn("best AP", width="small", alignment="right"),
}


def show_runs(runs: Sequence[Run], shown: Run) -> None:
    """Draw the card."""
    with st.container(border=True):
        names = [run.name for run in runs]
        rows = [names.index(name) for name in ticked(runs)]
        # Another list of runs, another shown one: the table takes its ticks anew.
        key = f"{_TABLE}.{hash((tuple(names), shown.name))}"
        st.dataframe(
            run_table(runs, shown),
            hide_index=True,
            key=key,
            on_select=lambda: _follow(key, names),
            selection_mode=["multi-row", "single-cell"],
            selection_default={"selection": {"rows": rows, "columns": [], "cells": []}},
            column_config=_COLUMNS,
            height=_ROW * (min(len(runs), _MOST_ROWS) + 1) + 2,
        )
        if len(runs) > 1:
            st.caption(
                f"Click a run to look at it. Tick up to {MOST_OVERLAID} to lay their curves over its own."
            )


def run_table(runs: Sequence[Run], shown: Run) -> pd.DataFrame:
    """A row for each run, the newest first."""
    return pd.DataFrame([_row(run, run.name == shown.name) for run in runs])


def state_words(run: Run) -> str:
    """How a run stands, in a word or two."""
    if run.status is None:
        return "✗ unreadable" if run.problem else "not begun"
    if run.status.state is RunState.QUEUED and run.status.phase != WAITING:
        return "… starting"
    return _STATES[run.status.state]


def _row(run: Run, shown: bool) -> dict[str, str | float]:
    status, config = run.status, config_of_run(run.name)
    reader = measured(run.name)
    reader.new()
    best = best_of(reader.epochs, "AP")
    left = None if status is None else status.seconds_left
    done = 0.0 if status is None or not status.steps else status.step / status.steps
    return {
        "": "●" if shown else "",
        "run": run.name,
        "state": state_words(run),
        "done": round(min(done, 1.0), 2),
        "epochs": "" if status is None else f"{_epochs_done(run)} of {status.epochs}",
        "AP": "" if best is None or best.AP is None else f"{best.AP:.3f}",
        "time left": "" if left is None else duration(left),
        "detector": "" if config is None else short_name(config.model.source),
        "data": "" if config is None else short_name(config.data.train),
        "begun": "" if status is None else datetime.fromtimestamp(status.started).strftime("%d %b, %H:%M"),
    }


def _epochs_done(run: Run) -> int:
    return sum(row.epoch >= 0 for row in measured(run.name).epochs)


def _follow(key: str, names: Sequence[str]) -> None:
    """A cell that was clicked chooses its run; ticks are kept."""
    rows, cells = state.selected_rows(key), state.selected_cells(key)
    tick([names[row] for row in rows if row < len(names)])
    if cells and cells[0][0] < len(names):
        state.look_at_training(names[cells[0][0]])
