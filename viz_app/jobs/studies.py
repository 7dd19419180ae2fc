"""Studies as processes of their own: which there are, whether one is at work, and how each stands."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.sealed import replace_file
from detector.training.tuning import DATABASE, STUDY, read_study, write_study
from viz_app import state
from viz_app.jobs import workspace
from viz_app.jobs.sessions import child_of, start_session, works_in
from viz_app.jobs.workspace import is_name, studies_folder

if TYPE_CHECKING:
    from detector.training.tuning import StudyConfig
    from detector.training.tuning_results import StudyView

PROCESS, LOG, PROBLEM = "process.txt", "log.txt", "problem.txt"
_VIEW = "tune.view"


@dataclass(frozen=True, slots=True)
class Shown:
    """A study as it was read.

    Args:
        stamp: of its files then.
        view: how it stood; None where nobody has begun it, or where it cannot be read.
        problem: why it cannot be read, in one sentence.
    """

    stamp: str
    view: StudyView | None
    problem: str = ""


def study_names() -> tuple[str, ...]:
    """Names of the studies in the workspace, the one begun last first."""
    folder = studies_folder()
    if not folder.is_dir():
        return ()
    found = [entry for entry in folder.iterdir() if is_name(entry.name) and (entry / STUDY).is_file()]
    return tuple(entry.name for entry in sorted(found, key=_began, reverse=True))


def free_name(stem: str) -> str:
    """A name that no study has, such as `thresholds-2`."""
    return workspace.free_name(studies_folder(), stem)


def start(config: StudyConfig, workers: int) -> None:
    """Let a process of its own work on a study; one that is there goes on, one that is at work is left alone.

    Raises:
        OSError: the folder cannot be written, or no process can be started.
    """
    folder = studies_folder() / config.name
    if at_work(config.name):
        return
    write_study(folder, config)
    (folder / PROBLEM).unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "detector.training.tuning_launch", str(folder), str(workers)]
    number = start_session(command, folder, folder / LOG)
    replace_file(folder / PROCESS, str(number).encode())


def stop(name: str) -> None:
    """Ask a study to stop: its trials at hand wait again."""
    number = _number(name)
    if number is not None:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)


def at_work(name: str) -> bool:
    """Whether a process works on a study."""
    return _number(name) is not None


def problem_of(name: str) -> str:
    """The sentence with which a study ended; empty where there is none."""
    with suppress(OSError):
        return (studies_folder() / name / PROBLEM).read_text(encoding="utf-8").strip()
    return ""


def stamp_of(name: str) -> str:
    """Changes when a study's files do, or when its process comes or goes; it costs a few looks at the disk."""
    folder = studies_folder() / name
    parts = [str(at_work(name))]
    for file in (DATABASE, f"{DATABASE}-wal", STUDY, PROBLEM):
        with suppress(OSError):
            status = (folder / file).stat()
            parts.append(f"{status.st_mtime_ns}.{status.st_size}")
    return "|".join(parts)


def read(name: str) -> Shown:
    """How a study stands; the database is asked only when something has changed since."""
    stamp = stamp_of(name)
    known: tuple[str, Shown] | None = state.remembered(_VIEW, None)
    if known is not None and known[0] == name and known[1].stamp == stamp:
        return known[1]
    shown = _read(name, stamp)
    state.remember(_VIEW, (name, shown))
    return shown


def config_of(name: str) -> StudyConfig | None:
    """What a study searches; None where its file cannot be read."""
    try:
        return read_study(studies_folder() / name)
    except ValueError:
        return None


def _read(name: str, stamp: str) -> Shown:
    from detector.training.tuning_launch import look_at

    folder = studies_folder() / name
    try:
        return Shown(stamp, look_at(folder))
    except (ValueError, OSError) as problem:
        begun = (folder / DATABASE).exists()
        return Shown(stamp, None, " ".join(str(problem).split()) if begun and not at_work(name) else "")


def _number(name: str) -> int | None:
    folder = studies_folder() / name
    own = child_of(folder)
    if own is not None:
        return own
    try:
        number = int((folder / PROCESS).read_text())
    except (OSError, ValueError):
        return None
    return number if works_in(number, folder) else None


def _began(folder: Path) -> float:
    return (folder / STUDY).stat().st_mtime
