"""What befalls a training from outside: signals, a folder that goes, other processes, errors nobody foresaw."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.runs import TINY_RUN
from support.training import RUN

from detector import load_detector
from detector.data import sealed
from detector.training.config_file import write_config
from detector.training.faults import RunFailed
from detector.training.fit import fit
from detector.training.keeping import at_work
from detector.training.metrics_log import EpochRow
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, RunStatus, read_status
from detector.training.stopping import RunStopped
from viz_app import cli
from viz_app.commands.training_progress import in_one_sentence
from viz_app.jobs.workspace import keep_checkpoint

QUICK = replace(
    TINY_RUN, data=replace(TINY_RUN.data, limit_train=4, val="shapes:1:2"), probes=0, checkpoint_every=1
)
LARGE = 2**20


def status_in(folder: Path) -> RunStatus:
    status = read_status(folder)
    assert status is not None
    return status


def ended_while_writing(number: int, name: str) -> Callable[[int], None]:
    """As `os.fsync`, with a signal to this process when a large file is being written for the n-th time."""
    count, whole = 0, os.fsync

    def fsync(file: int) -> None:
        nonlocal count
        count += os.fstat(file).st_size > LARGE
        if count == number:
            count += 1
            os.kill(os.getpid(), getattr(signal, name))
        whole(file)

    return fsync


@pytest.mark.parametrize("number", [1, 2])  # the checkpoint to go on from, and the one to use
def test_sigterm_while_a_checkpoint_is_written_leaves_it_whole(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr(sealed.os, "fsync", ended_while_writing(number, "SIGTERM"))
    with pytest.raises(RunStopped, match="it was stopped after step"):
        fit(QUICK, folder)
    monkeypatch.undo()
    status, directory = status_in(folder), RunDirectory(folder)
    assert status.state is RunState.STOPPED
    assert torch.load(directory.resume, weights_only=True)["global_step"] == status.step
    assert load_detector(directory.last).metadata["step"] == 1
    assert list(folder.rglob("*.tmp")) == []


def test_a_folder_that_vanishes_under_a_training_ends_it_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def vanish(_row: EpochRow) -> None:
        shutil.rmtree(folder)

    with pytest.raises(RunFailed, match=r"run is gone: it was deleted or moved while the run was at work$"):
        fit(replace(QUICK, probes=1, trace_every=1), folder, on_epoch=vanish)
    assert not folder.exists()


def test_a_run_is_resumed_by_as_many_processes_as_trained_it(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")

    class Enough(Exception):
        pass

    def enough(_row: EpochRow) -> None:
        raise Enough

    with pytest.raises(Enough):
        fit(QUICK, directory.folder, on_epoch=enough)
    kept = torch.load(directory.resume, weights_only=True)
    kept["callbacks"]["RunCallback"]["random"] *= 2  # as two processes leave it
    torch.save(kept, directory.resume)
    said = "run was trained by 2 processes, and would now be by 1; resume it with 2, or begin a new run"
    with pytest.raises(ValueError, match=said):
        fit(QUICK, directory.folder, resume=True)
    assert said in status_in(directory.folder).message


def test_an_error_that_nobody_foresaw_is_a_sentence_and_its_stack_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    config, folder = tmp_path / "config.yaml", tmp_path / "run"
    write_config(config, RUN)
    monkeypatch.setattr("detector.training.fit.build_model", broken)
    assert cli.run(["train", "--config", str(config), "--out", str(folder)]) == cli.USAGE_ERROR
    log = folder / "train.log"
    said = f"boxscope: the training failed: ZeroDivisionError: a bug; {log} says where\n"
    assert capsys.readouterr().err == said
    assert "Traceback" in log.read_text()
    assert status_in(folder).state is RunState.FAILED


def other_process(directory: RunDirectory, error: Exception) -> None:
    with at_work(directory, epochs=1, leads=False):
        raise error


def test_why_another_process_of_a_run_ended_is_what_the_first_one_says(tmp_path: Path) -> None:
    directory, gone = RunDirectory(tmp_path), RuntimeError("[gloo] Connection closed by peer [127.0.0.1]")
    with pytest.raises(RunFailed, match=r"scene_3\.png: the image is damaged"), at_work(directory, epochs=1):
        with pytest.raises(ValueError, match="damaged"):
            other_process(directory, ValueError("scene_3.png: the image is damaged"))
        raise gone
    assert status_in(tmp_path).message == "scene_3.png: the image is damaged"
    # The other way round: who only lost the first one says so, without a stack, and leaves no word.
    with pytest.raises(RunFailed, match="another process of this run ended; what it said stands above"):
        other_process(directory, gone)
    with pytest.raises(RunFailed, match="another process of this run ended"), at_work(directory, epochs=1):
        raise gone


def test_a_process_that_only_lost_the_others_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost() -> None:
        with in_one_sentence(tmp_path):
            other_process(RunDirectory(tmp_path), RuntimeError("[gloo] Connection closed by peer"))

    with pytest.raises(RunFailed, match="what it said stands above"):
        lost()
    monkeypatch.setattr("detector.training.trainer.is_leader", lambda: False)
    with pytest.raises(SystemExit) as ended:
        lost()
    assert ended.value.code == cli.USAGE_ERROR
    assert capsys.readouterr().err == ""


def test_many_sessions_keep_one_checkpoint(tmp_path: Path) -> None:
    path, data = tmp_path / "checkpoints" / "x.safetensors", os.urandom(2**20)
    problems: list[BaseException] = []

    def keep() -> None:
        try:
            keep_checkpoint(path, data)
            assert path.read_bytes() == data
        except BaseException as problem:
            problems.append(problem)

    sessions = [threading.Thread(target=keep) for _ in range(8)]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    assert problems == []
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
