"""What the app knows of a training run: how it stands, and the end of its log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from detector.training.run_directory import Run, RunDirectory, run_at, runs_in
from viz_app.jobs.launching import OUTPUT, let_go
from viz_app.jobs.workspace import is_name, run_folder, runs_folder

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_BYTES = 16_000
_SAID = "boxscope: "


def every_run() -> list[Run]:
    """The runs of the workspace, the one begun last first."""
    return [run for run in runs_in(runs_folder()) if is_name(run.name)]


def look(name: str) -> Run:
    """How one run stands now; a few small files are read."""
    let_go(name)
    return run_at(run_folder(name))


def log_tail(folder: Path, lines: int = 40) -> str:
    """The last lines of a run's log; nothing where there is none."""
    return _tail(RunDirectory(folder).log, lines)


def output_tail(folder: Path, lines: int = 40) -> str:
    """The last lines of what its process printed; nothing where there is none."""
    return _tail(folder / OUTPUT, lines)


def last_words(folder: Path) -> str:
    """The sentence with which the command ended, where it printed one; for what failed before the run began."""
    said = [line for line in output_tail(folder).splitlines() if line.startswith(_SAID)]
    return said[-1].removeprefix(_SAID) if said else ""


def _tail(path: Path, lines: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])
