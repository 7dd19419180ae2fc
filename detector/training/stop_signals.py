"""SIGTERM and Ctrl+C as wishes: a run ends after its present batch, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from detector.training.stopping import RunStopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes the first signal; before the first batch, where nothing can be saved, it ends the run at once.

    A second Ctrl+C is a KeyboardInterrupt, for whoever cannot wait.
    """

    def __init__(self) -> None:
        self.received = False
        self.waits_for_batch = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = True
        if not self.waits_for_batch:
            raise RunStopped("it was stopped before its first batch")

    def take(self) -> None:
        """Handle the signals from here on; Lightning puts handlers of its own in place, which this undoes.

        Lightning's would let processes of a distributed run wait for one another inside a signal handler.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self)

    @contextmanager
    def handled(self) -> Iterator[None]:
        """For the length of the block; does nothing outside of the main thread, which alone gets signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.take()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
