"""How good a detector is on a data set: everything is worked out from the finished parts of its diagnosis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.evaluation_records import Evaluation
    from detector.judging.status import Status
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds


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
    raise NotImplementedError


def evaluation_of(folder: str | Path) -> Evaluation:
    """What the finished diagnosis in a folder says of the detector; no image is looked at again.

    Args:
        folder: of `evaluate`, `diagnose_dataset`, or `boxscope diagnose`.

    Raises:
        ValueError: the folder holds no finished diagnosis.
    """
    raise NotImplementedError
