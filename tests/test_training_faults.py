"""What can go wrong while a run is under way: each ends in one sentence, and what was good is kept."""

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.runs import TINY_RUN, python

from detector import load_detector
from detector.data import sealed
from detector.data.coco_export import write_coco
from detector.data.shapes import ShapesDataset
from detector.training.config import DataConfig, Recipe
from detector.training.faults import RunFailed, in_a_sentence, told
from detector.training.fit import fit
from detector.training.metrics_log import METRICS, TAKEN_BACK, EpochRow, MetricsReader
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, RunStatus, read_status
from detector.training.schedule import learning_rate
from detector.training.stopping import RunStopped, request_stop
from detector.training.validation import Validation

ENDLESS = replace(TINY_RUN, data=replace(TINY_RUN.data, val="shapes:1:2"), probes=0, epochs=400)
QUICK = replace(ENDLESS, data=replace(ENDLESS.data, limit_train=4), epochs=2)
RUN = """
import sys
sys.path[:0] = [{tests!r}]
from test_training_faults import ENDLESS
from detector.training.fit import fit
fit(ENDLESS, sys.argv[1], resume={resume})
"""


def status_in(folder: Path) -> RunStatus:
    status = read_status(folder)
    assert status is not None
    return status


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp"))


def wait_for(what: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_a_killed_run_goes_on_from_its_checkpoint_and_stops_when_asked(tmp_path: Path) -> None:
    folder, reader = tmp_path / "run", MetricsReader(tmp_path / "run")

    def reached(step: int) -> bool:
        reader.new()
        return bool(reader.steps) and reader.steps[-1].step >= step

    tests = str(Path(__file__).parent)
    first = python(RUN.format(tests=tests, resume=False), folder)
    wait_for(lambda: reached(5) or first.poll() is not None)
    assert status_in(folder).state is RunState.RUNNING
    first.kill()
    first.communicate()
    killed = status_in(folder)
    assert killed.state is RunState.DIED
    checkpoint = torch.load(RunDirectory(folder).resume, weights_only=True)["global_step"]
    reader.new()
    written = reader.steps[-1].step
    assert written - TINY_RUN.checkpoint_every <= checkpoint <= written

    second = python(RUN.format(tests=tests, resume=True), folder)
    wait_for(lambda: reached(written + 2) or second.poll() is not None)
    assert status_in(folder).state is RunState.RUNNING
    assert request_stop(folder).pid == second.pid
    output = second.communicate(timeout=240)
    stopped = status_in(folder)
    assert stopped.state is RunState.STOPPED, output
    assert stopped.message == f"it was stopped after step {stopped.step}"
    assert stopped.started == killed.started
    assert "Traceback" in output[1]  # this test's own process has nobody who catches RunStopped
    assert "RunStopped" in output[1]
    assert torch.load(RunDirectory(folder).resume, weights_only=True)["global_step"] == stopped.step
    assert leftovers(folder) == []
    assert not RunDirectory(folder).stop.exists()

    reader.new()
    assert [row.step for row in reader.steps] == list(range(1, stopped.step + 1))
    assert f'"{TAKEN_BACK}":{checkpoint}' in (folder / METRICS).read_text()
    for row in reader.steps:
        recipe = ENDLESS.recipe
        rate = learning_rate(row.step - 1, peak=recipe.lr, warmup_steps=recipe.warmup_steps, steps=3 * 400)
        assert row.lr == pytest.approx(rate, rel=1e-12)
        assert row.epoch == (row.step - 1) // 3
    seconds = [row.seconds for row in reader.steps]
    assert seconds == sorted(seconds)


def test_a_loss_that_is_not_finite_names_its_images_and_keeps_the_last_good_checkpoint(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    config = replace(QUICK, checkpoint_every=1, recipe=Recipe(lr=1e25, unfreeze_epoch=0, warmup_steps=0))
    with pytest.raises(RunFailed, match=r"not finite.*image \d"):
        fit(config, folder)
    status = status_in(folder)
    assert status.state is RunState.FAILED
    assert "not finite" in status.message
    assert "image " in status.message
    assert "Traceback" in (folder / "train.log").read_text()
    weights = torch.load(RunDirectory(folder).resume, weights_only=True)["state_dict"]
    assert all(bool(torch.isfinite(value).all()) for value in weights.values())
    load_detector(RunDirectory(folder).last)
    assert leftovers(folder) == []


def test_a_data_set_that_vanishes_is_named(tmp_path: Path) -> None:
    write_coco(ShapesDataset(4, seed=1, size=64), tmp_path / "scenes")
    folder = tmp_path / "run"

    def gone(_row: EpochRow) -> None:
        for path in (tmp_path / "scenes" / "images").iterdir():
            path.unlink()

    data = DataConfig(train=str(tmp_path / "scenes"), val=str(tmp_path / "scenes"), batch_size=2, limit_val=1)
    with pytest.raises(RunFailed, match=r"scene_0000\d\.png"):
        fit(replace(QUICK, data=data), folder, on_epoch=gone)
    status = status_in(folder)
    assert status.state is RunState.FAILED
    assert "scene_0000" in status.message
    assert "\n" not in status.message
    assert RunDirectory(folder).resume.is_file()
    assert MetricsReader(folder).new()[-1].epoch == 0


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    kept: list[bytes] = []

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(_row: EpochRow) -> None:
        kept.append(RunDirectory(folder).resume.read_bytes())
        monkeypatch.setattr(sealed.os, "fsync", full)

    with pytest.raises(RunFailed, match="the disk is full; what was saved is kept"):
        fit(QUICK, folder, on_epoch=fill)
    monkeypatch.undo()
    status = status_in(folder)
    assert status.state is RunState.FAILED
    assert status.message.endswith(
        "the disk is full; what was saved is kept: free some space, then resume or begin anew"
    )
    assert RunDirectory(folder).resume.read_bytes() == kept[0]
    assert leftovers(folder) == []
    # There is room again.
    best = fit(QUICK, folder, resume=True)
    assert best is not None
    assert status_in(folder).state is RunState.DONE
    reader = MetricsReader(folder)
    reader.new()
    assert [row.epoch for row in reader.epochs] == [-1, 0, 1]
    assert [row.step for row in reader.steps] == [1, 2, 3, 4]


def test_an_epoch_whose_validation_was_interrupted_is_validated_after_the_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, config = tmp_path / "run", replace(QUICK, epochs=1)
    judge, judged = Validation.judge, []

    def interrupted(validation: Validation, index: int) -> object:
        judged.append(index)
        if len(judged) == 2:  # the first was before the training
            os.kill(os.getpid(), signal.SIGTERM)
        return judge(validation, index)

    monkeypatch.setattr(Validation, "judge", interrupted)
    with pytest.raises(RunStopped, match="before epoch 1 was validated"):
        fit(config, folder)
    assert status_in(folder).state is RunState.STOPPED
    assert not RunDirectory(folder).best.exists()
    told: list[EpochRow] = []
    best = fit(config, folder, resume=True, on_epoch=told.append)
    assert told == [best]
    reader = MetricsReader(folder)
    reader.new()
    assert [(row.epoch, row.step) for row in reader.epochs] == [(-1, 0), (0, 2)]
    assert [row.step for row in reader.steps] == [1, 2]
    assert load_detector(RunDirectory(folder).best).metadata["epoch"] == 0
    assert status_in(folder).state is RunState.DONE


def test_who_ends_a_run_on_purpose_stops_it(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def enough(_row: EpochRow) -> None:
        raise Enough("the trial is pruned")

    with pytest.raises(Enough):
        fit(QUICK, tmp_path / "run", on_epoch=enough)
    status = status_in(tmp_path / "run")
    assert status.state is RunState.STOPPED
    assert "the trial is pruned" in status.message
    assert RunDirectory(tmp_path / "run").best.is_file()


def test_a_run_that_cannot_begin_says_why_and_gives_the_signals_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="the monitor is"):
        fit(replace(QUICK, monitor="loss"), tmp_path / "run")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    status = status_in(tmp_path / "run")
    assert status.state is RunState.FAILED
    assert status.message.startswith("the monitor is 'loss'; expected AP")


def test_every_fault_has_a_sentence() -> None:
    worker = RuntimeError(
        "Caught OSError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        '  File "x.py", line 3, in f\n    g()\nOSError: image file is truncated\n'
    )
    said = {
        "a.png: No such file or directory": FileNotFoundError(2, "No such file or directory", "a.png"),
        "a.ckpt: Permission denied": PermissionError(13, "Permission denied", "a.ckpt"),
        "image file is truncated": worker,
        "two lines": ValueError("two\n  lines"),
        "RuntimeError: a bug": RuntimeError("a bug"),
        "AssertionError": AssertionError(),
    }
    for sentence, error in said.items():
        assert in_a_sentence(error) == sentence
    assert "smaller batch_size" in in_a_sentence(torch.OutOfMemoryError("CUDA out of memory. Tried ..."))
    mistake, bug = ValueError("yours"), RuntimeError("ours")
    assert told(mistake) is mistake
    assert told(bug) is bug
    assert isinstance(told(worker), RunFailed)
    misfit = RuntimeError("Error(s) in loading state_dict for TrainingModule: Missing key(s): a, b, c")
    assert str(told(misfit)).startswith("checkpoints/resume.ckpt does not fit this run")
    assert str(told(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x"))).startswith("x: the disk is full")
