"""How fast a run goes, and how long it will still take."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.training.metrics_log import EpochRow

_WINDOW = 100


class Pace:
    """Steps per second over the last steps of this process, validations left out; and those for what is to come.

    Args:
        epochs: of the run.
        clock: seconds, from anywhere.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs, self._clock = epochs, clock
        self._durations: deque[float] = deque(maxlen=_WINDOW)
        self._since: float | None = None
        self._validations_left, self._validation = epochs, 0.0

    def entered(self, phase: str) -> None:
        """Time counts for steps only while the run trains."""
        self._since = self._clock() if phase == "training" else None

    def stepped(self) -> None:
        """A step is done."""
        now = self._clock()
        if self._since is not None:
            self._durations.append(now - self._since)
        self._since = now

    def validated(self, row: EpochRow) -> None:
        """A validation is done; the next ones will take as long."""
        self._validation = row.seconds
        self._validations_left = self._epochs - 1 - row.epoch

    @property
    def rate(self) -> float | None:
        """Steps per second; None before the first one."""
        total = sum(self._durations)
        return len(self._durations) / total if total > 0 else None

    def seconds_left(self, steps: int) -> float | None:
        """For so many steps and the validations after them; None where that is not known."""
        rate = self.rate
        return None if rate is None else steps / rate + self._validations_left * self._validation
