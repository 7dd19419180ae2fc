"""What each image of a finished diagnosis would cost in training, worked out by a process of the diagnosis' own.

A file in its folder says that it is wanted: a process that finds it there, and the diagnosis finished, does this
instead. Whatever becomes of it, the diagnosis stays finished; losses that are there are kept.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from detector.judging.status import State, Status, read_status, write_status
from viz_app.jobs.processes import start

if TYPE_CHECKING:
    from pathlib import Path

    from detector.models.detector import Detector
    from viz_app.jobs.job import Job

WANTED = "losses.wanted"
PHASE = "losses"
_EVERY = 0.5


def start_losses(job: Job, folder: Path) -> None:
    """Let a process work out the losses of a finished diagnosis; raises OSError as `processes.start`."""
    (folder / WANTED).touch()
    start(job, folder)


def is_wanted(folder: Path) -> bool:
    """Whether losses are asked for in the folder of a finished diagnosis."""
    status = read_status(folder)
    return (folder / WANTED).is_file() and status is not None and status.state is State.DONE


def work_out(detector: Detector, job: Job, folder: Path) -> None:
    """Compute what is missing; the status tells how far it is, and says done at the end, however it ends.

    Raises:
        ValueError: the data set is another one now, or cannot be opened.
        OSError: a file cannot be read or written.
    """
    from detector.data.datasets import open_dataset
    from detector.judging.image_losses import write_losses
    from detector.judging.kept_run import read_run

    before, began, told = read_status(folder), time.time(), [0.0]

    def tell(done: int, total: int) -> None:
        now = time.time()
        if now - told[0] < _EVERY and done < total:
            return
        told[0] = now
        rate = done / (now - began) if done and now > began else None
        left = None if rate is None else (total - done) / rate
        write_status(folder, Status(State.RUNNING, done, total, rate, left, os.getpid(), began, PHASE))

    try:
        run = read_run(folder)
        tell(0, len(run.reports))
        indices = [report.index for report in run.reports]
        write_losses(detector, open_dataset(job.dataset), folder, indices, tell)
    finally:
        (folder / WANTED).unlink(missing_ok=True)
        if before is not None:
            write_status(folder, before)
