"""Checkpoints of a run: the detector to use, and Lightning's own file to go on from.

Each file is written under another name, flushed to disk and renamed: the one before is there until the new one is
whole. What Lightning writes goes through the same door, for its own (2.6.6) writes through the system's folder for
temporary files and keeps silent where it is not allowed to write.
"""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from detector.data.sealed import replace_file
from detector.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from detector.models.detector import Detector
    from detector.training.metrics_log import EpochRow


class CheckpointError(Exception):
    """A checkpoint was written and is not there; the message says where."""


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning's way to disk, for a local file: whole or not at all, and never in silence."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None
    ) -> None:
        """Write it and look whether it is there.

        Raises:
            OSError: it cannot be written.
            CheckpointError: it was written, and is not there.
        """
        if storage_options is not None:
            raise TypeError("storage_options are for storage that is not a file")
        content = io.BytesIO()
        torch.save(checkpoint, content)
        replace_file(Path(path), content.getvalue())
        verify(Path(path), content.tell())


def verify(path: Path, size: int = 1) -> None:
    """Look whether a file is there and has its size.

    Args:
        path: the file.
        size: bytes that it must have at least.

    Raises:
        CheckpointError: it is not there, or too small.
    """
    there = path.stat().st_size if path.is_file() else -1
    if there < size:
        said = "is not there" if there < 0 else f"has {there:,} bytes"
        raise CheckpointError(f"{path}: the checkpoint was written and {said}; look at the disk")


def save_resume(trainer: Trainer, path: Path) -> None:
    """Lightning's checkpoint of all that goes on: weights, optimizer, loops, callbacks, random states.

    All processes of a distributed run must call it; the first one writes.

    Raises:
        OSError: it cannot be written; the one before is still there.
        CheckpointError: it was written, and is not there.
    """
    trainer.strategy.checkpoint_io = SafeCheckpointIO()
    trainer.save_checkpoint(path)
    if trainer.is_global_zero:
        verify(path)


def save_detector(
    path: Path, detector: Detector, run: str, epoch: int, step: int, row: EpochRow | None
) -> None:
    """The detector as it is now, for `load_detector`.

    Args:
        path: the file.
        detector: with the weights of this moment.
        run: its name.
        epoch, step: where the run is.
        row: the validation of these very weights, where there was one.

    Raises:
        ValueError: weights that are not finite; the file before is still there.
        OSError: it cannot be written; likewise.
        CheckpointError: it was written, and is not there.
    """
    measured: dict[str, Any] = {}
    if row is not None:
        measured = {"AP": row.AP, "AP50": row.AP50, "AP75": row.AP75, "recall": row.recall}
    metadata = {"run": run, "epoch": epoch, "step": step, "metrics": measured}
    save_checkpoint(path, detector.model, categories=detector.categories, metadata=metadata)
    verify(path)


def random_states() -> dict[str, Any]:
    """The states of all generators of this process that are nobody's own; plain values, for a safe file."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "python": [version, list(words), gauss],
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Undo what happened to the generators since `random_states`."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available() and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
