"""A run at work as others see it: its status with a heartbeat, and whether somebody wants it to stop.

The heartbeat comes from a thread, so that a long validation, or an epoch that reads slowly, does not look dead. It
ends where the run itself has said nothing for `HANGS_AFTER`: then readers call the run died, though its process is
there. Every batch and every validated image counts as a word.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from detector.training.liveness import process_started
from detector.training.pace import Pace
from detector.training.run_log import LOG
from detector.training.run_status import BEAT_EVERY, RunState, RunStatus, write_last_status, write_status
from detector.training.stop_signals import StopSignals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.training.metrics_log import EpochRow
    from detector.training.run_directory import RunDirectory

HANGS_AFTER = 1800.0
_LOOK_EVERY = 0.5


class RunKeeper:
    """Keeps `status.json` of a run at work, and knows whether somebody wants it to stop.

    Args:
        directory: of the run.
        status: as it begins.
        resuming: whether the run goes on from its checkpoint.
        leads: whether this process writes; in the others of a distributed run nothing is written.

    Attributes:
        signals: what the signals asked for.
        wanted_end: an exception with which somebody ends the run on purpose.
        remark: what there is to say of a run that is done, in one sentence.
    """

    def __init__(self, directory: RunDirectory, status: RunStatus, *, resuming: bool, leads: bool) -> None:
        self.directory, self.resuming, self.leads = directory, resuming, leads
        self.signals = StopSignals()
        self.wanted_end: BaseException | None = None
        self.remark = ""
        self._status, self._pace = status, Pace(status.epochs)
        self._lock = threading.Lock()
        self._spoke, self._looked = time.monotonic(), -_LOOK_EVERY
        self._stop_file_seen = False

    @property
    def status(self) -> RunStatus:
        """As it is now."""
        return self._status

    @property
    def stop_wanted(self) -> bool:
        """Whether a signal came, or somebody wrote the stop file (looked for twice a second)."""
        now = time.monotonic()
        if self.leads and now - self._looked >= _LOOK_EVERY:
            self._looked = now
            self._stop_file_seen = self.directory.stop.exists()
        return self.signals.received or self._stop_file_seen

    def planned(self, steps: int) -> None:
        """How many steps the run will have in all."""
        self._tell(steps=steps)

    def entered(self, phase: str) -> None:
        """What the run does now: `starting`, `training` or `validating`; readers see it at once."""
        self._pace.entered(phase)
        self._tell(phase=phase)
        self.write()

    def stepped(self, step: int, epoch: int) -> None:
        """A step is done; `epoch` is the one it belongs to."""
        self._pace.stepped()
        left = self._pace.seconds_left(self._status.steps - step)
        self._tell(step=step, epoch=epoch, rate=self._pace.rate, seconds_left=left)

    def validated(self, row: EpochRow) -> None:
        """A validation is done."""
        self._pace.validated(row)
        self._tell(AP=row.AP, step=row.step, epoch=max(row.epoch, 0))

    def pulse(self) -> None:
        """The run goes on, though nothing is done yet."""
        self._spoke = time.monotonic()

    def write(self) -> None:
        """Put the status on disk."""
        if self.leads:
            with self._lock:
                write_status(self.directory.folder, self._alive())

    def end(self, state: RunState, message: str = "") -> None:
        """The last word."""
        self._tell(state=state, message=message, rate=None, seconds_left=None)
        with self._lock, suppress(OSError):  # a log on a full disk
            LOG.info("%s%s", state.value, f": {message}" if message else "")
            write_last_status(self.directory.folder, self._alive())

    @contextmanager
    def beating(self) -> Iterator[None]:
        """A heartbeat from a thread for the length of the block."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_EVERY):
                if time.monotonic() - self._spoke < HANGS_AFTER:
                    with suppress(OSError):  # a full disk is told by whoever has something to say
                        self.write()

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        if self.leads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if self.leads:
                thread.join()

    def _alive(self) -> RunStatus:
        """The status with a sign of life; where the clock was set, the process started at another time by it."""
        return replace(self._status, heartbeat=time.time(), process_started=process_started())

    def _tell(self, **changes: object) -> None:
        self.pulse()
        with self._lock:
            self._status = replace(self._status, **changes)  # pyright: ignore[reportArgumentType]
