"""Asking a run to stop, from any process and any machine that sees its folder."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from detector.training.liveness import is_at_work
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, RunStatus, read_status

if TYPE_CHECKING:
    from pathlib import Path


class RunStopped(BaseException):
    """A run was asked to stop, has made a checkpoint, and ends; the message is for people.

    As KeyboardInterrupt it is no `Exception`: before the first batch a signal raises it amid any code, such as a
    reader that takes whatever fails for a damaged file.
    """


def request_stop(folder: Path) -> RunStatus:
    """Ask the run in a folder to end after its present batch, with a checkpoint; returns at once.

    Its process gets a SIGTERM where it runs on this machine (and is the one that the status names, not another of
    the same number); a file `stop` in the folder says the same on every machine, and is seen within seconds.

    Args:
        folder: of the run.

    Returns:
        How the run stood when it was asked.

    Raises:
        ValueError: no run there, or one that no process is at work on.
        OSError: the file cannot be written.
    """
    status = read_status(folder)
    if status is None:
        raise ValueError(f"{folder} holds no run that was begun")
    if not status.is_alive:
        verb = "has" if status.state in (RunState.FAILED, RunState.DIED) else "is"
        raise ValueError(f"{folder.name} does not run: it {verb} {status.state.value}")
    RunDirectory(folder).stop.touch()
    if status.state is RunState.RUNNING:
        _signal(status)
    return status


def _signal(status: RunStatus) -> None:
    if status.host != socket.gethostname() or not is_at_work(status.pid, status.process_started):
        return
    with suppress(
        ProcessLookupError, PermissionError
    ):  # it ended just now, or is another user's: the file asks it
        os.kill(status.pid, signal.SIGTERM)
