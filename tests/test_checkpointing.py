"""Checkpoints are whole or not there, and never fail in silence."""

import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from support.pyramids import TINY, seeded

from detector import Detector, load_detector
from detector.models.checkpoints import save_checkpoint
from detector.training.checkpointing import (
    CheckpointError,
    SafeCheckpointIO,
    random_states,
    save_detector,
    set_random_states,
    verify,
)

CONTENT = {"state_dict": {"a": torch.arange(5.0)}, "loops": {"epoch": 3}}


def test_what_lightning_saves_is_there_and_opens_without_running_anything(tmp_path: Path) -> None:
    path = tmp_path / "resume.ckpt"
    SafeCheckpointIO().save_checkpoint(CONTENT, path)
    found = torch.load(path, weights_only=True)
    assert torch.equal(found["state_dict"]["a"], CONTENT["state_dict"]["a"])
    assert found["loops"] == {"epoch": 3}
    assert [entry.name for entry in tmp_path.iterdir()] == ["resume.ckpt"]


def test_a_refused_permission_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "resume.ckpt")

    path = tmp_path / "resume.ckpt"
    SafeCheckpointIO().save_checkpoint(CONTENT, path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(PermissionError):
        SafeCheckpointIO().save_checkpoint({"other": torch.zeros(3)}, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["resume.ckpt"]


def test_a_checkpoint_that_is_not_there_is_missed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.ckpt: the checkpoint was written and is not there"):
        verify(tmp_path / "gone.ckpt")
    (tmp_path / "short").write_bytes(b"1234")
    verify(tmp_path / "short", 4)
    with pytest.raises(CheckpointError, match="has 4 bytes"):
        verify(tmp_path / "short", 5)


def test_weights_that_are_not_finite_do_not_replace_good_ones(tmp_path: Path) -> None:
    detector, path = Detector.wrap(seeded(TINY)), tmp_path / "last.safetensors"
    save_detector(path, detector, "run", 1, 20, None)
    before = path.read_bytes()
    with torch.no_grad():
        next(detector.model.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinite"):
        save_detector(path, detector, "run", 2, 40, None)
    assert path.read_bytes() == before
    assert load_detector(path).metadata == {"run": "run", "epoch": 1, "step": 20, "metrics": {}}


def test_a_header_whose_length_begins_as_a_pickle_does_opens(tmp_path: Path) -> None:
    """Every 32nd checkpoint: such a length is a multiple of 8 that ends in 0x80."""
    model, path = seeded(TINY), tmp_path / "last.safetensors"
    name = ""
    while not name or path.read_bytes()[0] != 0x80:
        name += "x" * 8
        assert len(name) <= 256
        save_checkpoint(path, model, categories=("a", "b", "c"), metadata={"run": name})
    assert load_detector(path).metadata["run"] == name


def test_random_states_come_back_from_a_safe_file(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float, float]:
        return torch.rand(1).item(), random.random(), float(np.random.rand()), float(np.random.randn())

    before = random_states()
    try:
        draw()
        torch.save(random_states(), tmp_path / "states")
        first = draw()
        draw()
        set_random_states(torch.load(tmp_path / "states", weights_only=True))
        assert draw() == first
    finally:
        set_random_states(before)
