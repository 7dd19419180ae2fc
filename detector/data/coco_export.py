"""Writing any annotated data set as a COCO folder: `annotations.json` with the images in `images/`.

Boxes come in as xyxy [G, 4] and are written as `[x, y, width, height]`, both in the image frame.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from detector.data.coco import ANNOTATIONS
from detector.data.converted import Entry
from detector.data.new_folder import new_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.data.items import Sample

# What the shapes world knows of each object goes along under these keys; readers of COCO ignore them.
EXTRAS = ("visible", "covered", "contrast", "size")


class AnnotatedImages(Protocol):
    """What is written: items as `ShapesDataset` gives them, and names of the categories (0 is background)."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Names by index."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


def write_coco(
    dataset: AnnotatedImages,
    folder: str | Path,
    *,
    indices: Iterable[int] | None = None,
    names: str = "images/scene_{:05d}.png",
) -> Path:
    """Write images as PNG and their objects as COCO annotations.

    Everything is written into a temporary folder beside `folder` and renamed at the end, so that the folder
    is complete or not there.

    Args:
        dataset: the images and objects.
        folder: the new folder; it must not exist, or be empty.
        indices: which items, in this order; all of them when left out.
        names: file names below `folder`, formatted with the position 0, 1, ...; in `images/` or beside the
            annotations, because that is where readers look.

    Returns:
        The path of `annotations.json`.

    Raises:
        ValueError: a folder that holds something already, or whose parent does not exist.
    """
    folder = Path(folder)
    with new_folder(folder) as temporary:
        (temporary / names.format(0)).parent.mkdir(parents=True, exist_ok=True)
        entries = []
        for position, index in enumerate(range(len(dataset)) if indices is None else indices):
            pixels, target = dataset[index]
            path = temporary / names.format(position)
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
            entries.append(Entry(path.name, (pixels.shape[1], pixels.shape[2]), target))
        document_of(dataset.categories, entries).write(temporary / ANNOTATIONS)
    return folder / ANNOTATIONS


@dataclass(frozen=True, slots=True)
class CocoDocument:
    """The content of an annotation file, and how many objects there are in it."""

    content: dict[str, list[dict[str, Any]]]

    @property
    def objects(self) -> int:
        """How many there are."""
        return len(self.content["annotations"])

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")


def document_of(
    categories: Sequence[str], entries: Sequence[Entry], category_ids: Sequence[int] | None = None
) -> CocoDocument:
    """The annotation file of some images.

    Args:
        categories: names, index 0 is background.
        entries: the images with their objects.
        category_ids: of a COCO file the entries come from: its ids are kept; all are numbered from 1 otherwise.
    """
    numbers = category_ids or range(1, len(categories))
    names = [{"id": k, "name": name} for k, name in zip(numbers, categories[1:], strict=True)]
    document = CocoDocument({"images": [], "annotations": [], "categories": names})
    for position, entry in enumerate(entries):
        image = entry.target["image_id"] if category_ids else position + 1
        height, width = entry.size
        said = {"id": image, "file_name": entry.name, "height": height, "width": width}
        document.content["images"].append(said)
        for row in range(len(entry.labels)):
            number = int(entry.target["ids"][row]) if category_ids else document.objects + 1
            known = {"id": number, "image_id": image, "category_id": numbers[entry.labels[row] - 1]}
            document.content["annotations"].append({**known, **_described(entry, row)})
    return document


def _described(entry: Entry, row: int) -> dict[str, Any]:
    """Box, area and the like of one object."""
    x1, y1, x2, y2 = entry.target["boxes"][row].tolist()
    extras = {key: round(float(entry.target[key][row]), 4) for key in EXTRAS if key in entry.target}
    width, height = round(x2 - x1, 9), round(y2 - y1, 9)
    told = entry.target.get("area")
    area = round(width * height, 9) if told is None else float(told[row])
    return {"bbox": [x1, y1, width, height], "area": area, "iscrowd": int(entry.crowd[row]), **extras}
