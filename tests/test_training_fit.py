"""`fit`: a run from its settings to its best epoch, ended and gone on with, and what it refuses to begin."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.training import RUN, with_recipe

from detector.data.coco_export import write_coco
from detector.data.shapes import ShapesDataset
from detector.models.zoo import load_detector
from detector.training.config_file import read_config
from detector.training.fit import fit
from detector.training.metrics_log import EpochRow, MetricsReader
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, read_status
from detector.training.trainer import quiet


class Enough(Exception):
    """Whoever was told of an epoch has seen enough."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, EpochRow | None, list[EpochRow]]:
    """A whole run of two epochs."""
    folder, told = tmp_path_factory.mktemp("runs") / "whole", []
    torch.manual_seed(5)
    before = torch.get_rng_state()
    best = fit(RUN, folder, on_epoch=told.append)
    assert torch.equal(torch.get_rng_state(), before)
    return RunDirectory(folder), best, told


def read(directory: RunDirectory) -> MetricsReader:
    reader = MetricsReader(directory.folder)
    reader.new()
    return reader


def test_a_run_leaves_its_settings_its_measures_and_a_detector(
    run: tuple[RunDirectory, EpochRow | None, list[EpochRow]],
) -> None:
    directory, best, told = run
    assert read_config(directory.config) == RUN
    measured = read(directory)
    assert [row.step for row in measured.steps] == [1, 2, 3, 4, 5, 6]
    assert [row.epoch for row in told] == [0, 1] and told == measured.epochs[-2:]
    assert best in told
    status = read_status(directory.folder)
    assert status is not None and status.state is RunState.DONE and status.step == 6
    detector = load_detector(directory.best)
    assert detector.categories == ShapesDataset.categories
    assert "the backbone has random weights" not in directory.log.read_text()


def test_a_run_ended_after_an_epoch_and_resumed_is_the_uninterrupted_one(
    run: tuple[RunDirectory, EpochRow | None, list[EpochRow]], tmp_path: Path
) -> None:
    directory = RunDirectory(tmp_path / "run")

    def stop(row: EpochRow) -> None:
        raise Enough

    with pytest.raises(Enough):
        fit(RUN, directory.folder, on_epoch=stop)
    status = read_status(directory.folder)
    assert status is not None and status.state is RunState.STOPPED
    assert fit(RUN, directory.folder, resume=True) is not None
    ours, whole = read(directory), read(run[0])
    assert [replace(row, seconds=0.0) for row in ours.steps] == [
        replace(row, seconds=0.0) for row in whole.steps
    ]
    one, other = (load_detector(d.last).model.state_dict() for d in (directory, run[0]))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_run_is_not_begun_over_another_nor_resumed_from_nothing(
    run: tuple[RunDirectory, EpochRow | None, list[EpochRow]], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="holds a run already"):
        fit(RUN, run[0].folder)
    with pytest.raises(ValueError, match="no checkpoint to resume from"):
        fit(RUN, tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()


def broken_coco(folder: Path) -> str:
    """A data set of which an image is no longer there."""
    write_coco(ShapesDataset(2, size=64), folder)
    next(iter((folder / "images").iterdir())).unlink()
    return str(folder)


def unfit(tmp_path: Path) -> dict[str, tuple[Any, str]]:
    data, trainer, has_not = RUN.data, RUN.trainer, "trainer.* asks for what this machine has not"
    return {
        "gone": (replace(RUN, data=replace(data, train="nowhere")), "there is no data set 'nowhere'"),
        "broken": (replace(RUN, data=replace(data, val=broken_coco(tmp_path / "coco"))), "image"),
        "frozen noise": (with_recipe(unfreeze_epoch=None), "recipe.unfreeze_epoch is null"),
        "monitor": (replace(RUN, monitor="AP51"), "the monitor is 'AP51'"),
        "device": (replace(RUN, trainer=replace(trainer, accelerator="abacus")), has_not),
        "precision": (replace(RUN, trainer=replace(trainer, precision="8-bit")), has_not),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["gone", "broken", "frozen noise", "monitor", "device", "precision"])
def test_what_cannot_be_trained_is_one_sentence_here_and_in_the_status(name: str, tmp_path: Path) -> None:
    config, said = unfit(tmp_path)[name]
    with pytest.raises(ValueError) as error:
        fit(config, tmp_path / "run")
    assert said in str(error.value) and "\n" not in str(error.value)
    status = read_status(tmp_path / "run")
    assert status is not None and (status.state, status.message) == (RunState.FAILED, str(error.value))
    assert not RunDirectory(tmp_path / "run").metrics.is_file()


def test_a_backbone_with_random_weights_is_not_frozen_and_the_log_says_so(tmp_path: Path) -> None:
    config = replace(with_recipe(unfreeze_epoch=1), epochs=1, probes=0)
    fit(replace(config, data=replace(config.data, limit_train=2, limit_val=1)), tmp_path / "run")
    assert "the backbone has random weights, so it is trained from the first epoch" in (
        RunDirectory(tmp_path / "run").log.read_text()
    )
    assert len(read(RunDirectory(tmp_path / "run")).steps) == 1


def test_lightning_is_quiet_and_then_as_it_was() -> None:
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    with quiet():
        assert not logger.isEnabledFor(logging.WARNING)
    assert logger.level == level
