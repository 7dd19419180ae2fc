"""What the forked processes of `support.warm_process` do: each the function that the command or the app calls."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import viz_app.figures.words  # noqa: F401 - imported before the fork, as all below
from detector import load_detector
from detector.data.sealed import replace_file
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.training import trainer, tuning_replay, tuning_training  # noqa: F401
from detector.training.fit import fit
from detector.training.tuning_worker import main as work_on_study
from support.runs import TINY_RUN
from viz_app.jobs.dataset_uploads import keep_dataset
from viz_app.jobs.job import Job
from viz_app.jobs.launching import launch
from viz_app.jobs.processes import start

SHAPES = load_detector("shapes")
IMAGES = 6
WORKER = "worker.txt"
RUN = replace(TINY_RUN, data=replace(TINY_RUN.data, limit_val=2))


def train(folder: str, resume: bool = False) -> int:
    """As `boxscope train` and `boxscope resume`."""
    fit(RUN, folder, resume=resume)
    return 0


def diagnose(folder: str) -> int:
    """As `boxscope diagnose`."""
    diagnose_dataset(SHAPES, f"shapes:{IMAGES}:3", folder, threads=1)
    return 0


def oversee(folder: str) -> int:
    """As `boxscope tune`, whose worker is a process of its own: its number is written into the folder."""
    worker = os.fork()
    if worker == 0:
        os.setsid()
        os._exit(work_on_study(Path(folder)))
    replace_file(Path(folder) / WORKER, str(worker).encode())
    return os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])


def unpack(archive: str, name: str) -> int:
    """As the Data page, where a zip file was uploaded."""
    with Path(archive).open("rb") as file:
        keep_dataset(file, name)
    return 0


def start_training(name: str) -> int:
    """As the Train panel."""
    launch(name, RUN)
    return 0


def start_diagnosis(folder: str) -> int:
    """As the Evaluate page."""
    start(Job("shapes:4:3", "shapes"), Path(folder))
    return 0


WORK = {
    "train": train,
    "diagnose": diagnose,
    "oversee": oversee,
    "tune": lambda folder: work_on_study(Path(folder)),
    "unpack": unpack,
    "start_training": start_training,
    "start_diagnosis": start_diagnosis,
}
