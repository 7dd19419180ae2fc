"""kill -9 at random points: what was finished is there, all that is there can be read, and the rest is done again.

`BOXSCOPE_TEST_KILLS=50` kills each kind of work fifty times instead of four.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from support.forked_work import IMAGES, RUN, WORKER
from support.forking import SEEDS, Forker, Whole, forking

from detector import load_detector
from detector.data.sealed import read_sealed
from detector.judging.parts import part_files
from detector.judging.status import State
from detector.judging.status import read_status as status_of_diagnosis
from detector.tracing.trace_file import load_trace
from detector.training.config_file import config_text, read_config
from detector.training.keeping import refuse
from detector.training.metrics_log import EpochRow, MetricsReader, StepRow
from detector.training.run_directory import RunDirectory, run_at
from detector.training.run_status import RunState
from detector.training.tuning import StudyConfig
from detector.training.tuning_launch import look_at, prepare
from detector.training.tuning_results import StudyView, TrialRow
from detector.training.tuning_space import parameters_of
from detector.training.tuning_worker import PULSE

CHECKPOINTS = (2, 3, 4, 6)
"""Steps after which a whole run saves: every second one, and where an epoch ends."""
PATIENCE = 240
TRIALS = {"training": 2, "thresholds": 6}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def forker(place: Path) -> Iterator[Forker]:
    with forking(place, {PULSE: "1,2"}) as helper:
        yield helper


@pytest.fixture(scope="module")
def training(forker: Forker, place: Path) -> Whole:
    """A training that nobody disturbed, in `run`."""
    return forker.done("train", str(place / "run"), watch=place / "run")


@pytest.fixture(scope="module")
def diagnosis(forker: Forker, place: Path) -> Whole:
    """A diagnosis that nobody disturbed, in `diagnosis`."""
    return forker.done("diagnose", str(place / "diagnosis"), watch=place / "diagnosis")


@pytest.fixture(scope="module")
def studies(forker: Forker, place: Path) -> dict[str, tuple[Whole, StudyView]]:
    """A study of each kind that nobody disturbed."""
    done = {}
    for kind in TRIALS:
        folder = begun(kind, place / kind)
        done[kind] = forker.done("tune", str(folder), watch=folder), look_at(folder)
    return done


def begun(kind: str, folder: Path) -> Path:
    """A study that waits for its first worker."""
    if kind == "training":
        run = replace(RUN, epochs=1, probes=0, data=replace(RUN.data, limit_train=4, limit_val=1))
        parameters = parameters_of(kind, ["lr"])
        prepare(StudyConfig("s", kind, parameters, trials=TRIALS[kind], run=config_text(run)), folder)
    else:
        parameters = parameters_of(kind, ["box_score=0.1..0.9", "box_nms"])
        prepare(StudyConfig("s", "thresholds", parameters, trials=TRIALS[kind], dataset="shapes:3:3"), folder)
    return folder


def half_written(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.tmp"))


def rows_of(folder: Path) -> tuple[list[StepRow], list[EpochRow]]:
    """What a run measured, without how long it took."""
    reader = MetricsReader(folder)
    reader.new()
    steps = [replace(row, seconds=0.0) for row in reader.steps]
    return steps, [replace(row, seconds=0.0) for row in reader.epochs]


def everything_reads(folder: Path) -> None:
    """Each file of a run, but for what says by its name that it is half-written."""
    for path in folder.rglob("*"):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix == ".safetensors":
            load_detector(path)
        elif path.suffix == ".trace":
            load_trace(path)
        elif path.suffix == ".ckpt":
            torch.load(path, weights_only=True)
        elif path.name == "config.yaml":
            assert read_config(path) == RUN


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_killed_training_keeps_all_up_to_its_last_checkpoint_and_ends_as_if_nothing_had_been(
    seed: int, forker: Forker, training: Whole, place: Path
) -> None:
    directory, whole = RunDirectory(place / str(seed) / "run"), place / "run"
    ended = forker.killed(seed, training, "train", str(directory.folder), watch=directory.folder)
    run = run_at(directory.folder)
    assert run.problem == ""
    assert run.status is None or run.status.state is (RunState.DONE if ended == 0 else RunState.DIED)
    everything_reads(directory.folder)
    (steps, epochs), (all_steps, all_epochs) = rows_of(directory.folder), rows_of(whole)
    assert (steps, epochs) == (all_steps[: len(steps)], all_epochs[: len(epochs)])
    due = [step for step in CHECKPOINTS if step < len(steps)]
    assert directory.resume.is_file() or not due
    if due:
        assert torch.load(directory.resume, weights_only=True)["global_step"] >= due[-1]
    if epochs and not directory.resume.is_file():
        with pytest.raises(ValueError, match="holds a run already; choose another name"):
            refuse(directory, resume=False)
    elif run.status is None or run.status.state is RunState.DIED:
        forker.done("train", str(directory.folder), directory.resume.is_file(), watch=directory.folder)
        assert rows_of(directory.folder) == (all_steps, all_epochs)
        for name in ("best.safetensors", "last.safetensors"):
            ours, theirs = (folder / "checkpoints" / name for folder in (directory.folder, whole))
            # The digest is over all tensors; safetensors itself shuffles the header.
            assert read_sealed(ours.read_bytes()).entries == read_sealed(theirs.read_bytes()).entries
        assert half_written(directory.folder) == []
    shutil.rmtree(place / str(seed), ignore_errors=True)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_killed_diagnosis_repeats_no_image_and_ends_as_if_nothing_had_been(
    seed: int, forker: Forker, diagnosis: Whole, place: Path
) -> None:
    folder, whole = place / f"diagnosis-{seed}", place / "diagnosis"
    ended = forker.killed(seed, diagnosis, "diagnose", str(folder), watch=folder)
    status = status_of_diagnosis(folder)
    assert status is None or status.state is (State.DONE if ended == 0 else State.STOPPED)
    before = {path: path.read_bytes() for path in part_files(folder, "diagnose")}
    forker.done("diagnose", str(folder), watch=folder)
    for name in ("objects.parquet", "false_positives.parquet"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    ours, theirs = (json.loads((place / "summary.json").read_text()) for place in (folder, whole))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert half_written(folder) == []
    for path, content in before.items():
        assert path.read_bytes().startswith(content)
        done = [line for line in path.read_bytes().splitlines() if line.endswith(b"}")]
        assert len(done) == IMAGES


@pytest.mark.parametrize("kind", TRIALS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_killed_worker_of_a_study_loses_no_trial_and_the_study_finds_the_same(
    seed: int, kind: str, forker: Forker, studies: dict[str, tuple[Whole, StudyView]], place: Path
) -> None:
    whole, undisturbed = studies[kind]
    folder = begun(kind, place / f"{kind}-{seed}")
    forker.killed(seed, whole, "tune", str(folder), watch=folder)
    before = ended(look_at(folder))
    forker.done("tune", str(folder), watch=folder)
    view = look_at(folder)
    assert ended(view) == ended(undisturbed)
    assert before.items() <= ended(view).items()
    assert view.count("running", "waiting") == 0
    for run in (folder / "trials").glob("*"):
        status = run_at(run).status
        assert status is not None
        assert status.state is RunState.DONE
    shutil.rmtree(folder)


def test_a_worker_whose_study_is_killed_gives_its_trial_back_and_ends(forker: Forker, place: Path) -> None:
    folder = begun("training", place / "overseen")
    overseer = forker.start("oversee", str(folder), watch=folder)
    until(lambda: look_at(folder).count("running"))
    worker = psutil.Process(int((folder / WORKER).read_text()))
    os.kill(overseer, signal.SIGKILL)
    assert forker.wait(overseer) == -signal.SIGKILL
    psutil.wait_procs([worker], PATIENCE)
    assert not worker.is_running()
    view = look_at(folder)
    assert view.count("running") == 0
    assert view.count("waiting", "done") == TRIALS["training"]


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def ended(view: StudyView) -> dict[int, tuple[tuple[float, ...], dict[str, float] | None]]:
    """Values and settings of the trials that are done, by the number of the first try."""
    return {first_of(row, view): (row.values, row.parameters) for row in view.trials if row.state == "done"}


def first_of(row: TrialRow, view: StudyView) -> int:
    while row.retry_of is not None:
        row = view.trials[row.retry_of]
    return row.number
