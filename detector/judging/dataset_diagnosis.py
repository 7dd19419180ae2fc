"""A whole data set through the ladder: a verdict for every object and a cause for every false positive.

What a run keeps in its folder OUT:

    run.json                  what it is a run of; only the same can be continued there
    status.json               how far it is; replaced about once a second
    parts/                    finished images, one line each
    objects.parquet           a row for each object
    false_positives.parquet   a row for each false positive
    summary.json              all of it in numbers

Memory holds one trace at a time; the rows and detections of all images come together only at the end. A run that
was stopped or killed goes on where it was when it is called again. The result does not depend on the number of
processes: each looks at whole images, and the parts are put in the images' order.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from detector.data.categories import UNKNOWN, label_map, refuse_unknown
from detector.data.datasets import open_dataset
from detector.data.leftovers import sweep
from detector.data.sealed import replace_file
from detector.judging.coco_metrics import CocoJudge
from detector.judging.identity import RUN, claim, dataset_name, identity_of
from detector.judging.locks import locked
from detector.judging.oracle import boxes_of
from detector.judging.processes import Team, launched_from_outside, outside_team, spawn
from detector.judging.recommendations import recommend as recommend_changes
from detector.judging.run import SUMMARIZE, Job, changes_of, reports_of, trials_of, work
from detector.judging.status import State, Status, read_status, write_status
from detector.judging.summarize import About, summarize
from detector.judging.summary import Recommendation, Summary
from detector.judging.tables import FALSE_POSITIVES, OBJECTS, read_tables, write_tables
from detector.tracing.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.rows import ImageReport
    from detector.models.detector import Detector

SUMMARY = "summary.json"
_MOST = 256


@dataclass(frozen=True, slots=True, eq=False)
class DatasetDiagnosis:
    """What a data-set diagnosis found.

    Args:
        summary: all of it in numbers.
        objects: one row for each object that is not a crowd region; columns as in `ObjectRow`, after
            `image_index` and `image`.
        false_positives: one row for each detection that matches nothing; columns as in `FalsePositiveRow`,
            after the same two.
    """

    summary: Summary
    objects: pd.DataFrame
    false_positives: pd.DataFrame


def diagnose_dataset(
    detector: Detector,
    dataset: AnnotatedImages | str | Path,
    out: str | Path,
    *,
    thresholds: Thresholds | None = None,
    iou: float = 0.5,
    processes: int = 1,
    threads: int | None = None,
    remedies: bool = True,
    recommend: bool = True,
    limit: int | None = None,
    progress: Callable[[Status], None] | None = None,
) -> DatasetDiagnosis:
    """Diagnose every image of a data set; a run that was broken off in `out` goes on.

    Under `torchrun` its processes share the images (`processes` then does not count, and `out` must lie where
    all of them see it). Otherwise Lightning Fabric starts them; in a script this needs the usual
    `if __name__ == "__main__":`.

    Args:
        detector: the model; on CUDA each process gets a device of its own.
        dataset: what `open_dataset` takes, or an annotated data set of the caller's own.
        out: folder of the run; made if it is not there.
        thresholds: under which everything is judged; the model's own when left out.
        iou: the overlap that counts as found, above 0 and up to 1.
        processes: how many work at once.
        threads: CPU threads of each process; as many as torch uses here when left out, so that the last bits do
            not depend on the number of processes. With many processes on a CPU, 1 is quickest.
        remedies: look for the change of a threshold that brings each lost object back (it costs replays).
        recommend: try changes that remedies suggest on all images (a second look at each); only with `remedies`.
        limit: only so many images, from the first one.
        progress: told about once a second how far the run is.

    Raises:
        ValueError: a data set whose categories the detector does not know, a folder with another run in it or
            at work, or a number out of range.
        OSError: the folder cannot be written.
    """
    _check(iou, processes, threads, limit)
    out, name = Path(out), dataset if isinstance(dataset, str) else None
    dataset = open_dataset(dataset) if isinstance(dataset, str | Path) else dataset
    if len(dataset) == 0:
        raise ValueError("the data set has no images; a diagnosis needs one at least")
    detector, labels = _in_common_words(detector, dataset)
    thresholds = thresholds or Thresholds.from_model(detector.model)
    name = name or dataset_name(dataset)
    identity = identity_of(detector, dataset, name, thresholds=thresholds, iou=iou, remedies=remedies)
    threads = threads or torch.get_num_threads()
    job = Job(
        out, dataset, labels, thresholds, iou, remedies, recommend and remedies,
        min(limit or len(dataset), len(dataset)), threads, os.getpid(), time.time(),
    )  # fmt: skip
    team = outside_team(detector) if launched_from_outside() else Team()
    if team.leads:
        _refuse_foreign(out)
        out.mkdir(parents=True, exist_ok=True)
    with locked(out) if team.leads else nullcontext():
        if team.leads:
            sweep(out)
            claim(out, identity)
        team.wait()
        with _told_how_it_ends(job, team):
            if team.size == 1 and processes > 1:
                spawn(work, detector, job, processes, _passing_on(job, progress))
            else:
                work(team, detector, job, progress)
            if team.leads:
                known = tuple(dataset.categories[k] for k in range(1, len(labels)) if labels[k] != UNKNOWN)
                _finish(detector, job, About(name, known, thresholds, iou), progress)
        team.wait()
    return load_diagnosis(out)


def load_diagnosis(out: str | Path) -> DatasetDiagnosis:
    """What a finished run left in its folder.

    Raises:
        ValueError: the folder holds no finished run.
    """
    out = Path(out)
    try:
        summary = Summary.from_json((out / SUMMARY).read_text(encoding="utf-8"))
        return DatasetDiagnosis(summary, *read_tables(out))
    except OSError as error:
        raise ValueError(f"{out} holds no finished diagnosis of a data set") from error


def _refuse_foreign(out: Path) -> None:
    """Refuse to write over somebody's own files, as `--out .` could."""
    if (out / RUN).exists():
        return
    for name in (SUMMARY, OBJECTS, FALSE_POSITIVES):
        if (out / name).exists():
            raise ValueError(f"{out} holds a {name} that is no diagnosis's; choose a new or empty folder")


def _check(iou: float, processes: int, threads: int | None, limit: int | None) -> None:
    if not 0 < iou <= 1:
        raise ValueError(f"iou is {iou}; expected a number above 0 and up to 1")
    for name, value in (("processes", processes), ("threads", threads), ("limit", limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; expected 1 or more")
        if value is not None and value > _MOST and name != "limit":
            raise ValueError(f"{name} is {value}; expected {_MOST} at most")


def _in_common_words(detector: Detector, dataset: AnnotatedImages) -> tuple[Detector, tuple[int, ...]]:
    """The detector (named after the data set where it has no names) and its index of each of the categories."""
    names = dataset.categories
    used = getattr(dataset, "labels_used", range(1, len(names)))
    refuse_unknown(names, detector.categories, used, detector.name)
    labels = label_map(names, detector.categories)
    if labels == tuple(range(len(names))) and len(names) == detector.num_classes:
        detector = replace(detector, categories=tuple(names))
    return detector, labels


def _finish(detector: Detector, job: Job, about: About, progress: Callable[[Status], None] | None) -> None:
    """Put the parts together; the summary comes last: where it is, all is."""
    _say(job, State.RUNNING, SUMMARIZE, progress)
    reports = reports_of(job)
    write_tables(reports, job.out)
    summary = summarize(reports, detector, about, _recommendations(detector, job, reports))
    replace_file(job.out / SUMMARY, summary.to_json().encode())
    _say(job, State.DONE, SUMMARIZE, progress)


def _recommendations(
    detector: Detector, job: Job, reports: Sequence[ImageReport]
) -> tuple[Recommendation, ...]:
    changes = changes_of(job) if job.recommend else ()
    if not changes:
        return ()
    good = [boxes_of(report) for report in reports if not report.problem]
    judge = CocoJudge(good, detector.num_classes - 1)
    return recommend_changes(changes, trials_of(job, changes), reports, job.thresholds, judge)


def _say(
    job: Job, state: State, phase: str, progress: Callable[[Status], None] | None = None, message: str = ""
) -> None:
    """Write the status of a run that is at its end."""
    before = read_status(job.out)
    done = job.images if state in (State.RUNNING, State.DONE) else before.done if before else 0
    status = Status(state, done, job.images, None, None, job.pid, job.started, phase, message)
    write_status(job.out, status)
    if progress is not None:
        progress(status)


@contextmanager
def _told_how_it_ends(job: Job, team: Team) -> Iterator[None]:
    """Whatever ends the block early stands in `status.json`."""
    try:
        yield
    except BaseException as error:
        if team.leads:
            stopped = isinstance(error, KeyboardInterrupt)
            before = read_status(job.out)
            phase = before.phase if before else ""
            message = "" if stopped else " ".join(str(error).split()) or type(error).__name__
            _say(job, State.STOPPED if stopped else State.FAILED, phase, message=message)
        raise


def _passing_on(job: Job, progress: Callable[[Status], None] | None) -> Callable[[], None] | None:
    """Hand on what the leading process wrote into `status.json`, where it is new."""
    if progress is None:
        return None
    told: list[Status] = []

    def tick() -> None:
        status = read_status(job.out)
        if status is not None and status.started == job.started and [status] != told:
            told[:] = [status]
            progress(status)

    return tick
