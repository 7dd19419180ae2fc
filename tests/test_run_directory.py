"""The folder of a run: who may work in it, and what lies there after a real, tiny training."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.runs import TINY_RUN, status_of

from detector import Replayer, Trace, diagnose, load_detector
from detector.data.datasets import open_dataset
from detector.judging.locks import is_locked
from detector.training import run_keeper
from detector.training.config_file import read_config
from detector.training.fit import fit
from detector.training.keeping import at_work
from detector.training.metrics_log import EpochRow, MetricsReader
from detector.training.probe_reading import probe_epochs, probe_images, probe_trace
from detector.training.run_directory import RunDirectory, runs_in
from detector.training.run_status import RunState, read_status, write_status
from detector.training.sampled_batches import object_samples, sampled_batch, sampled_steps
from detector.training.stopping import RunStopped
from detector.training.validation import RUNGS, Validation

# No scene has an object that COCO calls large: no epoch is ever better, and the second is one too many.
HALF_WRITTEN = f".{'0' * 32}.tmp"
CONFIG = replace(TINY_RUN, epochs=5, trace_every=2, monitor="AP_large", patience=1, keep_every=2)


@pytest.fixture(scope="module")
def told() -> list[EpochRow]:
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, told: list[EpochRow]) -> Iterator[Path]:
    """A whole run; it ends early, after two epochs of three steps."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(CONFIG, folder, on_epoch=told.append)
    yield folder


def test_a_run_leaves_what_the_layout_says_and_nothing_half_written(folder: Path) -> None:
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    epochs = ("epoch_start", "epoch_0000", "epoch_0001")
    assert there == {
        "config.yaml", "metrics.jsonl", "status.json", "train.log", "environment.txt", ".lock",
        "checkpoints/best.safetensors", "checkpoints/last.safetensors", "checkpoints/resume.ckpt",
        "checkpoints/epoch_0002.safetensors",
        *(f"probes/{epoch}/image_0.trace" for epoch in epochs),
        *(f"batches/step_{step:06d}/image_{image}.trace" for step in (2, 4, 6) for image in (0, 1)),
    }  # fmt: skip
    assert not is_locked(folder)
    assert read_config(folder / "config.yaml") == CONFIG
    assert "torch:" in (folder / "environment.txt").read_text()


def test_its_last_word_says_why_it_ended(folder: Path) -> None:
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.epoch, status.step, status.steps) == (RunState.DONE, 1, 6, 15)
    assert status.message == "it ended early: no better AP_large in 1 epoch after epoch 1"
    assert status.AP == metrics_of(folder).epochs[-1].AP
    (run,) = runs_in(folder.parent)
    assert (run.name, run.folder, run.status) == ("tiny", folder, status)
    log = (folder / "train.log").read_text()
    assert "epoch 2, step 6: AP" in log
    assert "done: it ended early" in log


def metrics_of(folder: Path) -> MetricsReader:
    reader = MetricsReader(folder)
    reader.new()
    return reader


def test_every_step_and_epoch_was_written_down_once(folder: Path, told: list[EpochRow]) -> None:
    metrics = metrics_of(folder)
    assert [(row.step, row.epoch) for row in metrics.steps] == [(k, (k - 1) // 3) for k in range(1, 7)]
    assert [(row.epoch, row.step) for row in metrics.epochs] == [(-1, 0), (0, 3), (1, 6)]
    assert told == metrics.epochs[1:]
    seconds = [row.seconds for row in metrics.steps]
    assert seconds == sorted(seconds)
    for row in metrics.epochs:
        shares = list(row.recall.values())
        assert tuple(row.recall) == RUNGS
        assert shares == sorted(shares, reverse=True)
        assert row.objects > 0
        assert row.AP_large is None


def test_checkpoints_open_and_say_what_they_are(folder: Path) -> None:
    directory, metrics = RunDirectory(folder), metrics_of(folder)
    for path, epoch in ((directory.best, 0), (directory.last, 1), (directory.kept(1), 1)):
        said = load_detector(path).metadata
        row = metrics.epochs[epoch + 1]
        assert (said["run"], said["epoch"], said["step"]) == ("tiny", epoch, row.step)
        assert said["metrics"]["AP"] == row.AP
        assert said["metrics"]["recall"] == row.recall
    resume = torch.load(directory.resume, weights_only=True)
    assert resume["global_step"] == 6
    weights = load_detector(directory.last).model.state_dict()
    assert set(resume["state_dict"]) == {f"model.{name}" for name in weights}
    assert all(torch.equal(resume["state_dict"][f"model.{name}"], value) for name, value in weights.items())
    kept = load_detector(directory.kept(1)).model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in weights.items())


def test_the_row_of_an_epoch_is_the_validation_of_its_checkpoint(folder: Path) -> None:
    last = load_detector(RunDirectory(folder).last)
    validation = Validation(last, open_dataset(CONFIG.data.val))
    row = metrics_of(folder).epochs[-1]
    again = validation.row(validation.share(0, 1, lambda: None), epoch=1, step=6, began=0.0)
    assert replace(again, seconds=row.seconds) == row


def test_probes_open_without_the_model_and_say_what_validation_said(folder: Path) -> None:
    assert probe_epochs(folder) == [-1, 0, 1]
    last = load_detector(RunDirectory(folder).last)
    validation = Validation(last, open_dataset(CONFIG.data.val))
    for epoch in probe_epochs(folder):
        assert probe_images(folder, epoch) == [0]
        trace = probe_trace(folder, epoch, 0)
        assert trace.faithful
        assert trace.ground_truth is not None
        assert trace.input.tensor.shape == (3, 64, 64)
        replay = Replayer(trace).replay()
        assert torch.equal(replay.boxes, trace.detections.boxes)
        assert torch.equal(replay.scores, trace.detections.scores)
    trace = probe_trace(folder, 1, 0)
    assert trace.ground_truth is not None
    verdicts = diagnose(Replayer(trace), trace.ground_truth).verdicts
    assert tuple(verdict.rung.name for verdict in verdicts) == validation.judge(0).rungs
    with pytest.raises(ValueError, match=r"image_3\.trace"):
        probe_trace(folder, 0, 3)


def test_sampled_batches_are_those_of_the_steps_that_were_asked_for(folder: Path) -> None:
    assert sampled_steps(folder) == [2, 4, 6]
    rows = {row.step: row for row in metrics_of(folder).steps}
    for step in sampled_steps(folder):
        batch = sampled_batch(folder, step)
        assert (batch.step, len(batch.images)) == (step, 2)
        for trace in batch.images:
            assert isinstance(trace, Trace)
            assert trace.training is not None
            assert trace.training.losses.rpn_cls == pytest.approx(rows[step].rpn_cls, abs=1e-7)
            assert trace.training.losses.fast_rcnn_bbox == pytest.approx(rows[step].fast_rcnn_bbox, abs=1e-7)
            assert trace.ground_truth is not None
            assert len(object_samples(trace).drawn_rois) == len(trace.ground_truth)
    with pytest.raises(ValueError, match="no batch was kept of step 3"):
        sampled_batch(folder, 3)


def test_a_run_that_is_there_is_not_overwritten(folder: Path) -> None:
    before = (folder / "status.json").read_bytes(), (folder / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match="holds a run already; resume it, or choose another name"):
        fit(CONFIG, folder)
    assert ((folder / "status.json").read_bytes(), (folder / "metrics.jsonl").read_bytes()) == before


def test_nothing_is_begun_anew_in_silence_where_there_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no checkpoint to resume from"):
        fit(TINY_RUN, tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()


def test_one_run_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    with at_work(directory, epochs=1):
        before = read_status(directory.folder)
        with pytest.raises(ValueError, match="another run is writing there"), at_work(directory, epochs=9):
            raise AssertionError("both hold the folder")
        assert before is not None
        assert before.state is RunState.RUNNING
        after = read_status(directory.folder)
        assert after is not None
        assert after.epochs == 1


def test_an_old_wish_to_stop_and_what_a_killed_process_left_are_cleared(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.make()
    left = [directory.stop, tmp_path / HALF_WRITTEN, directory.checkpoints / HALF_WRITTEN]
    for path in left:
        path.touch()
    (directory.probes / HALF_WRITTEN).mkdir(parents=True)
    with at_work(directory, epochs=1) as keeper:
        assert not any(path.exists() for path in left)
        assert not (directory.probes / HALF_WRITTEN).exists()
        assert not keeper.stop_wanted
        keeper.signals.waits_for_batch = True
    assert json.loads((tmp_path / "status.json").read_text())["state"] == "done"


def test_another_process_writes_nothing(tmp_path: Path) -> None:
    with at_work(RunDirectory(tmp_path / "run"), epochs=1, leads=False) as keeper:
        keeper.entered("training")
        keeper.write()
    assert list(tmp_path.iterdir()) == []


def test_the_heart_beats_while_the_run_says_nothing_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_keeper, "BEAT_EVERY", 0.01)

    def beat_after_a_while() -> bool:
        before = read_status(tmp_path)
        time.sleep(0.3)
        return read_status(tmp_path) != before

    with at_work(RunDirectory(tmp_path), epochs=1):
        assert beat_after_a_while()
        monkeypatch.setattr(run_keeper, "HANGS_AFTER", 0.0)
        time.sleep(0.3)
        assert not beat_after_a_while()


def test_a_run_at_work_is_not_begun_twice(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    with at_work(directory, epochs=1):
        directory.resume.write_bytes(b"-")
        with pytest.raises(ValueError, match="at work right now"), at_work(directory, epochs=1):
            pass
        with pytest.raises(ValueError, match="another run is"), at_work(directory, epochs=1, resume=True):
            pass


def test_the_first_signal_is_a_wish_and_a_second_ctrl_c_is_an_end(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    with pytest.raises(RunStopped, match="before its first batch"), at_work(directory, epochs=1):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert state_of(tmp_path) == ("stopped", "it was stopped before its first batch")
    with pytest.raises(KeyboardInterrupt), at_work(directory, epochs=1) as keeper:
        keeper.signals.waits_for_batch = True
        os.kill(os.getpid(), signal.SIGINT)
        assert keeper.stop_wanted
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert state_of(tmp_path) == ("stopped", "it was interrupted")
    with pytest.raises(KeyboardInterrupt), at_work(directory, epochs=1) as keeper:
        keeper.signals.received = True
        raise SystemExit(1)  # as Lightning does after a KeyboardInterrupt


def state_of(folder: Path) -> tuple[str, str]:
    status = read_status(folder)
    assert status is not None
    return status.state.value, status.message


def test_runs_are_listed_with_the_last_begun_first(tmp_path: Path) -> None:
    assert runs_in(tmp_path / "none") == []
    for name, started in (("old", 100.0), ("new", 200.0)):
        (tmp_path / name).mkdir()
        write_status(tmp_path / name, status_of(state=RunState.DONE, started=started))
    for name in ("waiting", "broken", "no run", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "waiting" / "config.yaml").touch()
    (tmp_path / "broken" / "status.json").write_text("{")
    (tmp_path / ".hidden" / "config.yaml").touch()
    found = runs_in(tmp_path)
    assert [run.name for run in found] == ["broken", "waiting", "new", "old"]
    assert "not the status" in found[0].problem
    assert (found[1].status, found[1].problem) == (None, "")
