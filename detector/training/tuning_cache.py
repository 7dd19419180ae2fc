"""Images captured once, so that both filters can be run on them hundreds of times.

Box thresholds alone need little of each image: boxes and probabilities of the RoIs that can pass at all. RPN
thresholds change which RoIs there are: then a `Replayer` with the feature maps stays, too.

Shapes: `R` RoIs, `K` categories with background. Boxes are xyxy, network frame unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from detector.data.categories import label_map, refuse_unknown, translated
from detector.data.datasets import ground_truth_of
from detector.data.images import read_image
from detector.judging.image_work import image_name
from detector.tracing.capture import capture
from detector.tracing.filters import filter_detections
from detector.tracing.replay import Replayer
from detector.tracing.thresholds import Thresholds
from detector.training.tuning_metric import Detected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detector.data.coco_export import AnnotatedImages
    from detector.data.ground_truth import GroundTruth
    from detector.models.detector import Detector
    from detector.tracing.trace import FilterRules, Trace

MOST_BYTES = 4 * 2**30


class KeptImage(Protocol):
    """What is kept of one image."""

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        ...

    def detections(self, thresholds: Thresholds) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes float [M, 4], **image** frame, scores float [M] and labels int64 [M] under these thresholds."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class BoxFilterImage:
    """What the box filter needs of one image.

    Args:
        boxes: float [R, K, 4], or [R, 1, 4] where boxes do not depend on the class; decoded and clipped.
        scores: float [R, K].
        shown: float [R x (K-1), 4], all class slots in the **image** frame.
        rules: of the model's filter.
    """

    boxes: Tensor
    scores: Tensor
    shown: Tensor
    rules: FilterRules

    @classmethod
    def of(cls, replayer: Replayer, floor: float) -> BoxFilterImage:
        """Of the RoIs of which some class has a probability above `floor`; no other one ever enters the filter."""
        replay = replayer.replay()
        rows = torch.where((replay.class_scores[:, 1:] > floor).any(dim=1))[0]
        boxes, scores = replay.class_boxes[rows], replay.class_scores[rows]
        classes = scores.shape[1] - 1
        slots = boxes.expand(len(rows), classes, 4) if boxes.shape[1] == 1 else boxes[:, 1:]
        shown = replayer.trace.to_image(slots.reshape(-1, 4))
        return cls(boxes.clone(), scores, shown, replayer.trace.rules)

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return _bytes(self.boxes, self.scores, self.shown)

    def detections(self, thresholds: Thresholds) -> tuple[Tensor, Tensor, Tensor]:
        """The box filter's choice; bit for bit the model's own."""
        ledger = filter_detections(self.boxes, self.scores, thresholds, self.rules)
        kept = ledger.kept
        return self.shown[kept], ledger.scores[kept], ledger.labels[kept]


@dataclass(frozen=True, slots=True, eq=False)
class BothFiltersImage:
    """One image with its feature maps: the second stage looks at each RoI once, when it first appears."""

    replayer: Replayer

    @classmethod
    def of(cls, replayer: Replayer) -> BothFiltersImage:
        """Without what no filter asks for: RoI features, embeddings, and the maps below the pyramid."""
        trace = replayer.trace
        head = replace(trace.head, features=None, embedding=None)
        slim = replace(trace, head=head, backbone=replace(trace.backbone, body={}))
        return cls(Replayer(slim, replayer.detector))

    @property
    def bytes(self) -> int:
        """Memory that it takes before RoIs that were not captured."""
        return _bytes(*_tensors(self.replayer.trace))

    def detections(self, thresholds: Thresholds) -> tuple[Tensor, Tensor, Tensor]:
        """Both filters' choice; the same proposals as the model's, bit for bit."""
        replay = self.replayer.replay(thresholds)
        return replay.boxes, replay.scores, replay.labels


@dataclass(frozen=True, slots=True, eq=False)
class CachedImages:
    """All images of a study of thresholds.

    Args:
        images: what is kept of each.
        truths: the objects of each, under the detector's labels.
        labels: K-1.
        own: the model's own thresholds.
        problems: a sentence for each image that could not be used.
    """

    images: tuple[KeptImage, ...]
    truths: tuple[GroundTruth, ...]
    labels: int
    own: Thresholds
    problems: tuple[str, ...] = ()

    def replay(self, thresholds: Thresholds) -> Detected:
        """Detections of all images under these thresholds."""
        with torch.no_grad():
            found = [image.detections(thresholds) for image in self.images]
        counts = [len(scores) for _, scores, _ in found]
        boxes, scores, labels = (torch.cat(column).cpu() for column in zip(*found, strict=True))
        image = np.repeat(np.arange(len(counts)), counts)
        return Detected(image, boxes.double().numpy(), scores.double().numpy(), labels.numpy())


def capture_images(
    detector: Detector,
    dataset: AnnotatedImages,
    *,
    floor: float,
    moves_rpn: bool = False,
    limit: int | None = None,
    most_bytes: int = MOST_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> CachedImages:
    """Capture the images of a data set, one at a time.

    Args:
        detector: the model.
        dataset: the images with their objects.
        floor: the lowest `box_score` that will be asked for.
        moves_rpn: whether RPN thresholds will change.
        limit: only so many images, from the first one.
        most_bytes: of memory.
        progress: told how many images are done, and how many there are.

    Raises:
        ValueError: a category that the detector does not know, a model that a replay does not follow, no image
            that can be used, or more memory than `most_bytes`.
    """
    names = dataset.categories
    used = getattr(dataset, "labels_used", range(1, len(names)))
    refuse_unknown(names, detector.categories, used, detector.name)
    labels = label_map(names, detector.categories)
    own = Thresholds.from_model(detector.model)
    floor = min(floor, own.box_score)
    total, size = min(limit or len(dataset), len(dataset)), 0
    images: list[KeptImage] = []
    truths, problems = [], []
    for index in range(total):
        try:
            replayer, truth = _captured(detector, dataset, index, labels)
        except (ValueError, OSError) as problem:
            problems.append(f"{image_name(dataset, index)}: {' '.join(str(problem).split())}")
            continue
        _refuse_unfaithful(replayer.trace, detector)
        kept = BothFiltersImage.of(replayer) if moves_rpn else BoxFilterImage.of(replayer, floor)
        size += kept.bytes
        if size > most_bytes:
            raise ValueError(
                f"{len(images) + 1} of {total} images take {size / 2**30:.1f} GB of memory already; "
                "give a limit for the number of images"
            )
        images.append(kept)
        truths.append(truth)
        if progress is not None:
            progress(index + 1, total)
    if not images:
        raise ValueError(
            f"no image can be used; the first one: {problems[0]}" if problems else "there is no image"
        )
    return CachedImages(tuple(images), tuple(truths), detector.num_classes - 1, own, tuple(problems))


def _captured(
    detector: Detector, dataset: AnnotatedImages, index: int, labels: Sequence[int]
) -> tuple[Replayer, GroundTruth]:
    pixels, target = dataset[index]
    truth = translated(ground_truth_of(target), labels)
    if truth is None:
        raise ValueError("an object has a category that the detector does not know")
    trace = capture(detector, read_image(pixels, name=image_name(dataset, index)), truth)
    return Replayer(trace, detector), truth


def _refuse_unfaithful(trace: Trace, detector: Detector) -> None:
    if not trace.faithful:
        raise ValueError(
            f"a replay of {detector.name} does not give the model's own output (it has filters of its own); "
            "its thresholds cannot be tuned by replay"
        )


def _tensors(trace: Trace) -> tuple[Tensor, ...]:
    head, rpn = trace.head, trace.rpn
    return (
        trace.input.pixels, trace.input.tensor, *trace.backbone.pyramid.values(), rpn.anchors, rpn.objectness,
        rpn.deltas, head.boxes, head.class_logits, head.deltas,
    )  # fmt: skip


def _bytes(*tensors: Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
