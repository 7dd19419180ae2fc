"""One pass over the validation images: COCO's averages, and how many objects each rung of the ladder leaves alive.

Every image is captured and diagnosed as `boxscope diagnose` does it, so that a curve and a diagnosis agree; of an
image only its objects, its detections and the rungs are kept. The model is in eval mode for each image, and as it
was afterwards: its flags and the random states, too.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.data.categories import label_map, refuse_unknown
from detector.explaining.ladder import diagnose
from detector.explaining.rungs import Rung
from detector.judging.coco_metrics import ImageBoxes
from detector.judging.coco_numbers import coco_numbers
from detector.judging.image_work import ImageWork, image_name
from detector.judging.rows import detections_of, truths_of
from detector.tracing.thresholds import Thresholds
from detector.training.metrics_log import EpochRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detector.data.coco_export import AnnotatedImages
    from detector.models.detector import Detector

IOU = 0.5
AVERAGES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
RUNGS = tuple(rung.name for rung in Rung if rung is not Rung.FOUND)
"""Those that an object can be lost at, in order."""


class ValidationImageError(Exception):
    """A validation image is gone or wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is kept of one image: what COCO needs, and the rung of each object that is no crowd region."""

    boxes: ImageBoxes
    rungs: tuple[str, ...]


class Validation:
    """The validation images of a run, and the detector that is trained.

    Args:
        detector: around the very model.
        dataset: not augmented.
        limit: only so many images, from the first one; None for all.

    Raises:
        ValueError: the objects have a category that the detector does not know.
    """

    def __init__(self, detector: Detector, dataset: AnnotatedImages, limit: int | None = None) -> None:
        names = dataset.categories
        used = getattr(dataset, "labels_used", range(1, len(names)))
        refuse_unknown(names, detector.categories, used, detector.name)
        labels = label_map(names, detector.categories)
        thresholds = Thresholds.from_model(detector.model)
        self.work = ImageWork(detector, dataset, labels, thresholds, IOU, False)
        self.images = len(dataset) if limit is None else min(limit, len(dataset))

    def judge(self, index: int) -> Judged:
        """Look at one image.

        Raises:
            ValidationImageError: it is gone or wrong.
        """
        try:
            replayer, truth, areas = self.work.look(index)
        except (ValueError, OSError) as error:
            said, name = " ".join(str(error).split()), image_name(self.work.dataset, index)
            raise ValidationImageError(
                f"the validation image {name} cannot be used: {said}; put it right and resume"
            ) from error
        diagnosis = diagnose(replayer.replay(self.work.thresholds), truth, IOU)
        boxes = ImageBoxes(index, truths_of(diagnosis, areas), detections_of(diagnosis))
        return Judged(boxes, tuple(verdict.rung.name for verdict in diagnosis.verdicts))

    def share(self, rank: int, size: int, pulse: Callable[[], None]) -> list[Judged]:
        """Look at every `size`-th image from the `rank`-th on; `pulse` is called after each."""
        judged = []
        for index in range(rank, self.images, size):
            judged.append(self.judge(index))
            pulse()
        return judged

    def row(self, judged: Sequence[Judged], *, epoch: int, step: int, began: float) -> EpochRow:
        """The row of an epoch.

        Args:
            judged: all images, in any order.
            epoch, step: see `EpochRow`.
            began: when the pass began, as `time.perf_counter` tells it.
        """
        images = sorted((one.boxes for one in judged), key=lambda boxes: boxes.image)
        lost = Counter(rung for one in judged for rung in one.rungs)
        averages = averages_of(images, self.work.detector.num_classes - 1)
        seconds = time.perf_counter() - began
        return EpochRow(epoch, step, *averages, recall=survival(lost), objects=lost.total(), seconds=seconds)


def averages_of(images: Sequence[ImageBoxes], labels: int) -> tuple[float | None, ...]:
    """COCO's six averages in the order of `AVERAGES`; None where there is no object."""
    if not images:
        return (None,) * len(AVERAGES)
    values = coco_numbers(images, labels).statistics[: len(AVERAGES)]
    return tuple(None if value < 0 else float(value) for value in values)


def survival(lost: Counter[str]) -> dict[str, float]:
    """Share of the objects that are still alive after each rung.

    Args:
        lost: objects by the rung that their verdict names, FOUND included.
    """
    left = objects = lost.total()
    shares = {}
    for rung in RUNGS if objects else ():
        left -= lost[rung]
        shares[rung] = left / objects
    return shares


def check_monitor(monitor: str) -> None:
    """Refuse a monitor that no validation measures.

    Raises:
        ValueError: names what there is.
    """
    if monitor not in (*AVERAGES, *(f"recall/{rung}" for rung in RUNGS)):
        raise ValueError(
            f"the monitor is {monitor!r}; expected {', '.join(AVERAGES)}, or recall/ and one of {', '.join(RUNGS)}"
        )
