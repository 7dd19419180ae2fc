"""Trainings as processes of their own: slots, the queue, names, and what a folder says when a process is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.runs import TINY_RUN, status_of

from detector.training.config_file import read_config
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, read_status, write_status
from viz_app.jobs import launching, slots, training, workspace
from viz_app.jobs.sessions import environment, works_in

PATIENCE = 120
# Holds its slot until somebody writes `end`; says which GPU it sees.
WORK = (
    "import os, pathlib, sys, time\n"
    "folder = pathlib.Path(sys.argv[1])\n"
    "(folder / 'began').write_text(os.environ.get('CUDA_VISIBLE_DEVICES', ''))\n"
    "while not (folder / 'end').exists(): time.sleep(0.02)\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own."""
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv(launching.VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def waiters(place: Path) -> Iterator[Callable[..., Path]]:
    """Starts waiters and ends them all."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, count: int = 1, devices: str = "") -> Path:
        folder = place / "runs" / name
        folder.mkdir(parents=True)
        write_status(folder, status_of(state=RunState.QUEUED, step=0, steps=0))
        waiter = [sys.executable, "-P", "-m", "viz_app.jobs.slots", str(folder), str(count), devices]
        work = [sys.executable, "-c", WORK, str(folder)]
        started.append(subprocess.Popen([*waiter, *work], env=environment()))
        return folder

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def pid_of(folder: Path) -> int:
    status = read_status(folder)
    assert status is not None
    return status.pid


def waits(folder: Path) -> bool:
    return pid_of(folder) != os.getpid()


def test_one_run_at_a_time_the_others_wait_in_the_order_they_came(waiters: Callable[..., Path]) -> None:
    first = waiters("first")
    until((first / "began").exists)
    second = waiters("second")
    until(lambda: waits(second) and len(list(slots.slots_folder().glob("waits_*"))) == 1)
    third = waiters("third")
    until(lambda: waits(third) and len(list(slots.slots_folder().glob("waits_*"))) == 2)
    assert slots.taken_slots() == 1 and launching.is_full(1) and not launching.is_full(2)
    assert not (second / "began").exists()
    status = read_status(second)
    assert status is not None and status.state is RunState.QUEUED and works_in(status.pid, second)
    (first / "end").touch()  # its slot frees itself with its process
    until((second / "began").exists)
    assert not (third / "began").exists()
    os.kill(pid_of(second), signal.SIGKILL)  # the training has the waiter's own number
    until((third / "began").exists)


def test_who_waits_can_leave_and_who_dies_in_the_queue_is_forgotten(waiters: Callable[..., Path]) -> None:
    first = waiters("first")
    until((first / "began").exists)
    for name in ("stopped", "killed"):
        folder = waiters(name)
        until(lambda folder=folder: waits(folder))
    launching.stop("stopped")
    status = read_status(workspace.runs_folder() / "stopped")
    assert status is not None and status.state is RunState.STOPPED and "turn" in status.message
    killed = workspace.runs_folder() / "killed"
    os.kill(pid_of(killed), signal.SIGKILL)
    until(lambda: training.look("killed").status.state is RunState.DIED)  # pyright: ignore[reportOptionalMemberAccess]
    last = waiters("last")
    (first / "end").touch()
    until((last / "began").exists)
    assert not (killed / "began").exists() and not (workspace.runs_folder() / "stopped" / "began").exists()


def test_each_slot_of_a_machine_with_gpus_has_one_of_its_own(waiters: Callable[..., Path]) -> None:
    folders = [waiters(name, 2, "4,7") for name in ("a", "b")]
    for folder in folders:
        until(lambda folder=folder: (folder / "began").exists() and (folder / "began").read_text())
    assert {(folder / "began").read_text() for folder in folders} == {"4", "7"}


def test_a_run_that_cannot_be_is_refused_in_one_sentence(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert training.every_run() == [] and not workspace.runs_folder().exists(), "looking makes nothing"
    for name in ("", "../x", ".hidden", "a b"):
        with pytest.raises(ValueError, match="cannot name a run"):
            launching.launch(name, TINY_RUN)
    workspace.run_folder("taken").mkdir(parents=True)
    with pytest.raises(ValueError, match="a run called taken already"):
        launching.launch("taken", TINY_RUN)
    with pytest.raises(ValueError, match="no run called nobody"):
        launching.resume("nobody")
    (place / "runs" / "shapes-1").mkdir()
    assert launching.free_name("shapes") == "shapes-2" and launching.free_name("a/ö ü.pt") == "run-1"
    for text in ("0", "two", "-1"):
        monkeypatch.setenv(launching.VARIABLE, text)
        with pytest.raises(ValueError, match=f"{launching.VARIABLE} is '{text}'"):
            launching.capacity()
    monkeypatch.setenv(launching.VARIABLE, "3")
    assert launching.capacity() == 3


def test_what_can_be_resumed_has_a_checkpoint_and_is_not_at_work(place: Path) -> None:
    folder = workspace.run_folder("run")
    RunDirectory(folder).make()
    write_status(folder, status_of())
    with pytest.raises(ValueError, match="run is running already"):
        launching.resume("run")
    write_status(folder, replace(status_of(), state=RunState.STOPPED))
    with pytest.raises(ValueError, match="no checkpoint to go on from"):
        launching.resume("run")
    with pytest.raises(ValueError, match="does not run"):
        launching.stop("run")


def test_a_launched_run_that_cannot_begin_says_why(place: Path) -> None:
    config = replace(TINY_RUN, data=replace(TINY_RUN.data, train="no/such/folder"))
    folder = launching.launch("lost", config)
    assert read_config(RunDirectory(folder).config) == config
    assert training.look("lost").status.state is RunState.QUEUED  # pyright: ignore[reportOptionalMemberAccess]
    until(lambda: not training.look("lost").status.is_alive)  # pyright: ignore[reportOptionalMemberAccess]
    status = training.look("lost").status
    assert status is not None and status.state in (RunState.FAILED, RunState.DIED)
    assert "no/such/folder" in (training.last_words(folder) + status.message)
    assert "Traceback" not in training.output_tail(folder)
    assert [run.name for run in training.every_run()] == ["lost"]
