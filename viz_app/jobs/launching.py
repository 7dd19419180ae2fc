"""Trainings as processes of their own: launched, queued, stopped and gone on with through their folder.

The app may be loaded again, started again or crash meanwhile: what it knows of a run is what lies in the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.config_file import write_config
from detector.training.liveness import process_started
from detector.training.run_directory import RunDirectory, run_at
from detector.training.run_status import RunState, RunStatus, write_status
from detector.training.stopping import request_stop
from viz_app.jobs import workspace
from viz_app.jobs.sessions import child_of, start_session, works_in
from viz_app.jobs.slots import CUDA, taken_slots
from viz_app.jobs.workspace import run_folder, runs_folder

if TYPE_CHECKING:
    from detector.training.config import RunConfig

VARIABLE = "BOXSCOPE_TRAININGS"
"""How many runs this machine trains at once; the others wait in a queue."""

OUTPUT = "output.log"
"""What the process printed: its log is `train.log`."""
_PATIENCE = 2.0


def free_name(model: str) -> str:
    """A name that no run has, made of what is trained, such as `shapes-2`."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", Path(model).stem).strip("-")[:60] or "run"
    return workspace.free_name(runs_folder(), stem)


def capacity() -> int:
    """How many runs this machine trains at once: as `BOXSCOPE_TRAININGS` says, else one for each GPU, or one.

    Raises:
        ValueError: the variable is no whole number above 0.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return max(1, len(_gpus()))
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{VARIABLE} is {text[:20]!r}; expected a whole number from 1 on")
    return int(text)


def is_full(count: int) -> bool:
    """Whether all of `count` slots are held now: who is launched next has to wait."""
    return taken_slots() >= count


def launch(name: str, config: RunConfig) -> Path:
    """Write the settings of a new run and let a process of its own train it, when it is its turn.

    Args:
        name: of the run; no other one may have it.
        config: everything that decides what it does.

    Returns:
        Its folder.

    Raises:
        ValueError: a name that is none, or that is taken.
        OSError: the folder cannot be written, or no process can be started.
    """
    folder = run_folder(name)
    count = capacity()
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ValueError(f"there is a run called {name} already; choose another name") from None
    try:
        directory = RunDirectory(folder)
        write_config(directory.config, config)
        _begin(
            directory, _waiting(config.epochs), count, "train", "--config", directory.config, "--out", folder
        )
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def resume(name: str) -> None:
    """Let a run that ended too early go on from its last checkpoint, when it is its turn.

    Raises:
        ValueError: there is no such run, it is at work, or it has no checkpoint to go on from.
        OSError: the folder cannot be written, or no process can be started.
    """
    directory = RunDirectory(run_folder(name))
    status = run_at(directory.folder).status
    if status is None:
        raise ValueError(f"there is no run called {name} that was ever begun")
    if status.is_alive:
        raise ValueError(f"{name} is {status.state.value} already")
    if not directory.resume.is_file():
        raise ValueError(f"{name} has no checkpoint to go on from; launch it anew under another name")
    before = _waiting(status.epochs)
    kept = replace(
        before, epoch=status.epoch, step=status.step, steps=status.steps, started=status.started, AP=status.AP
    )
    try:
        _begin(directory, kept, capacity(), "resume", directory.folder)
    except OSError:
        write_status(directory.folder, status)
        raise


def stop(name: str) -> None:
    """Ask a run to end after its present batch, or to leave the queue; what has a checkpoint can go on later.

    Raises:
        ValueError: there is no such run, or it is not at work.
        OSError: the folder cannot be written.
    """
    folder = run_folder(name)
    status = request_stop(folder)
    if status.state is RunState.QUEUED and works_in(status.pid, folder):
        with suppress(ProcessLookupError):  # it ended just now
            os.kill(status.pid, signal.SIGTERM)
        _wait_until_ended(status.pid, folder)


def _wait_until_ended(pid: int, folder: Path) -> None:
    """For a moment: who asks then how the run stands hears that it was stopped."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and works_in(pid, folder):
        child_of(folder)
        time.sleep(0.02)


def let_go(name: str) -> None:
    """Take the last word of a run's process, where this one started it: else it stays in the table."""
    child_of(run_folder(name))


def _begin(directory: RunDirectory, status: RunStatus, count: int, *words: str | Path) -> None:
    """Start the waiter, which becomes `boxscope WORDS` when there is a slot."""
    directory.stop.unlink(missing_ok=True)
    write_status(directory.folder, status)
    # -P: a folder with its own `detector` in it must not be imported instead of the real one.
    python = [sys.executable, "-P", "-m"]
    waiter = [*python, "viz_app.jobs.slots", str(directory.folder), str(count), _devices(count)]
    command = [*python, "viz_app.cli", *map(str, words)]
    start_session([*waiter, *command], directory.folder, directory.folder / OUTPUT)


def _waiting(epochs: int) -> RunStatus:
    """The status until the waiter writes its own: for this moment the run is in the hands of this process."""
    now = time.time()
    return RunStatus(
        RunState.QUEUED, 0, epochs, 0, 0, None, None, os.getpid(), process_started(), socket.gethostname(), now, now
    )  # fmt: skip


def _devices(count: int) -> str:
    """The GPU of each slot; nothing where a run may have all there are."""
    gpus = _gpus()
    return ",".join(gpus[slot % len(gpus)] for slot in range(count)) if gpus and count > 1 else ""


def _gpus() -> tuple[str, ...]:
    """The GPUs that this process sees, as `CUDA_VISIBLE_DEVICES` names them."""
    import torch

    named = [one.strip() for one in os.environ.get(CUDA, "").split(",") if one.strip()]
    count = torch.cuda.device_count()
    return tuple(named[:count]) if named else tuple(map(str, range(count)))
