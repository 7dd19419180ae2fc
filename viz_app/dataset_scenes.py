"""Images of a data set as images that can be looked at, each under a key that a link can carry.

A key is the data set as `open_dataset` takes it, a slash, and the place of the image: `shapes:200:3/17`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from detector.data.coco import ANNOTATIONS, find_annotation_file
from detector.data.datasets import ground_truth_of
from viz_app.jobs.job import short_name, written
from viz_app.jobs.readable import readable
from viz_app.scenes import Annotations, ImageChoice, digest

if TYPE_CHECKING:
    from torch import Tensor

    from detector.data.datasets import AnyDataset

_ANNOTATION_ENDINGS = (".xml", ".txt", ".yaml", ".yml")
_NOT_COCO = ("data.yaml", "classes.txt", "labels", "Annotations")
_MANY, _KEPT_SECONDS = 500, 2.0
_SCANS: dict[Path, tuple[float, str]] = {}


def item_key(source: str, index: int) -> str:
    """The key of image `index` of a data set."""
    return f"{source}/{index}"


def item_of(key: str) -> tuple[str, int] | None:
    """Data set and place of a key; None where it is the key of another image."""
    source, _, number = key.rpartition("/")
    is_item = bool(source) and number.isascii() and number.isdigit() and len(number) < 10
    return (source, int(number)) if is_item else None


def item_choice(dataset: AnyDataset, source: str, index: int) -> ImageChoice:
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
    data = _png(pixels) if path is None else readable(path).read_bytes()
    name = f"{source.replace(':', '-')}-{index}.png" if path is None else path.name
    label = f"{short_name(source)} · {index if path is None else path.name}"
    return ImageChoice(item_key(source, index), label, digest(data), path or data, name, annotations)


def image_file(dataset: AnyDataset, index: int) -> Path | None:
    """The file of an image; None where the data set draws its images."""
    path_of = getattr(dataset, "image_path", None)
    return None if path_of is None else path_of(index)


def annotations_written(source: str) -> str:
    """Changes when the annotations of a data set do; nothing where there is no such file."""
    path = Path(source)
    try:
        if not path.exists():
            return ""
        if path.suffix.lower() == ".json" or (path / ANNOTATIONS).is_file():
            return written(find_annotation_file(path))
        if (
            path.is_dir()
            and not any((path / name).exists() for name in _NOT_COCO)
            and any(path.glob("*.json"))
        ):
            return written(*sorted(path.glob("*.json")))
        return _newest(path if path.is_dir() else path.absolute().parent)
    except (OSError, ValueError):
        return ""


def files_written(source: str, model: str) -> str:
    """Changes when the annotations of a data set do, or the file of a model."""
    return "|".join(filter(None, (annotations_written(source), written(model))))


def _newest(folder: Path) -> str:
    """How many annotation files there are, how long together, and when the last was written.

    Looked at is what belongs to a VOC or YOLO folder, or to a folder of images in one: the `labels/` beside it. Of
    a large folder the answer is kept for two seconds, because a page asks for every image that it shows.
    """
    until, text = _SCANS.get(folder, (0.0, ""))
    if time.monotonic() < until:
        return text
    count, text = _scanned(folder)
    if count > _MANY:
        _SCANS[folder] = (time.monotonic() + _KEPT_SECONDS, text)
    return text


def _scanned(folder: Path) -> tuple[int, str]:
    """The number of annotation files, and the text about them."""
    parts = folder.absolute().parts
    mirrored = [
        Path(*parts[:i], "labels", *parts[i + 1 :]) for i, part in enumerate(parts) if part == "images"
    ]
    above = [folder.absolute().parent.parent] if folder.name == "Main" else []
    count, size, last = 0, 0, 0
    for where in (folder, *mirrored[-1:], *above):
        for inside, _, names in os.walk(where):
            for name in names:
                if name.lower().endswith(_ANNOTATION_ENDINGS):
                    status = Path(inside, name).stat()
                    count, size, last = count + 1, size + status.st_size, max(last, status.st_mtime_ns)
    return count, f"{count}.{size}.{last}"


def _png(pixels: Tensor) -> bytes:
    """uint8 [3, H, W] as a PNG file, without loss."""
    image = cv2.cvtColor(pixels.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", image)[1].tobytes()
