"""Two processes that train together on this machine (gloo): one model, one voice, nothing missing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.training import RUN, TINY

from detector.data.sealed import checksum, read_sealed
from detector.data.shapes import ShapesDataset
from detector.models.checkpoints import save_checkpoint
from detector.training.building import build_model
from detector.training.config import ModelConfig, TrainerConfig
from detector.training.config_file import write_config
from detector.training.metrics_log import MetricsReader
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, read_status
from detector.training.trainer import _are_several, _processes, _strategy

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of two processes: the backbone frozen for an epoch, 7 images that do not divide among them."""
    folder = tmp_path_factory.mktemp("together")
    start = build_model(ModelConfig("pyramid", pyramid=TINY), ShapesDataset.categories)
    save_checkpoint(folder / "start.safetensors", start.model, categories=start.categories)
    config = replace(
        RUN,
        model=ModelConfig(str(folder / "start.safetensors")),
        data=replace(RUN.data, limit_train=7, batch_size=2),
        recipe=replace(RUN.recipe, unfreeze_epoch=1),
        trainer=TrainerConfig("cpu"),
    )
    write_config(folder / "config.yaml", config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port),
        "-m", "support.ranks", str(folder / "config.yaml"), str(folder / "run"),
    ]  # fmt: skip
    paths = os.pathsep.join((str(TESTS), str(TESTS.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return RunDirectory(folder / "run")


def test_all_processes_end_with_the_same_weights_and_that_is_what_is_saved(together: RunDirectory) -> None:
    first, second = ((together.folder.parent / f"run.rank{rank}").read_text().split() for rank in (0, 1))
    assert first == second
    assert first[0] == checksum(read_sealed(together.last.read_bytes()).tensors, {})
    start = read_sealed((together.folder.parent / "start.safetensors").read_bytes()).tensors
    assert first[0] != checksum(start, {})


def test_the_measures_are_complete_and_written_once(together: RunDirectory) -> None:
    measured = MetricsReader(together.folder)
    rows = measured.new()
    assert [row.step for row in measured.steps] == [1, 2, 3, 4]
    assert [row.epoch for row in measured.epochs] == [-1, 0, 1]
    assert len(rows) == 7
    assert {row.objects for row in measured.epochs} == {
        sum(len(t["labels"]) for _, t in ShapesDataset(3, seed=7))
    }
    status = read_status(together.folder)
    assert status is not None and status.state is RunState.DONE


@pytest.mark.parametrize(
    ("local", "world", "devices", "nodes", "expected"),
    [(None, None, "auto", 1, ("auto", 1)), (None, None, 4, 2, (4, 2)), ("2", "6", "auto", 1, (2, 3))],
)
def test_torchrun_says_how_many_there_are(
    local: str | None, world: str | None, devices: int | str, nodes: int, expected: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in (("LOCAL_WORLD_SIZE", local), ("WORLD_SIZE", world)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert _processes(TrainerConfig(devices=devices, num_nodes=nodes)) == expected


def test_only_a_run_that_thaws_pays_for_unused_parameters() -> None:
    assert _are_several(2, 1, "cpu") and _are_several(1, 2, "cpu") and not _are_several(1, 1, "cpu")
    assert not _are_several("auto", 1, "cpu")
    assert _strategy("auto", True, True) == _strategy("ddp", True, True) == "ddp_find_unused_parameters_true"
    assert _strategy("auto", True, False) == "ddp"
    assert _strategy("auto", False, True) == "auto"
    assert _strategy("fsdp", True, True) == "fsdp"
