"""Writing any annotated data set as a COCO folder: `annotations.json` with the images in `images/`.

Boxes come in as xyxy [G, 4] and are written as `[x, y, width, height]`, both in the image frame.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.data.items import Sample

# What the shapes world knows of each object goes along under these keys; readers of COCO ignore them.
EXTRAS = ("visible", "covered", "contrast", "size")


class AnnotatedImages(Protocol):
    """What is written: items as `ShapesDataset` gives them, and names of the categories (0 is background)."""

    @property
    def categories(self) -> tuple[str, ...]: ...

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
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: there is something already; expected a new or empty folder")
    if not folder.absolute().parent.is_dir():
        raise ValueError(f"{folder}: its parent folder does not exist")
    temporary = folder.absolute().with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        (temporary / names.format(0)).parent.mkdir(parents=True)
        document = _empty_document(dataset.categories)
        for position, index in enumerate(range(len(dataset)) if indices is None else indices):
            _write_item(document, dataset[index], position, temporary / names.format(position))
        (temporary / "annotations.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder / "annotations.json"


def _empty_document(categories: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    names = [{"id": k, "name": name} for k, name in enumerate(categories) if k > 0]
    return {"images": [], "annotations": [], "categories": names}


def _write_item(document: dict[str, list[dict[str, Any]]], item: Sample, position: int, path: Path) -> None:
    pixels, target = item
    image = position + 1
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    height, width = pixels.shape[1:]
    document["images"].append({"id": image, "file_name": path.name, "height": height, "width": width})
    crowd = target["iscrowd"].tolist() if "iscrowd" in target else [False] * len(target["labels"])
    for row, (x1, y1, x2, y2) in enumerate(target["boxes"].tolist()):
        extras = {key: round(float(target[key][row]), 4) for key in EXTRAS if key in target}
        document["annotations"].append(
            {
                "id": len(document["annotations"]) + 1,
                "image_id": image,
                "category_id": int(target["labels"][row]),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": int(crowd[row]),
                **extras,
            }
        )
