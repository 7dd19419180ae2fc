"""The progress of a long subcommand on stderr, and an end that says that nothing is lost.

Only names are imported at the top.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from detector.judging.status import Status


class ProgressLine:
    """One line on stderr that is written over while it is a terminal; a line for each phase where it is not."""

    def __init__(self) -> None:
        self._live, self._phase, self._last, self._width = sys.stderr.isatty(), "", "", 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._width:
            print(file=sys.stderr)

    def tell(self, status: Status) -> None:
        """Show how far the run is."""
        self.show(status.line(), aside=status.phase == self._phase)
        self._phase = status.phase

    def show(self, line: str, *, aside: bool = False) -> None:
        """Show a line; the same one is not shown again.

        Args:
            line: how things stand.
            aside: of use only while it can be written over.
        """
        if line == self._last:
            return
        if self._live:
            print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        elif not aside:
            print(line, file=sys.stderr, flush=True)
        self._last = line


def counted(did: str) -> Callable[[int, int], None] | None:
    """A line that counts images, where somebody watches.

    Args:
        did: what is done with them, such as `read`.
    """
    if not sys.stderr.isatty():
        return None

    def tell(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\r{did} {done} of {total} images", end=end, file=sys.stderr, flush=True)

    return tell


@contextmanager
def stopped_gently() -> Iterator[None]:
    """A request to end (SIGTERM) is what Ctrl+C is: the run says that it was stopped, and can be continued."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def told_that_it_goes_on() -> Iterator[None]:
    """Whoever stops a run is told that nothing is lost."""
    from detector.judging.processes import leads

    try:
        yield
    except KeyboardInterrupt:
        if leads():
            print("boxscope: stopped; the same command goes on from here", file=sys.stderr)
        raise
