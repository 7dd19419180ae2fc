"""A run at work: its lock, its log, its status, and what it says when it ends."""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from detector.data.leftovers import sweep
from detector.data.sealed import replace_file
from detector.judging.locks import locked
from detector.training.environment import environment_text
from detector.training.faults import RunFailed, in_a_sentence, is_cut_off, told
from detector.training.liveness import process_started
from detector.training.run_keeper import RunKeeper
from detector.training.run_log import LOG, logging_to
from detector.training.run_status import RunState, RunStatus, read_status
from detector.training.stopping import RunStopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detector.training.run_directory import RunDirectory

_ELSEWHERE = ".problem_of_another"
"""In which a process of a distributed run that does not lead leaves why it ended; gone before the next start."""
_PATIENCE = 2.0


@contextmanager
def at_work(
    directory: RunDirectory, *, epochs: int, resume: bool = False, leads: bool = True
) -> Iterator[RunKeeper]:
    """Hold a run's folder for the length of the block: nobody else may work in it, and all see that it is alive.

    When the block ends the status says `done`; after `RunStopped` `stopped`; after any other exception `failed`
    with one sentence. All of them pass through; a full disk and the like as `RunFailed`, with that sentence.
    SIGTERM and Ctrl+C are wishes to stop: see `RunKeeper.stop_wanted`.

    Args:
        directory: of the run; the folder is made.
        epochs: how many the run will have.
        resume: whether it goes on; then there must be a checkpoint. Else there must be none, nor metrics.
        leads: whether this process speaks for the run; the others of a distributed run write nothing.

    Raises:
        ValueError: another process is at work there, nothing to resume from, or a run that would be overwritten.
        OSError: the folder cannot be written.
    """
    if not leads:
        keeper = RunKeeper(directory, _beginning(directory, epochs), resuming=resume, leads=False)
        with keeper.signals.handled(), _word_left(directory):
            yield keeper
        return
    refuse(directory, resume=resume)
    directory.make()
    with locked(directory.folder):
        refuse(directory, resume=resume)  # another one may have begun and ended meanwhile
        _clear(directory, asked_before=not _waited(directory))
        keeper = RunKeeper(directory, _beginning(directory, epochs), resuming=resume, leads=True)
        replace_file(directory.environment, environment_text().encode())
        with logging_to(directory.log), keeper.beating(), keeper.signals.handled(), _last_word(keeper):
            keeper.entered("starting")
            yield keeper


def refuse(directory: RunDirectory, *, resume: bool) -> None:
    """Refuse to resume what has no checkpoint, and to begin where a run is already.

    Raises:
        ValueError: either of them, with the way out.
    """
    if directory.folder.is_file():
        raise ValueError(f"{directory.folder} is a file; expected the folder of a run")
    has_checkpoint = directory.resume.is_file()
    if resume and not has_checkpoint:
        raise ValueError(
            f"{directory.name} has no checkpoint to resume from (checkpoints/resume.ckpt); begin a run of another "
            "name instead"
        )
    if not resume and (has_checkpoint or _has_rows(directory.metrics)):
        way = "resume it, or choose another name" if has_checkpoint else "choose another name, or delete it"
        if (status := _known_status(directory)) is not None and status.is_alive:
            way = "it is at work right now: choose another name"
        raise ValueError(f"{directory.folder} holds a run already; {way}")


def discard_unbegun(directory: RunDirectory) -> None:
    """Take a run's folder away in which nothing was measured nor saved; leave any other, and one that is in use."""
    with suppress(ValueError, OSError), locked(directory.folder):
        if not directory.resume.is_file() and not _has_rows(directory.metrics):
            shutil.rmtree(directory.folder, ignore_errors=True)


def _has_rows(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _beginning(directory: RunDirectory, epochs: int) -> RunStatus:
    """The status at the start; of a run that goes on, with what it was when it ended."""
    before = _known_status(directory)
    now = time.time()
    fresh = RunStatus(
        RunState.RUNNING, 0, epochs, 0, 0, None, None, os.getpid(), process_started(), socket.gethostname(),
        heartbeat=now, started=now,
    )  # fmt: skip
    if before is None or not directory.resume.is_file():
        return fresh
    return replace(
        fresh, epoch=before.epoch, step=before.step, steps=before.steps, started=before.started, AP=before.AP
    )


def _waited(directory: RunDirectory) -> bool:
    """Whether this very process waited in a queue before: whoever put it there took old wishes away."""
    status = _known_status(directory)
    return status is not None and status.state is RunState.QUEUED and status.pid == os.getpid()


def _known_status(directory: RunDirectory) -> RunStatus | None:
    with suppress(ValueError, OSError):
        return read_status(directory.folder)
    return None


def _clear(directory: RunDirectory, *, asked_before: bool) -> None:
    """Take away a wish to stop from before this run, and what a killed process left half-written."""
    if asked_before:
        directory.stop.unlink(missing_ok=True)
    (directory.folder / _ELSEWHERE).unlink(missing_ok=True)
    sweep(directory.folder, directory.checkpoints, directory.probes, directory.batches)


@contextmanager
def _last_word(keeper: RunKeeper) -> Iterator[None]:
    """Whatever ends the block stands in `status.json`."""
    try:
        yield
    except RunStopped as stop:
        _end(keeper, RunState.STOPPED, str(stop))
        raise
    except (KeyboardInterrupt, SystemExit) as end:
        saved = keeper.directory.resume.is_file()
        said = "it was interrupted" + ("; it goes on from its last checkpoint" if saved else "")
        _end(keeper, RunState.STOPPED, said)
        if keeper.signals.received:  # Lightning makes an exit of it
            raise KeyboardInterrupt from end
        raise
    except Exception as error:
        wanted = error is keeper.wanted_end
        if not wanted:
            LOG.exception("the run failed")
        said = _reason_elsewhere(keeper.directory, error) or told(error)
        _end(keeper, RunState.STOPPED if wanted else RunState.FAILED, in_a_sentence(said))
        if wanted or said is error:
            raise
        raise said from error
    _end(keeper, RunState.DONE, keeper.remark)


@contextmanager
def _word_left(directory: RunDirectory) -> Iterator[None]:
    """What ends a process that does not lead, for the one that does: that one only sees its connection end."""
    try:
        yield
    except Exception as error:
        if not is_cut_off(error):
            with suppress(OSError):
                replace_file(directory.folder / _ELSEWHERE, in_a_sentence(error).encode())
        if (said := told(error)) is error:
            raise
        raise said from error


def _reason_elsewhere(directory: RunDirectory, error: Exception) -> RunFailed | None:
    """Why the run ended, where the error only came of it: its folder is gone, or another of its processes."""
    if not directory.checkpoints.is_dir():
        return RunFailed(f"{directory.folder} is gone: it was deleted or moved while the run was at work")
    if not is_cut_off(error):
        return None
    path, deadline = directory.folder / _ELSEWHERE, time.monotonic() + _PATIENCE
    while not path.is_file():
        if time.monotonic() > deadline:
            return None
        time.sleep(0.05)
    return RunFailed(path.read_text(encoding="utf-8"))


def _end(keeper: RunKeeper, state: RunState, message: str) -> None:
    """Where even the last word cannot be written, the first error counts; readers will find that the run died."""
    with suppress(OSError):
        keeper.directory.stop.unlink(missing_ok=True)
        keeper.end(state, message)
