"""The probes of a run: the same few validation images, traced before the training and after every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.training.kept_traces import kept_images, kept_trace, numbered
from detector.training.run_directory import BEFORE_TRAINING, RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from detector.tracing.trace import Trace

_START = "epoch_start"
_PREFIX = "epoch_"


def probe_folder(folder: Path, epoch: int) -> Path:
    """Where the traces of an epoch lie; epoch -1 is before the training.

    Args:
        folder: of the run.
        epoch: from 0, or -1.
    """
    name = _START if epoch == BEFORE_TRAINING else f"{_PREFIX}{epoch:04d}"
    return RunDirectory(folder).probes / name


def probe_epochs(folder: Path) -> list[int]:
    """The epochs that were traced, in order; -1 is before the training.

    Args:
        folder: of the run.
    """
    begun = [BEFORE_TRAINING] if probe_folder(folder, BEFORE_TRAINING).is_dir() else []
    return begun + numbered(RunDirectory(folder).probes, _PREFIX)


def probe_images(folder: Path, epoch: int) -> list[int]:
    """The images that were traced in an epoch: their places among the validation images."""
    return kept_images(probe_folder(folder, epoch))


def probe_trace(folder: Path, epoch: int, image: int) -> Trace:
    """The trace of one image, with its objects; the model is not needed.

    Args:
        folder: of the run.
        epoch: one of `probe_epochs`.
        image: one of `probe_images`.

    Raises:
        ValueError: there is no such trace, or the file is damaged.
    """
    return kept_trace(probe_folder(folder, epoch), image)
