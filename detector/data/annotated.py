"""A data set of image files whose annotations were read and checked before: what COCO, VOC and YOLO folders become.

Shapes: `G` objects; boxes float32 [G, 4] xyxy in the image frame, sizes are (height, width).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Dataset

from detector.data.ground_truth import GroundTruth
from detector.data.image_headers import upright_size
from detector.data.images import read_image
from detector.data.items import Sample, as_boxes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.mistakes import Mistake

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One object of an image.

    Args:
        id: annotation id in a COCO file, the object's number in a VOC file, the line in a YOLO file.
        label: index into the data set's categories, from 1.
        box: xyxy, finite and with an area.
        ignored: a crowd region of COCO, a `difficult` object of VOC: never missed, and not learned.
        area: square pixels, where the annotations say it (COCO: of the mask); COCO's sizes go by it.
    """

    id: int
    label: int
    box: tuple[float, float, float, float]
    ignored: bool = False
    area: float | None = None


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One image of a data set with its objects.

    Args:
        id: its id in a COCO file, else its place in the data set.
        path: the image file.
        said_in: who says the size, such as `annotations.json: image 7`.
        size: (H, W) as the annotations say, or as the file's header does; None where only the file knows it.
        objects: in the order of the file.
    """

    id: int
    path: Path
    said_in: str
    size: Size | None
    objects: tuple[AnnotatedObject, ...]


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What reading the annotations of a folder gave, with all that is wrong with them.

    Args:
        root: the folder.
        categories: K names, index 0 is background.
        images: those that are there, with the objects that can be used.
        mistakes: everything else; a data set is refused where there are any.
    """

    root: Path
    categories: tuple[str, ...]
    images: tuple[AnnotatedImage, ...]
    mistakes: tuple[Mistake, ...]


class AnnotatedFiles(Dataset[Sample]):
    """Images in files, with their objects.

    `dataset[i]` is `(pixels, target)`: pixels uint8 [3, H, W] RGB, upright as EXIF says; target holds `boxes`
    (`tv_tensors.BoundingBoxes` xyxy [G, 4]), `labels` (int64 [G], indices into `categories`), `image_id`, `ids`
    (int64 [G]) and `iscrowd` (bool [G]), and `area` (float64 [G], square pixels) where the annotations tell areas.
    Images without objects stay, with boxes [0, 4].

    Args:
        root: the data set's folder or annotation file; names it in sentences.
        source: the text that `open_dataset` opens it by.
        categories: K names, index 0 is background.
        images: checked.
    """

    def __init__(
        self, root: Path, source: str, categories: Sequence[str], images: Sequence[AnnotatedImage]
    ) -> None:
        self.root, self.source = root, source
        self.categories, self.images = tuple(categories), tuple(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        image = self._image(index)
        pixels = read_image(image.path).pixels
        size = pixels.shape[1], pixels.shape[2]
        if image.size is not None and image.size != size:
            raise ValueError(other_size(image, size))
        truth = _truth(image)
        return pixels, {
            "boxes": as_boxes(truth.boxes, size),
            "labels": truth.labels,
            "image_id": image.id,
            "ids": truth.ids,
            "iscrowd": truth.crowd,
            **told_areas(image),
        }

    @property
    def labels_used(self) -> frozenset[int]:
        """Indices into `categories` that some object has; no image is opened for it."""
        return frozenset(thing.label for image in self.images for thing in image.objects)

    def image_path(self, index: int) -> Path:
        """The file of image `index`; raises IndexError outside 0..length-1."""
        return self._image(index).path

    def truth(self, index: int) -> GroundTruth:
        """The objects of image `index`, without opening it; raises IndexError outside 0..length-1."""
        return _truth(self._image(index))

    def image_size(self, index: int) -> Size:
        """(H, W) of image `index` without decoding it: as annotated, else from the file's header.

        Raises:
            IndexError: outside 0..length-1.
            ValueError: nothing says the size, and the header cannot be read.
        """
        image = self._image(index)
        return upright_size(image.path) if image.size is None else image.size

    def _image(self, index: int) -> AnnotatedImage:
        if not 0 <= operator.index(index) < len(self.images):
            raise IndexError(f"image {index} of {len(self.images)}")
        return self.images[index]


def _truth(image: AnnotatedImage) -> GroundTruth:
    objects = image.objects
    return GroundTruth(
        torch.tensor([thing.box for thing in objects], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([thing.label for thing in objects], dtype=torch.int64),
        torch.tensor([thing.ignored for thing in objects], dtype=torch.bool),
        torch.tensor([thing.id for thing in objects], dtype=torch.int64),
    )


def told_areas(image: AnnotatedImage) -> dict[str, Tensor]:
    """`area` of a target, float64 [G] in square pixels; nothing where the annotations tell no area."""
    if all(thing.area is None for thing in image.objects):
        return {}
    return {"area": torch.tensor([_area(thing) for thing in image.objects], dtype=torch.float64)}


def _area(thing: AnnotatedObject) -> float:
    x1, y1, x2, y2 = thing.box
    return (x2 - x1) * (y2 - y1) if thing.area is None else thing.area


def other_size(image: AnnotatedImage, size: Size) -> str:
    """The sentence for an image whose file is of another size (H, W) than its annotations say."""
    assert image.size is not None
    said, real = (f"{width}x{height}" for height, width in (image.size, size))
    return f"{image.said_in} is said to be {said}, but {image.path.name} is {real} pixels, so its boxes may be off"
