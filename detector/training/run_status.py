"""How a training run stands: `status.json` in its folder, and what is true of it where its process is gone."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from detector.data.sealed import replace_file
from detector.judging.status import duration
from detector.training.liveness import is_at_work

if TYPE_CHECKING:
    from pathlib import Path

STATUS = "status.json"
STOP = "stop"
"""A file that is there while somebody wants the run to stop."""
BEAT_EVERY = 2.0
"""Seconds between two heartbeats of a run at work."""
SILENT_AFTER = 120.0
"""Seconds without a heartbeat after which a run counts as died: a slow network drive may keep one back a minute."""


class RunState(StrEnum):
    """What a run does. DIED is never written: a reader finds it where a process that should be at work is not."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run is.

    Args:
        state: see `RunState`.
        epoch, epochs: present one, from 0, and how many in all.
        step, steps: steps that are done, and how many in all.
        rate: steps per second of this process; None before the first one.
        seconds_left: None where that is not known.
        pid: of the process (of the first one, where there are several).
        process_started: when that process was started, seconds since 1970, to tell it from another of the same pid.
        host: its machine.
        heartbeat: when it was last alive, seconds since 1970.
        started: when the run began.
        phase: `starting`, `training` or `validating`.
        message: why it failed, stopped, died or ended early, in one sentence; else empty.
        AP: of the last validation; None before there is one.
    """

    state: RunState
    epoch: int
    epochs: int
    step: int
    steps: int
    rate: float | None
    seconds_left: float | None
    pid: int
    process_started: float
    host: str
    heartbeat: float
    started: float
    phase: str = "starting"
    message: str = ""
    AP: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether a process is at work on it, or waits to be."""
        return self.state in (RunState.QUEUED, RunState.RUNNING)


def write_status(folder: Path, status: RunStatus) -> None:
    """Replace `status.json`: a reader sees the old one or the new one, never half of one.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(folder / STATUS, _bytes(status))


def write_last_status(folder: Path, status: RunStatus) -> None:
    """As `write_status`, also where the disk is full: then what is there is written over, which takes no space.

    Raises:
        OSError: that cannot be done either.
    """
    try:
        write_status(folder, status)
    except OSError:
        path = folder / STATUS
        # Blanks over the rest of what was there; JSON ends in as many as one likes.
        content = _bytes(status).ljust(path.stat().st_size)
        with path.open("r+b", buffering=0) as file:
            file.write(content)


def _bytes(status: RunStatus) -> bytes:
    return (json.dumps(asdict(status)) + "\n").encode()


def read_status(folder: Path) -> RunStatus | None:
    """The status of the run in a folder, judged; None where there is none.

    A run that was killed cannot say so. What the file calls running or queued has DIED where, on this machine, its
    process is gone, has ended without being asked for (a zombie), or is another one of the same number; and on any
    machine where its heartbeat is older than `SILENT_AFTER`. Clocks of several machines must agree to a minute.
    One that was to stop before it began had no time to say so: it is STOPPED.

    Raises:
        ValueError: the file is not a status.
    """
    try:
        content = json.loads((folder / STATUS).read_text(encoding="utf-8"))
        written = RunStatus(**{**content, "state": RunState(content["state"])})
    except FileNotFoundError:
        return None
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{folder / STATUS}: this is not the status of a training run ({error})") from error
    status = judged(written)
    if written.state is RunState.QUEUED and not status.is_alive and (folder / STOP).exists():
        return replace(status, state=RunState.STOPPED, message="it was stopped before it began")
    return status


def judged(status: RunStatus, now: float | None = None) -> RunStatus:
    """The status, or DIED with the reason where no process can be at work any more.

    Args:
        status: as it was written.
        now: seconds since 1970; the present by default.
    """
    if not status.is_alive:
        return status
    silence = (time.time() if now is None else now) - status.heartbeat
    if status.host == socket.gethostname() and not is_at_work(status.pid, status.process_started):
        reason = "its process is gone without a last word: it was killed, or the machine went down"
    elif silence > SILENT_AFTER:
        reason = f"no sign of life for {duration(silence)}: its machine is gone, or the process hangs"
    else:
        return status
    return replace(status, state=RunState.DIED, rate=None, seconds_left=None, message=reason)
