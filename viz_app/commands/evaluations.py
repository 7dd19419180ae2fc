"""Where a subcommand keeps the evaluation of one model on one data set, and how it is made or continued.

Without `--out` it is a diagnosis of the workspace like those of the app: each finds what the other has made.
Only names are imported at the top.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.looking import KNOBS, weights_of
from viz_app.commands.models import find_model
from viz_app.commands.progress import ProgressLine, stopped_gently, told_that_it_goes_on
from viz_app.jobs.job import JOB_FILE, Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonargparse import Namespace

    from detector.data.datasets import AnyDataset
    from detector.judging.evaluation_records import Evaluation
    from detector.models.detector import Detector

_RUN = "run.json"


def asked(options: Namespace, dataset: str, model: str, knobs: Mapping[str, float | None]) -> Job:
    """What is to be evaluated, in words that mean the same wherever they are read again.

    Args:
        options: with `iou`, `limit`, and `weights` where there is such an option.
        dataset: what `open_dataset` takes.
        model: what `find_model` takes.
        knobs: thresholds by name; None for those that stay the model's own.

    Raises:
        ValueError: as `find_model`.
    """
    from viz_app.dataset_scenes import files_written

    dataset, source = _absolute(dataset), _absolute(find_model(model).source)
    changed = tuple((name, value) for name, value in knobs.items() if value is not None)
    return Job(
        dataset, source, weights_of(source, options.get("weights")), {}, changed, options.limit,
        files_written(dataset, source), options.iou, remedies=False,
    )  # fmt: skip


def folder_of(job: Job) -> Path:
    """The folder in the workspace; one of the app's that also looks for remedies answers it as well."""
    from viz_app.jobs.workspace import diagnosis_folder

    more = diagnosis_folder(replace(job, remedies=True).name)
    return more if (more / _RUN).is_file() else diagnosis_folder(job.name)


def make_evaluation(job: Job, out: Path, *, losses: bool = False) -> Evaluation:
    """Evaluate into a folder, or go on there, with a progress line on stderr.

    Args:
        job: what is asked for.
        out: the folder.
        losses: also what each image costs in training.

    Raises:
        ValueError: a data set, model, threshold or folder that does not fit.
    """
    from detector.judging.evaluation import evaluate
    from detector.tracing.thresholds import Thresholds

    dataset, detector = check_evaluation(job, out)
    thresholds = Thresholds.from_model(detector.model).replace(**dict(job.thresholds))
    shown = ProgressLine()
    with stopped_gently(), told_that_it_goes_on(), _told_what_it_is(job, out), shown:
        return evaluate(
            detector, dataset, out, thresholds=thresholds, iou=job.iou, limit=job.limit, losses=losses,
            progress=shown.tell,
        )  # fmt: skip


def check_evaluation(job: Job, out: Path) -> tuple[AnyDataset, Detector]:
    """The data set and the detector of an evaluation, which are all that can be wrong with it.

    Raises:
        ValueError: as `make_evaluation`; what cannot be is refused before a model is loaded.
    """
    from detector.data.datasets import open_dataset
    from detector.tracing.thresholds import Thresholds
    from viz_app.loading import load_named

    Thresholds().replace(**dict(job.thresholds))
    if out.is_file():
        raise ValueError(f"{out} is a file; --out names the folder of the run")
    return open_dataset(job.dataset), load_named(job.model, job.weights)


def run_of(options: Namespace) -> tuple[Path, str | None]:
    """(folder of the finished run that SUBJECT is, the data set where it is told); one of a data set is made first.

    Raises:
        ValueError: options that go with the other kind of subject; as `make_evaluation`.
    """
    changes = {name: options[name] for name in KNOBS if options[name] is not None}
    if is_finished_run(Path(options.subject)):
        others = (name for name in ("model", "weights", "limit") if options[name] is not None)
        for name in (*changes, *others):
            raise ValueError(f"--{name} goes with a data set; {options.subject} is a finished run")
        return Path(options.subject), options.dataset
    if options.dataset is not None:
        raise ValueError(f"--dataset goes with a finished run; {options.subject} is none")
    job = asked(options, options.subject, options.model or "shapes", changes)
    folder = folder_of(job)
    make_evaluation(job, folder)
    return folder, options.subject


def is_finished_run(path: Path) -> bool:
    """Whether a folder holds a finished diagnosis or evaluation."""
    return (path / "summary.json").is_file() and (path / _RUN).is_file()


@contextmanager
def _told_what_it_is(job: Job, out: Path) -> Iterator[None]:
    """A new folder says what it is of, for the app; nothing of it stays where the run was refused."""
    begun = (out / _RUN).is_file()
    if not begun:
        out.mkdir(parents=True, exist_ok=True)
        (out / JOB_FILE).write_text(job.to_json(), encoding="utf-8")
    try:
        yield
    finally:
        if not begun and not (out / _RUN).is_file():
            (out / JOB_FILE).unlink(missing_ok=True)
            with suppress(OSError):  # it held something else before
                out.rmdir()


def _absolute(source: str) -> str:
    """A path from the root, for a process in another folder; any other name as it is."""
    path = Path(source)
    return str(path.absolute()) if path.exists() else source
