"""What is swept and what is not: half-written things of our own whose process is gone, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from detector.data import leftovers
from detector.data.leftovers import held, sweep, sweep_old, sweep_unheld, temporary_beside
from detector.data.new_folder import new_folder

fcntl = pytest.importorskip("fcntl")


def test_only_names_of_our_own_are_swept(tmp_path: Path) -> None:
    ours = temporary_beside(tmp_path / "status.json"), temporary_beside(tmp_path / "probes")
    theirs = tmp_path / ".settings.tmp", tmp_path / ".cache.tmp", tmp_path / f".{'0' * 31}.tmp"
    for file, folder in (ours, theirs[:2]):
        file.touch()
        folder.mkdir()
        (folder / "inner").touch()
    theirs[2].touch()
    long_ago = time.time() - 10_000
    os.utime(theirs[0], (long_ago, long_ago))
    sweep_old(tmp_path)
    assert ours[0].exists(), "somebody may be writing it"
    sweep_unheld(tmp_path)
    assert ours[0].exists() and not ours[1].exists()
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == set(theirs) and (theirs[1] / "inner").exists()


def test_a_folder_that_somebody_writes_stays(tmp_path: Path) -> None:
    mine = temporary_beside(tmp_path / "x")
    with held(mine):
        sweep_unheld(tmp_path)
        assert mine.is_dir()
    sweep_unheld(tmp_path)
    assert not mine.exists()


def test_a_folder_that_is_locked_for_long_is_written_into_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE", 0.1)
    left = temporary_beside(tmp_path / "y")
    left.mkdir()
    descriptor = os.open(tmp_path, os.O_RDONLY)  # as `flock FOLDER boxscope convert ...` does
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with new_folder(tmp_path / "x") as folder:
            (folder / "inner").touch()
    finally:
        os.close(descriptor)
    assert (tmp_path / "x" / "inner").is_file() and left.is_dir(), "nothing is swept meanwhile"
