"""Images of a data set as images that can be looked at, each under a key that a link can carry.

A key is the data set as `open_dataset` takes it, a slash, and the place of the image: `shapes:200:3/17`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from detector.data.coco import find_annotation_file
from detector.data.datasets import ground_truth_of
from viz_app.jobs.job import short_name, written
from viz_app.scenes import Annotations, ImageChoice, digest

if TYPE_CHECKING:
    from torch import Tensor

    from detector.data.coco import CocoDataset
    from detector.data.shapes import ShapesDataset


def item_key(source: str, index: int) -> str:
    """The key of image `index` of a data set."""
    return f"{source}/{index}"


def item_of(key: str) -> tuple[str, int] | None:
    """Data set and place of a key; None where it is the key of another image."""
    source, _, number = key.rpartition("/")
    is_item = bool(source) and number.isascii() and number.isdigit() and len(number) < 10
    return (source, int(number)) if is_item else None


def item_choice(dataset: CocoDataset | ShapesDataset, source: str, index: int) -> ImageChoice:
    """One image of a data set with its objects.

    Args:
        dataset: opened.
        source: the text that opened it.
        index: place of the image.

    Raises:
        ValueError: there is no such image, it cannot be read, or its objects are no objects.
    """
    if not 0 <= index < len(dataset):
        raise ValueError(f"{source} has {len(dataset):,} images: there is no image {index}")
    pixels, target = dataset[index]
    annotations = Annotations(ground_truth_of(target), tuple(dataset.categories))
    path = image_file(dataset, index)
    data = _png(pixels) if path is None else path.read_bytes()
    name = f"{source.replace(':', '-')}-{index}.png" if path is None else path.name
    label = f"{short_name(source)} · {index if path is None else path.name}"
    return ImageChoice(item_key(source, index), label, digest(data), path or data, name, annotations)


def image_file(dataset: CocoDataset | ShapesDataset, index: int) -> Path | None:
    """The file of an image; None where the data set draws its images."""
    path_of = getattr(dataset, "image_path", None)
    return None if path_of is None else path_of(index)


def annotations_written(source: str) -> str:
    """Changes when the annotations of a data set do; nothing where there is no such file."""
    path = Path(source)
    try:
        return written(find_annotation_file(path)) if path.exists() else ""
    except (OSError, ValueError):
        return ""


def _png(pixels: Tensor) -> bytes:
    """uint8 [3, H, W] as a PNG file, without loss."""
    image = cv2.cvtColor(pixels.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", image)[1].tobytes()
