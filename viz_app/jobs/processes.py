"""Diagnoses of data sets as processes of their own: started, watched and stopped through files in their folder.

What a process says of itself lies in its folder, so that a page that is loaded again, another browser and a server
that was started again see the same:

    job.json      what was asked for
    process.json  the process that works on it
    status.json   how far it is, written by the engine
    problem.txt   the sentence with which it failed
    log.txt       what it printed
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from detector.data.sealed import replace_file
from detector.judging.locks import LOCK
from detector.judging.status import State, Status, read_status
from viz_app.jobs.job import JOB_FILE, PROBLEM_FILE, Job
from viz_app.jobs.sessions import child_of, holds, start_session, works_in

PROCESS_FILE, LOG_FILE = "process.json", "log.txt"
_PHASES = {
    "diagnose": "Diagnosing",
    "recommend": "Trying changes of thresholds",
    "summarize": "Summing up",
    "losses": "Working out losses",
}
_lock = threading.Lock()


class JobState(StrEnum):
    """How a diagnosis stands. INTERRUPTED: its process is gone before it began."""

    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a diagnosis is.

    Args:
        state: how it stands.
        done, total: images; a total of 0 is not known yet.
        rate: images per second; 0 is not known yet.
        seconds_left: None where that is not known.
        message: why it failed.
        phase: what is done with the images, in the engine's word.
    """

    state: JobState
    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    phase: str = "diagnose"

    @property
    def phase_words(self) -> str:
        """The phase for people."""
        return _PHASES.get(self.phase, self.phase.capitalize())

    @property
    def is_alive(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in (JobState.STARTING, JobState.RUNNING)


def start(job: Job, folder: Path) -> None:
    """Let a process of its own work on a diagnosis; one that is at work already is left alone.

    A diagnosis that was stopped goes on where it was.

    Args:
        job: what is asked for.
        folder: of this diagnosis; made if it is not there.

    Raises:
        OSError: the folder cannot be written, or no process can be started.
    """
    with _lock:
        if _pid_at_work(folder) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / JOB_FILE, job.to_json().encode())
        (folder / PROBLEM_FILE).unlink(missing_ok=True)
        # -P: a folder with its own `detector` in it must not be imported instead of the real one.
        command = [sys.executable, "-P", "-m", "viz_app.jobs.diagnose_job", str(folder)]
        pid = start_session(command, folder, folder / LOG_FILE)
        note = {"pid": pid, "started": time.time()}
        replace_file(folder / PROCESS_FILE, json.dumps(note).encode())


def stop(folder: Path) -> None:
    """Ask the process of a diagnosis to end after the image it is at; what is finished stays."""
    with _lock:
        pid = _pid_at_work(folder)
        if pid is not None:
            with suppress(psutil.NoSuchProcess):  # it ended just now
                psutil.Process(pid).terminate()


def poll(folder: Path) -> Progress:
    """How far a diagnosis is: a few small files are read, so it may be asked every second."""
    with _lock:
        pid = _pid_at_work(folder)
    status = _status(folder)
    if pid is not None and (status is None or status.pid != pid):
        return Progress(JobState.STARTING)  # the file, if there is one, is of the process before
    problem = _text(folder / PROBLEM_FILE)
    if status is None:
        return Progress(JobState.FAILED if problem else JobState.INTERRUPTED, message=problem)
    state = JobState(status.state.value)
    if pid is None and problem and state is not JobState.DONE:
        state = JobState.FAILED
    return Progress(
        state,
        status.done,
        status.total,
        status.rate or 0.0,
        status.seconds_left,
        problem or status.message,
        status.phase,
    )


def wait(folder: Path, seconds: float) -> bool:
    """Wait until the process of a diagnosis is gone; whether it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with _lock:
            if _pid_at_work(folder) is None:
                return True
        time.sleep(0.05)
    return False


def job_of(folder: Path) -> Job | None:
    """What was asked for in a folder; None where it holds no diagnosis of this app."""
    try:
        return Job.from_json((folder / JOB_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _pid_at_work(folder: Path) -> int | None:
    """The process that works in a folder, of the app or of the shell, if there is one. An ended child is let go."""
    child = child_of(folder)
    if child is not None:
        return child
    pid = _read(folder / PROCESS_FILE).get("pid")
    if isinstance(pid, int) and works_in(pid, folder):
        return pid
    status = _status(folder)
    if status is None or status.state is not State.RUNNING or not holds(status.pid, folder / LOCK):
        return None
    return status.pid


def _status(folder: Path) -> Status | None:
    """What the engine says; nothing where it has not spoken yet, or not in a way that can be read."""
    try:
        return read_status(folder)
    except (OSError, ValueError):
        return None


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none, or a broken one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
