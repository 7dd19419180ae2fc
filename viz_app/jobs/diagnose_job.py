"""The process that works on one diagnosis, `python -m viz_app.jobs.diagnose_job FOLDER`; see `processes`."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from detector.data.sealed import replace_file
from viz_app.jobs.job import JOB_FILE, PROBLEM_FILE, Job
from viz_app.jobs.losses_job import is_wanted, work_out
from viz_app.loading import load_named

if TYPE_CHECKING:
    from types import FrameType

    from detector.models.detector import Detector

_INTERRUPTED, _FAILED = 130, 2
_GENTLER = 5


def main(folder: Path) -> int:
    """Do the job that lies in a folder; the exit status. A problem is left there as a sentence."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)  # explicitly: a server in the background hands on an ignored Ctrl+C
    if hasattr(os, "nice"):
        os.nice(_GENTLER)  # pages that are looked at meanwhile come first
    try:
        job = Job.from_json((folder / JOB_FILE).read_text(encoding="utf-8"))
        if is_wanted(folder):
            work_out(load(job), job, folder)
        else:
            diagnose(job, folder)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ValueError, TypeError, OSError) as problem:
        return _fail(folder, " ".join(str(problem).split()))
    except Exception as problem:  # whatever it was: people get a sentence, the log has the rest
        traceback.print_exc()
        return _fail(folder, f"it ended with {type(problem).__name__}; log.txt in {folder} says where")
    return 0


def diagnose(job: Job, folder: Path) -> None:
    """Diagnose the data set of a job into a folder.

    Raises:
        ValueError: the data set, the model or what the folder holds does not fit.
    """
    from detector import diagnose_dataset
    from detector.tracing.thresholds import Thresholds

    detector = load(job)
    thresholds = Thresholds.from_model(detector.model).replace(**dict(job.thresholds))
    diagnose_dataset(
        detector, job.dataset, folder, thresholds=thresholds, iou=job.iou, limit=job.limit,
        remedies=job.remedies, recommend=job.remedies,
    )  # fmt: skip


def load(job: Job) -> Detector:
    """The detector of a job."""
    return load_named(job.model, job.weights, job.words)


def _fail(folder: Path, sentence: str) -> int:
    print(f"boxscope: {sentence}", file=sys.stderr)
    replace_file(folder / PROBLEM_FILE, sentence.encode())
    return _FAILED


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
