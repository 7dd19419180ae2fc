"""What a training step on each image alone would pay: the four losses, under a fixed seed.

The samplers of both stages draw at random, so a loss is one draw; the same seed for every image makes runs
comparable. BatchNorm that is not frozen uses the one image's statistics, as a step with batch size 1 would. Nothing
of the model changes. Crowd regions are left out, as training leaves them out.
"""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from detector.data.categories import label_map, translated
from detector.data.datasets import ground_truth_of
from detector.data.images import read_image
from detector.judging.locks import locked
from detector.judging.parts import PartWriter, finished
from detector.models.pyramid import LOSS_NAMES
from detector.tracing.looking import pretending_to_train
from detector.tracing.samples import Losses
from detector.tracing.sampling import full_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from detector.data.coco_export import AnnotatedImages
    from detector.models.detector import Detector

TASK = "losses"
SEED = 0


def write_losses(
    detector: Detector,
    dataset: AnnotatedImages,
    out: Path,
    indices: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Append the losses of all images that have none yet to the run's parts; a run broken off goes on.

    Args:
        detector: the model.
        dataset: the images.
        out: folder of the run.
        indices: the images, without those that cannot be used.
        progress: told (done, total) after each image.

    Raises:
        ValueError: another process works in the folder.
    """
    labels = label_map(dataset.categories, detector.categories)
    with locked(out):
        done = {content["index"] for content in finished(out, TASK)}
        pending = [index for index in indices if index not in done]
        with closing(PartWriter(out, TASK, 0)) as part:
            for count, index in enumerate(pending, start=1):
                losses = losses_of(detector, dataset, labels, index)
                part.write(json.dumps({"index": index, "losses": None if losses is None else asdict(losses)}))
                if progress is not None:
                    progress(len(indices) - len(pending) + count, len(indices))


def read_losses(out: Path) -> dict[int, Losses]:
    """What `write_losses` wrote, by image index; empty where nothing was."""
    contents = finished(out, TASK)
    return {content["index"]: Losses(**content["losses"]) for content in contents if content["losses"]}


def losses_of(
    detector: Detector, dataset: AnnotatedImages, labels: Sequence[int], index: int
) -> Losses | None:
    """The four losses of one image; None where one of them is not a finite number.

    Args:
        detector: the model.
        dataset: the images.
        labels: the detector's index of each category of the data set; see `label_map`.
        index: of the image.
    """
    pixels, target = dataset[index]
    truth = translated(ground_truth_of(target), labels)
    assert truth is not None, "the diagnosis refused this image"
    device = next(detector.model.parameters()).device
    size = (int(pixels.shape[1]), int(pixels.shape[2]))
    with pretending_to_train(detector.model, SEED):
        wanted = full_target(detector, truth, size, device)
        told = detector.model([read_image(pixels).tensor.to(device)], [wanted])
    values = {own.removeprefix("L_"): float(told[name]) for name, own in LOSS_NAMES.items()}
    return Losses(**values) if all(map(math.isfinite, values.values())) else None
