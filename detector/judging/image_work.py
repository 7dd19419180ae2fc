"""One image of a data set: captured, replayed, diagnosed, and reported. Only one trace lives at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from detector.data.categories import translated
from detector.data.datasets import ground_truth_of
from detector.data.images import read_image
from detector.explaining.ladder import diagnose
from detector.explaining.remedies import remedy_for
from detector.explaining.rungs import Rung
from detector.judging.rows import (
    ImageReport,
    detections_of,
    false_positive_row,
    object_row,
    truths_of,
)
from detector.tracing.capture import capture
from detector.tracing.replay import Replayer

if TYPE_CHECKING:
    from detector.data.coco_export import AnnotatedImages
    from detector.data.ground_truth import GroundTruth
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds
    from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class ImageWork:
    """What is done with each image.

    Args:
        detector: the model.
        dataset: the images.
        labels: the detector's index of each category of the data set; see `label_map`.
        thresholds: under which the image is judged.
        iou: the overlap that counts as found.
        remedies: whether a remedy is looked for, for each lost object.
    """

    detector: Detector
    dataset: AnnotatedImages
    labels: tuple[int, ...]
    thresholds: Thresholds
    iou: float
    remedies: bool

    def line(self, index: int) -> str:
        """The report of one image as a line of JSON. An image that cannot be used is a report, too."""
        began = time.perf_counter()
        name = image_name(self.dataset, index)
        try:
            report = self._report(index, name)
        except (ValueError, TypeError, OSError) as problem:
            report = ImageReport(index, name, problem=" ".join(str(problem).split()))
        return replace(report, seconds=time.perf_counter() - began).to_line()

    def look(self, index: int) -> tuple[Replayer, GroundTruth, list[float] | None]:
        """Capture one image; its objects under the detector's labels, and their areas where they are told.

        Raises:
            ValueError, TypeError: an image or objects that cannot be used.
            OSError: a file that cannot be read.
        """
        pixels, target = self.dataset[index]
        truth = translated(ground_truth_of(target), self.labels)
        if truth is None:
            raise ValueError("an object has a category that the detector does not know")
        trace = capture(self.detector, read_image(pixels, name=image_name(self.dataset, index)), truth)
        return Replayer(trace, self.detector), truth, _areas(target)

    def _report(self, index: int, name: str) -> ImageReport:
        replayer, truth, areas = self.look(index)
        diagnosis = diagnose(replayer.replay(self.thresholds), truth, self.iou)
        truths = truths_of(diagnosis, areas)
        rows = []
        for verdict in diagnosis.verdicts:
            wanted = self.remedies and verdict.rung is not Rung.FOUND
            remedy = remedy_for(replayer, diagnosis, verdict) if wanted else None
            rows.append(object_row(diagnosis, verdict, truths[verdict.object], remedy))
        false = tuple(false_positive_row(diagnosis, one) for one in diagnosis.false_positives)
        scale = _scale(replayer.trace)
        return ImageReport(
            index, name, replayer.trace.input.image_size, scale, tuple(rows), false, truths,
            detections_of(diagnosis), faithful=replayer.trace.faithful,
        )  # fmt: skip


def image_name(dataset: AnnotatedImages, index: int) -> str:
    """The image's file name, where it has one."""
    path_of: Any = getattr(dataset, "image_path", None)
    return path_of(index).name if path_of else f"image {index}"


def _areas(target: dict[str, Any]) -> list[float] | None:
    """Square pixels of each object, where the data set says it (COCO: of its mask)."""
    area = target.get("area")
    return None if area is None else [float(value) for value in area]


def _scale(trace: Trace) -> tuple[float, float]:
    """(vertical, horizontal) factor from the image frame to the network frame."""
    (height, width), (to_height, to_width) = trace.input.image_size, trace.input.network_size
    return to_height / height, to_width / width
