"""What the app knows of a training run: how it stands, and the end of its log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from detector.training.run_directory import Run, RunDirectory, run_at, runs_in
from viz_app.jobs.launching import let_go, run_folder
from viz_app.jobs.workspace import is_name, runs_folder

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_BYTES = 16_000


def every_run() -> list[Run]:
    """The runs of the workspace, the one begun last first."""
    return [run for run in runs_in(runs_folder()) if is_name(run.name)]


def look(name: str) -> Run:
    """How one run stands now; a few small files are read."""
    let_go(name)
    return run_at(run_folder(name))


def log_tail(folder: Path, lines: int = 14) -> str:
    """The last lines of a run's log; nothing where there is none."""
    try:
        with RunDirectory(folder).log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])
