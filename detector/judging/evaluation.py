"""How good a detector is on a data set: everything is worked out from the finished parts of its diagnosis.

The images go through the detector once; what is kept of them (objects, detections, verdicts) is enough for COCO's
averages, the curves, the calibration, the confusion matrix and the scores of single images.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.datasets import open_dataset
from detector.judging.calibration import calibration_of
from detector.judging.coco_matching import match_images
from detector.judging.coco_numbers import IOUS, RECALLS, SIZES, coco_numbers
from detector.judging.confusion import confusion_of
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.evaluation_records import STATISTICS, CategoryScore, Curves, Evaluation
from detector.judging.identity import RUN
from detector.judging.image_losses import read_losses, write_losses
from detector.judging.image_scores import image_scores
from detector.judging.kept_run import KeptRun, read_run
from detector.judging.oracle import boxes_of
from detector.judging.status import State, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.coco_matching import Matched
    from detector.judging.coco_numbers import CocoNumbers
    from detector.judging.rows import ImageReport
    from detector.models.detector import Detector
    from detector.tracing.samples import Losses
    from detector.tracing.thresholds import Thresholds

LOSSES = "losses"


def evaluate(
    detector: Detector,
    dataset: AnnotatedImages | str | Path,
    out: str | Path,
    *,
    thresholds: Thresholds | None = None,
    iou: float = 0.5,
    limit: int | None = None,
    losses: bool = False,
    progress: Callable[[Status], None] | None = None,
) -> Evaluation:
    """Judge a detector on a data set; a run that was broken off in `out` goes on.

    Args:
        detector: the model.
        dataset: what `open_dataset` takes, or an annotated data set of the caller's own.
        out: folder of the run; made if it is not there. It is a diagnosis like any other.
        thresholds: under which everything is judged; the model's own when left out.
        iou: the overlap that counts as found, above 0 and up to 1.
        limit: only so many images, from the first one.
        losses: also what each image costs in training; a training-mode forward more for each image.
        progress: told about once a second how far the run is.

    Raises:
        ValueError: a data set whose categories the detector does not know, a folder with another run in it or
            at work, or a number out of range.
        OSError: the folder cannot be written.
    """
    out = Path(out)
    wanted = _remedies_there(out)
    diagnose_dataset(
        detector, dataset, out, thresholds=thresholds, iou=iou, limit=limit, progress=progress,
        remedies=wanted, recommend=wanted,
    )  # fmt: skip
    run = read_run(out)
    if losses:
        opened = open_dataset(dataset) if isinstance(dataset, str | Path) else dataset
        indices = [report.index for report in run.reports]
        write_losses(detector, opened, out, indices, _told(progress))
    return _evaluated(run, run.reports, matched_of(run, run.reports), read_losses(out))


def evaluation_of(folder: str | Path) -> Evaluation:
    """What the finished diagnosis in a folder says of the detector; no image is looked at again.

    Measured: 5,000 images with 36,000 objects and 129,000 detections in 80 categories take 15 s of one CPU core.

    Args:
        folder: of `evaluate`, `diagnose_dataset`, or `boxscope diagnose`.

    Raises:
        ValueError: the folder holds no finished diagnosis.
    """
    run = read_run(folder)
    return _evaluated(run, run.reports, matched_of(run, run.reports), read_losses(run.folder))


def evaluation_of_images(run: KeptRun, reports: Sequence[ImageReport], matched: Matched) -> Evaluation:
    """As `evaluation_of`, over some of the images only; the summary stays that of the whole run.

    Args:
        run: read from its folder.
        reports: some of `run.reports`, in their order.
        matched: of the same images.
    """
    return _evaluated(run, reports, matched, {})


def matched_of(run: KeptRun, reports: Sequence[ImageReport]) -> Matched:
    """COCO's matching of some of a run's images."""
    return match_images([boxes_of(report) for report in reports], len(run.categories) - 1)


def _evaluated(
    run: KeptRun, reports: Sequence[ImageReport], matched: Matched, losses: Mapping[int, Losses]
) -> Evaluation:
    numbers = coco_numbers([boxes_of(report) for report in reports], len(run.categories) - 1)
    known = [_known(value) for value in numbers.statistics]
    return Evaluation(
        model=run.summary.model,
        dataset=run.summary.dataset,
        thresholds=run.summary.thresholds,
        iou=run.summary.iou,
        categories=run.categories,
        objects=int(matched.objects.sum()),
        statistics=dict(zip(STATISTICS, known, strict=True)),
        by_category=_by_category(run, reports, numbers),
        curves=Curves(IOUS, RECALLS, numbers.precision[..., 0], numbers.scores),
        calibration=calibration_of(matched),
        confusion=confusion_of(reports, run.categories),
        images=image_scores(reports, matched, losses),
        summary=run.summary,
    )


def _by_category(
    run: KeptRun, reports: Sequence[ImageReport], numbers: CocoNumbers
) -> dict[str, CategoryScore]:
    """The categories that the data set knows, by their names."""
    objects = Counter(one.label for report in reports for one in report.truth if not one.crowd)
    found = Counter(one.label for report in reports for one in report.detections)
    scores = {}
    for label, name in enumerate(run.categories):
        if label and name in run.summary.by_category:
            AP, AP50, AP75 = (numbers.average(label, iou=iou) for iou in (None, 0.5, 0.75))
            small, medium, large = (numbers.average(label, size=size) for size in SIZES[1:])
            scores[name] = CategoryScore(
                label, AP, AP50, AP75, small, medium, large, objects[label], found[label]
            )
    return scores


def _remedies_there(out: Path) -> bool:
    """Whether the folder holds a run that looks for remedies: it is continued as it was begun."""
    try:
        return json.loads((out / RUN).read_text(encoding="utf-8"))["remedies"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _told(progress: Callable[[Status], None] | None) -> Callable[[int, int], None] | None:
    """Tell of losses as of the other phases, about once a second."""
    if progress is None:
        return None
    began, last = time.time(), -1.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < 1.0:
            return
        last = now
        progress(Status(State.RUNNING, done, total, None, None, os.getpid(), began, LOSSES))

    return tell


def _known(value: float) -> float | None:
    return None if value < 0 else float(value)
