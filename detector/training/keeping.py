"""A run at work: its lock, its log, its status with a heartbeat, and what it says when it ends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.training.run_directory import RunDirectory


class RunKeeper:
    """Keeps `status.json` of a run at work; see `at_work`."""

    directory: RunDirectory
    leads: bool
    resuming: bool


@contextmanager
def at_work(
    directory: RunDirectory, *, epochs: int, resume: bool = False, leads: bool = True
) -> Iterator[RunKeeper]:
    """Hold a run's folder for the length of the block: nobody else may work in it, and all see that it is alive.

    When the block ends the status says `done`; after `RunStopped` `stopped`; after any other exception `failed`
    with one sentence, which passes through. SIGTERM and Ctrl+C are asked-for stops: see `RunKeeper.stop_wanted`.

    Args:
        directory: of the run; the folder is made.
        epochs: how many the run will have.
        resume: whether it goes on; then there must be a checkpoint. Else there must be none, nor metrics.
        leads: whether this process speaks for the run; the others of a distributed run write nothing.

    Raises:
        ValueError: another process is at work there, nothing to resume from, or a run that would be overwritten.
        OSError: the folder cannot be written.
    """
    raise NotImplementedError
    yield
