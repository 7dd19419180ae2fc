"""What the doctor looks at: a data set as it is, with its mistakes, in one record.

Shapes: `n` objects over all images. Boxes are in the image frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from detector.judging.findings import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.judging.findings import Finding

Size = tuple[int, int]
Layout = Literal["xywh", "xyxy"]


@dataclass(frozen=True, slots=True)
class Looked:
    """What reading an image's pixels showed.

    Args:
        size: (H, W) upright, as a detector sees it.
        sha256: of the decoded pixels; two files of the same pixels share it.
        low, high, mean, std: of the values that would go to the detector: 0 to 1 as it should be.
        orientation: the EXIF flag; 1 where there is none.
        stored_size: (H, W) of the file's rows before the flag is obeyed; None where the pixels came from no file.
    """

    size: Size
    sha256: str
    low: float
    high: float
    mean: float
    std: float
    orientation: int = 1
    stored_size: Size | None = None


@dataclass(frozen=True, slots=True)
class SeenImage:
    """One image of the data set.

    Args:
        name: file name as the data set says it, or what stands for it.
        said_size: (H, W) as the annotations say, where they do.
        looked: None where its pixels cannot be read.
    """

    name: str
    said_size: Size | None
    looked: Looked | None

    @property
    def size(self) -> Size | None:
        """(H, W): of the pixels, else as said."""
        return self.said_size if self.looked is None else self.looked.size


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A data set as it is.

    Args:
        name: what people call it.
        images: those that were looked at.
        numbers: float64 [n, 4], each box as it is written, finite.
        layout: how the data set's reader takes the four numbers: `xywh` as COCO files, or `xyxy`.
        labels: int64 [n]: in a COCO file the category's id there, else the label.
        ids: int64 [n], annotation ids; -1 where there are none.
        image_of: int64 [n], index into `images`.
        crowd: bool [n].
        categories: names by the numbers in `labels`; None where the data set has no names.
        listed: names in the order of a detector's labels, index 0 is background; None without names.
        findings: what was wrong with entries that could not be taken in.
        whole: whether every image of the data set was looked at.
    """

    name: str
    images: tuple[SeenImage, ...]
    numbers: Tensor
    layout: Layout
    labels: Tensor
    ids: Tensor
    image_of: Tensor
    crowd: Tensor
    categories: dict[int, str] | None
    listed: tuple[str, ...] | None
    findings: tuple[Finding, ...] = ()
    whole: bool = True

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def boxes(self) -> Tensor:
        """Float64 [n, 4] xyxy, as the data set's reader takes them."""
        return as_xyxy(self.numbers) if self.layout == "xywh" else self.numbers

    @property
    def sizes(self) -> Tensor:
        """Float64 [n, 2], (H, W) of each object's image; NaN where nobody knows it."""
        unknown = (float("nan"), float("nan"))
        sizes = [image.size or unknown for image in self.images]
        return torch.tensor(sizes, dtype=torch.float64).reshape(-1, 2)[self.image_of]

    def without(self, images: Iterable[int]) -> Survey:
        """The same images, but without the objects in some of them."""
        keep = ~torch.isin(self.image_of, torch.tensor(sorted(images), dtype=torch.int64))
        names = ("numbers", "labels", "ids", "image_of", "crowd")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})

    def places(self, chosen: Tensor) -> list[Place]:
        """Where the objects `chosen` (bool [n] or indices) are."""
        rows = chosen.nonzero().flatten() if chosen.dtype == torch.bool else chosen
        return [
            Place(self.images[image].name, None if number < 0 else number)
            for image, number in zip(self.image_of[rows].tolist(), self.ids[rows].tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Objects while they are collected, in the order in which they come."""

    numbers: list[list[float]]
    labels: list[int]
    ids: list[int]
    images: list[int]
    crowd: list[bool]

    @classmethod
    def none(cls) -> Entries:
        """An empty collection."""
        return cls([], [], [], [], [])

    def add(
        self, image: int, numbers: list[float], label: int, number: int = -1, crowd: bool = False
    ) -> None:
        """Take in one object."""
        self.numbers.append(numbers)
        self.labels.append(label)
        self.ids.append(number)
        self.images.append(image)
        self.crowd.append(crowd)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(numbers float64 [n, 4], labels, ids, images, crowd)."""
        return (
            torch.tensor(self.numbers, dtype=torch.float64).reshape(-1, 4),
            torch.tensor(self.labels, dtype=torch.int64),
            torch.tensor(self.ids, dtype=torch.int64),
            torch.tensor(self.images, dtype=torch.int64),
            torch.tensor(self.crowd, dtype=torch.bool),
        )


def as_xyxy(numbers: Tensor) -> Tensor:
    """Boxes [n, 4] written as x, y, width, height -> x1, y1, x2, y2."""
    return torch.cat((numbers[:, :2], numbers[:, :2] + numbers[:, 2:]), dim=1)
