"""What the writers of COCO, VOC and YOLO are given: one image with its objects, and names for its file.

Shapes: `G` objects; boxes xyxy [G, 4] in the image frame, sizes are (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from detector.data.annotated import AnnotatedFiles
from detector.data.image_decoding import FORMATS
from detector.data.image_headers import is_image_name

if TYPE_CHECKING:
    from detector.data.coco_export import AnnotatedImages

_ENDINGS = {"JPEG": ".jpg", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One image that is written.

    Args:
        name: of its file.
        size: (H, W) upright.
        target: `boxes`, `labels` and what else the data set gives.
        turned: the file carries an EXIF orientation.
        renamed: it had another name.
    """

    name: str
    size: tuple[int, int]
    target: dict[str, Any]
    turned: bool = False
    renamed: bool = False

    @property
    def boxes(self) -> list[list[float]]:
        """Of the objects, xyxy; rounded to 1e-9 px, which takes the noise off differences."""
        return [[round(value, 9) for value in box] for box in self.target["boxes"].tolist()]

    @property
    def labels(self) -> list[int]:
        """Indices into the categories."""
        return self.target["labels"].tolist()

    @property
    def crowd(self) -> list[bool]:
        """Which objects are crowd regions, or difficult."""
        return torch.as_tensor(self.target.get("iscrowd", torch.zeros(len(self.labels)))).bool().tolist()


def file_names(dataset: AnnotatedImages) -> list[str]:
    """A file name for each image: its own where its stem is the only one, also on disks that ignore case.

    Annotation files are named after images, so that `a.jpg` and `a.png` cannot stand beside each other.
    """
    if not isinstance(dataset, AnnotatedFiles):
        return [f"scene_{index:05d}.png" for index in range(len(dataset))]
    names: list[str] = []
    taken: set[str] = set()
    for index, image in enumerate(dataset.images):
        name = (
            image.path.name if is_image_name(image.path.name) else f"image_{index:05d}{_ending(image.path)}"
        )
        while (stem := Path(name).stem.casefold()) in taken:
            name = f"{index:05d}_{name}"
        taken.add(stem)
        names.append(name)
    return names


def _ending(path: Path) -> str:
    with Image.open(path, formats=FORMATS) as image:
        return _ENDINGS.get(str(image.format), f".{str(image.format).lower()}")
