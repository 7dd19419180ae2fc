"""How a training run stands: `status.json` in its folder, and what is true of it where its process is gone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
        message: why it failed or stopped, in one sentence; else empty.
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

    @property
    def is_alive(self) -> bool:
        """Whether a process is at work on it, or waits to be."""
        return self.state in (RunState.QUEUED, RunState.RUNNING)
