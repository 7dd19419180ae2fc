"""What every process of a data-set diagnosis does: its share of the images, one after the other.

First each image is diagnosed. Then, where it is wanted, the leader picks changes of thresholds from what all
processes found, and each image is looked at once more to try them.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.judging.image_work import ImageWork
from detector.judging.parts import PartCounter, PartWriter, finished
from detector.judging.processes import threads_of
from detector.judging.recommendations import Change, Trial, TrialWork, choose_changes
from detector.judging.rows import ImageReport
from detector.judging.status import State, Status, write_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.processes import Team
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds

DIAGNOSE, RECOMMEND, SUMMARIZE = "diagnose", "recommend", "summarize"
_EVERY = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What a process is told, beside the detector; it can be pickled.

    Args:
        out: folder of the run.
        dataset: the images.
        labels: the detector's index of each category of the data set.
        thresholds: under which the images are judged.
        iou: the overlap that counts as found.
        remedies: whether remedies are looked for.
        recommend: whether changes are tried on all images.
        images: how many, from the first one.
        threads: CPU threads of each process.
        pid: of the process that was asked.
        started: when, seconds since 1970.
    """

    out: Path
    dataset: AnnotatedImages
    labels: tuple[int, ...]
    thresholds: Thresholds
    iou: float
    remedies: bool
    recommend: bool
    images: int
    threads: int
    pid: int
    started: float

    def work(self, detector: Detector) -> ImageWork:
        """What is done with one image."""
        return ImageWork(detector, self.dataset, self.labels, self.thresholds, self.iou, self.remedies)


def work(team: Team, detector: Detector, job: Job, notify: Callable[[Status], None] | None = None) -> None:
    """This process's share of a run.

    Args:
        team: this process among the others.
        detector: the model.
        job: what is to be done.
        notify: told about once a second how far all are, in the leading process.
    """
    images = job.work(detector)
    with threads_of(job.threads):
        _go_through(team, job, DIAGNOSE, DIAGNOSE, images.line, notify)
        if job.recommend:
            changes = team.told(changes_of(job) if team.leads else None)
            trials = TrialWork(images, changes)
            _go_through(team, job, RECOMMEND, trial_task(changes, job), trials.line, notify, bool(changes))


def reports_of(job: Job) -> list[ImageReport]:
    """The reports of all finished images, in the images' order."""
    contents = (content for content in finished(job.out, DIAGNOSE) if content["index"] < job.images)
    return sorted(map(ImageReport.from_content, contents), key=lambda report: report.index)


def changes_of(job: Job) -> tuple[Change, ...]:
    """The changes to try, from what all images said."""
    return choose_changes(reports_of(job), job.thresholds)


def trials_of(job: Job, changes: Sequence[Change]) -> Iterable[Trial]:
    """What the changes did to all images."""
    task = trial_task(changes, job)
    return (Trial.from_content(content) for content in finished(job.out, task))


def trial_task(changes: Sequence[Change], job: Job) -> str:
    """Name of the parts that try these changes: other changes are other parts."""
    text = repr([(change.field, change.after) for change in changes]) + f" of {job.images}"
    return f"{RECOMMEND}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _go_through(
    team: Team,
    job: Job,
    phase: str,
    task: str,
    line: Callable[[int], str],
    notify: Callable[[Status], None] | None,
    needed: bool = True,
) -> None:
    """Do something with each image that is not finished; each process takes every n-th of them."""
    done = {content["index"] for content in finished(job.out, task)} if team.leads else None
    pending = [index for index in range(job.images) if done is None or index not in done]
    pending = team.told(pending if needed else [])
    with closing(PartWriter(job.out, task, team.rank)) as part:
        report = _Reporter(job, phase, task, len(pending), notify) if team.leads else None
        for index in pending[team.rank :: team.size]:
            part.write(line(index))
            if report is not None:
                report.tell()
        team.wait()
        if report is not None:
            report.tell(last=True)


class _Reporter:
    """Says how far all processes are, about once a second.

    Args:
        job: the run.
        phase: for people.
        task: whose parts are counted.
        pending: images that were not finished at the start.
        notify: told the same.
    """

    def __init__(
        self, job: Job, phase: str, task: str, pending: int, notify: Callable[[Status], None] | None
    ) -> None:
        self._job, self._phase, self._pending, self._notify = job, phase, pending, notify
        self._counter = PartCounter(job.out, task)
        self._lines_before = self._counter.count()
        self._began, self._told = time.monotonic(), -_EVERY
        self.tell(last=True)

    def tell(self, last: bool = False) -> None:
        """Write `status.json`, unless that was just done; always if this is the last word."""
        now = time.monotonic()
        if not last and now - self._told < _EVERY:
            return
        self._told = now
        new = min(self._counter.count() - self._lines_before, self._pending)
        rate = new / (now - self._began) if new else None
        left = None if rate is None else (self._pending - new) / rate
        job = self._job
        done = job.images - self._pending + new
        status = Status(State.RUNNING, done, job.images, rate, left, job.pid, job.started, self._phase)
        write_status(job.out, status)
        if self._notify is not None:
            self._notify(status)
