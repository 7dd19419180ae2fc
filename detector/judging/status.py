"""How far a data-set diagnosis is: `status.json` in its folder, which anyone may read while it runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from detector.data.sealed import replace_file
from detector.judging.locks import is_locked

if TYPE_CHECKING:
    from pathlib import Path

STATUS = "status.json"


class State(StrEnum):
    """What a run does."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is.

    Args:
        state: running, done, failed, or stopped (by its user, or killed): a stopped run can be taken up again.
        done, total: images, of the present phase.
        rate: images per second, of this call; None before the first one.
        seconds_left: of the present phase, at that rate; None where it is not known.
        pid: process that runs it.
        started: when this call began, seconds since 1970.
        phase: what is done with the images: `diagnose`, `recommend`, or `summarize`.
        message: why it failed, in one sentence; else empty.
    """

    state: State
    done: int
    total: int
    rate: float | None
    seconds_left: float | None
    pid: int
    started: float
    phase: str = "diagnose"
    message: str = ""

    def line(self) -> str:
        """For people, such as `diagnose: 120 of 200 images, 14.2 images/s, 6 s left`."""
        parts = [f"{self.phase}: {self.done:,} of {self.total:,} images"]
        if self.rate is not None and self.state is State.RUNNING:
            parts.append(f"{self.rate:.1f} images/s")
        if self.seconds_left is not None and self.state is State.RUNNING:
            parts.append(f"{duration(self.seconds_left)} left")
        return ", ".join(parts)


def write_status(out: Path, status: Status) -> None:
    """Replace `status.json`: a reader sees the old one or the new one, never half of one."""
    replace_file(out / STATUS, (json.dumps(asdict(status)) + "\n").encode())


def read_status(out: Path) -> Status | None:
    """The status of the run in a folder; None where there is none.

    A run that was killed cannot say so: when the file says `running` and no process holds the folder, the
    state is `stopped`.

    Raises:
        ValueError: the file is not a status.
    """
    try:
        content = json.loads((out / STATUS).read_text())
        status = Status(**{**content, "state": State(content["state"])})
    except FileNotFoundError:
        return None
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{out / STATUS}: this is not the status of a run ({error})") from error
    if status.state is State.RUNNING and not is_locked(out):
        return Status(**{**asdict(status), "state": State.STOPPED})
    return status


def duration(seconds: float) -> str:
    """For people: `8 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
