"""Tracing the probe images of a run; `probe_reading` gives the traces back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.training.kept_traces import keep_traces, slim
from detector.training.probe_reading import probe_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from detector.tracing.trace import Trace
    from detector.training.validation import Validation


def keep_probes(
    folder: Path, validation: Validation, count: int, epoch: int, pulse: Callable[[], None]
) -> None:
    """Trace the first validation images as the detector is now.

    Args:
        folder: of the run.
        validation: images and detector.
        count: how many; 0 for none.
        epoch: that has ended; -1 before the training.
        pulse: called after each image.

    Raises:
        ValueError: an image that cannot be used.
        OSError: an image that cannot be read, or a file that cannot be written.
    """
    count = min(count, validation.images)
    if count:
        keep_traces(probe_folder(folder, epoch), _traces(validation, count, pulse))


def _traces(validation: Validation, count: int, pulse: Callable[[], None]) -> Iterator[Trace]:
    for index in range(count):
        replayer, _, _ = validation.work.look(index)
        yield slim(replayer.trace)
        pulse()
