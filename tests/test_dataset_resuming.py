"""A data-set diagnosis that is stopped, killed, repeated or shared among processes: one run, one folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from support.server import boxscope_command

from detector import (
    Detector,
    Thresholds,
    diagnose_dataset,
    load_detector,
)
from detector.data import ShapesDataset
from detector.judging.dataset_diagnosis import DatasetDiagnosis, load_diagnosis
from detector.judging.locks import locked
from detector.judging.parts import PartWriter, finished, part_files
from detector.judging.status import State, Status, read_status

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENES, SEED, SIZE = 8, 12, 128
TABLES = ("objects.parquet", "false_positives.parquet")


@pytest.fixture(scope="module")
def shapes() -> Detector:
    return load_detector("shapes")


@pytest.fixture(scope="module")
def scenes() -> ShapesDataset:
    return ShapesDataset(SCENES, SEED, size=SIZE)


@pytest.fixture(scope="module")
def run(
    shapes: Detector, scenes: ShapesDataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, DatasetDiagnosis]:
    """A finished run and its folder."""
    out = tmp_path_factory.mktemp("run") / "out"
    return out, diagnose_dataset(shapes, scenes, out, recommend=False)


@pytest.fixture
def stopped(shapes: Detector, scenes: ShapesDataset, tmp_path: Path) -> Iterator[tuple[Path, ShapesDataset]]:
    """A run that was interrupted at its sixth image."""

    class Interrupted(ShapesDataset):
        def __getitem__(self, index: int) -> Any:
            if index == 5:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        diagnose_dataset(shapes, Interrupted(SCENES, SEED, size=SIZE), tmp_path, recommend=False)
    yield tmp_path, scenes


def test_a_second_call_finds_everything_done(
    run: tuple[Path, DatasetDiagnosis], shapes: Detector, scenes: ShapesDataset
) -> None:
    out, first = run
    lines = [path.read_bytes() for path in part_files(out, "*")]
    again = diagnose_dataset(shapes, scenes, out, recommend=False)
    assert [path.read_bytes() for path in part_files(out, "*")] == lines
    assert again.summary == first.summary == load_diagnosis(out).summary
    assert again.objects.equals(first.objects)


def test_an_interrupted_run_says_so_and_goes_on(
    run: tuple[Path, DatasetDiagnosis], stopped: tuple[Path, ShapesDataset], shapes: Detector
) -> None:
    out, scenes = stopped
    status = read_status(out)
    assert status is not None
    assert status.state is State.STOPPED
    with pytest.raises(ValueError, match="no finished diagnosis"):
        load_diagnosis(out)
    (part,) = part_files(out, "diagnose")
    before = part.read_text()
    assert len(before.splitlines()) == 5
    part.write_text(before + before.splitlines()[0][:200])  # as a killed process may leave it
    diagnosis = diagnose_dataset(shapes, scenes, out, recommend=False)
    assert diagnosis.objects.equals(run[1].objects)
    lines = part.read_text().splitlines()
    assert len(lines) == 5 + 1 + 3
    assert sorted(content["index"] for content in finished(out, "diagnose")) == list(range(SCENES))


def test_a_killed_run_goes_on_without_repeating_an_image(tmp_path: Path) -> None:
    command = [
        *boxscope_command(),
        "diagnose",
        "shapes:30:3",
        "--out",
        str(tmp_path),
        "--no_remedies",
        "--threads",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while (
            process.poll() is None
            and sum(path.stat().st_size for path in part_files(tmp_path, "diagnose")) == 0
        ):
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = {content["index"] for content in finished(tmp_path, "diagnose")}
    assert 0 < len(done) < 30
    status = read_status(tmp_path)
    assert status is not None
    assert status.state is State.STOPPED
    (part,) = part_files(tmp_path, "diagnose")
    kept = part.read_bytes()
    diagnosis = diagnose_dataset(
        load_detector("shapes"), "shapes:30:3", tmp_path, remedies=False, limit=len(done) + 2, threads=1
    )
    assert diagnosis.summary.images == len(done) + 2
    added = part.read_bytes().removeprefix(kept).decode().split()
    assert len([line for line in added if line.startswith('{"index":')]) == 2


def test_two_processes_write_the_same_tables(
    run: tuple[Path, DatasetDiagnosis],
    shapes: Detector,
    scenes: ShapesDataset,
    tmp_path: Path,
) -> None:
    told: list[Status] = []
    found = diagnose_dataset(shapes, scenes, tmp_path, processes=2, recommend=False, progress=told.append)
    for table in TABLES:
        assert (tmp_path / table).read_bytes() == (run[0] / table).read_bytes()
    ours, theirs = (json.loads(one.summary.to_json()) | {"seconds": 0} for one in (found, run[1]))
    assert ours == theirs
    assert [path.name for path in part_files(tmp_path, "diagnose")] == [
        "diagnose-rank-0.jsonl",
        "diagnose-rank-1.jsonl",
    ]
    assert told[-1].state is State.DONE
    assert told[-1].pid == os.getpid()
    assert "MASTER_PORT" not in os.environ


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"thresholds": Thresholds(box_score=0.3)}, "other thresholds"),
        ({"iou": 0.75}, "another IoU"),
        ({"dataset": ShapesDataset(SCENES, SEED + 1, size=SIZE)}, "another data set"),
    ],
)
def test_a_folder_keeps_to_its_run(
    run: tuple[Path, DatasetDiagnosis],
    shapes: Detector,
    scenes: ShapesDataset,
    changes: dict[str, Any],
    said: str,
) -> None:
    out, first = run
    with pytest.raises(ValueError, match=said):
        diagnose_dataset(shapes, changes.pop("dataset", scenes), out, **changes)
    assert load_diagnosis(out).summary == first.summary
    status = read_status(out)
    assert status is not None
    assert status.state is State.DONE


def test_other_weights_are_another_model(run: tuple[Path, DatasetDiagnosis], scenes: ShapesDataset) -> None:
    other = load_detector("shapes")
    with torch.no_grad():
        other.model.rpn.head.cls_logits.bias.add_(1)
    with pytest.raises(ValueError, match="another model"):
        diagnose_dataset(other, scenes, run[0])


def test_two_runs_do_not_write_into_one_folder(
    run: tuple[Path, DatasetDiagnosis], shapes: Detector, scenes: ShapesDataset
) -> None:
    with locked(run[0]), pytest.raises(ValueError, match="another run is writing there"):
        diagnose_dataset(shapes, scenes, run[0])


def test_a_part_begins_a_new_line_after_a_torn_one(tmp_path: Path) -> None:
    for line in ('{"index":1}', '{"index":2}'):
        writer = PartWriter(tmp_path, "diagnose", 0)
        writer.write(line)
        writer.close()
        (path,) = part_files(tmp_path, "diagnose")
        path.write_bytes(path.read_bytes() + b'{"index":3,"ima')
    assert [content["index"] for content in finished(tmp_path, "diagnose")] == [1, 2]
