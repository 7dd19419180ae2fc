"""Probe images of a run, read once: whole for the epoch that is looked at, at a glance for all others."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from detector.training.probe_reading import probe_epochs, probe_folder, probe_images, probe_trace
from viz_app.figures.probe_pictures import ProbeFrame, ProbeGlance, glance_at, probe_frame

if TYPE_CHECKING:
    from pathlib import Path

# A frame holds its trace: up to some ten megabytes. A glance holds three small pictures: 300 kB.
_MOST_FRAMES, _MOST_GLANCES = 6, 600


def epochs_of(folder: Path) -> list[int]:
    """Epochs of which probes were kept, in order; -1 is before training."""
    return [epoch for epoch in probe_epochs(folder) if probe_images(folder, epoch)]


def images_of(folder: Path, epochs: list[int]) -> list[int]:
    """Numbers of the images that were kept of the last epoch."""
    return probe_images(folder, epochs[-1]) if epochs else []


def frame_of(folder: Path, epoch: int, image: int) -> ProbeFrame:
    """One image after one epoch; raises ValueError with a sentence where its file is gone or damaged."""
    return _frame(folder, epoch, image, _written(folder, epoch))


def glance_of(folder: Path, epoch: int, image: int) -> ProbeGlance:
    """The same at a glance."""
    return _glance(folder, epoch, image, _written(folder, epoch))


@lru_cache(maxsize=_MOST_FRAMES)
def _frame(folder: Path, epoch: int, image: int, written: int) -> ProbeFrame:
    del written
    return probe_frame(epoch, probe_trace(folder, epoch, image))


@lru_cache(maxsize=_MOST_GLANCES)
def _glance(folder: Path, epoch: int, image: int, written: int) -> ProbeGlance:
    return glance_at(_frame(folder, epoch, image, written))


def _written(folder: Path, epoch: int) -> int:
    """Another number once the probes of an epoch were traced again."""
    try:
        return probe_folder(folder, epoch).stat().st_mtime_ns
    except OSError:
        return 0
