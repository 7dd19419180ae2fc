"""COCO detection data sets: a folder of images with one JSON file of boxes.

Shapes: `G` objects; boxes float32 [G, 4] xyxy in the image frame.
"""

from __future__ import annotations

import operator
from pathlib import Path

import torch
from torch.utils.data import Dataset

from detector.data.coco_file import CocoImage, read_coco_file
from detector.data.images import read_image
from detector.data.items import Sample, as_boxes

ANNOTATIONS = "annotations.json"


class CocoDataset(Dataset[Sample]):
    """Images with COCO annotations.

    `dataset[i]` is `(pixels, target)`: pixels uint8 [3, H, W] RGB; target holds `boxes`
    (`tv_tensors.BoundingBoxes` xyxy [G, 4]), `labels` (int64 [G], indices into `categories`), `image_id` (the
    id in the file), `ids` (int64 [G], annotation ids) and `iscrowd` (bool [G]). Images without annotations
    stay, with boxes [0, 4].

    Args:
        path: the JSON file, or the folder that holds it: as `annotations.json`, or as its only JSON file.
        images: folder of the images; left out, they lie beside the JSON file or in `images/` there.

    Attributes:
        categories: K names, index 0 is background, the others in order of their ids in the file.
        annotation_file: the JSON file.
        image_folders: where the images may lie; the first that has one wins.
        category_ids: their K-1 ids in the file: label `k` is category `category_ids[k - 1]`.

    Raises:
        ValueError: no such file, a file that is not COCO, wrong entries (named), or a missing image.
    """

    def __init__(self, path: str | Path, images: str | Path | None = None) -> None:
        self.annotation_file = find_annotation_file(Path(path))
        content = read_coco_file(self.annotation_file)
        self.category_ids = content.category_ids
        self.categories = ("background", *content.category_names)
        self._label_of = {number: k for k, number in enumerate(content.category_ids, start=1)}
        self._images = content.images
        beside = self.annotation_file.parent
        self.image_folders = [Path(images)] if images is not None else [beside, beside / "images"]
        self._paths = [_locate(self.annotation_file, image, self.image_folders) for image in content.images]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        path, image = self.image_path(index), self._images[index]
        pixels = read_image(path).pixels
        height, width = pixels.shape[1:]
        if image.size is not None and image.size != (height, width):
            raise ValueError(
                f"{self.annotation_file}: image {image.id} is said to be {image.size[1]}x{image.size[0]}, "
                f"but {path.name} is {width}x{height} pixels, so its boxes may be off"
            )
        objects = image.annotations
        boxes = torch.tensor([o.box for o in objects], dtype=torch.float32).reshape(-1, 4)
        target = {
            "boxes": as_boxes(boxes, (height, width)),
            "labels": torch.tensor([self._label_of[o.category_id] for o in objects], dtype=torch.int64),
            "image_id": image.id,
            "ids": torch.tensor([o.id for o in objects], dtype=torch.int64),
            "iscrowd": torch.tensor([o.crowd for o in objects], dtype=torch.bool),
        }
        return pixels, target

    @property
    def labels_used(self) -> frozenset[int]:
        """Indices into `categories` that some object has; no image is opened for it."""
        return frozenset(self._label_of[o.category_id] for image in self._images for o in image.annotations)

    def image_path(self, index: int) -> Path:
        """The file of image `index`; raises IndexError outside 0..length-1."""
        if not 0 <= operator.index(index) < len(self._paths):
            raise IndexError(f"image {index} of {len(self._paths)}")
        return self._paths[index]


def find_annotation_file(path: Path) -> Path:
    """The annotation file that `path` is, or that lies in the folder `path`.

    Raises:
        ValueError: nothing there, no JSON file in the folder, or several and none called `annotations.json`.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise ValueError(f"{path}: there is no such file or folder")
    if (path / ANNOTATIONS).is_file():
        return path / ANNOTATIONS
    found = sorted(path.glob("*.json"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise ValueError(f"{path}: the folder holds no COCO annotations; expected {ANNOTATIONS} in it")
    names = ", ".join(file.name for file in found[:5])
    raise ValueError(f"{path}: the folder holds {len(found)} JSON files ({names}); name one of them")


def _locate(annotation_file: Path, image: CocoImage, folders: list[Path]) -> Path:
    for folder in folders:
        if (folder / image.file_name).is_file():
            return folder / image.file_name
    where = " or ".join(str(folder) for folder in folders)
    raise ValueError(
        f"{annotation_file}: the file {image.file_name} of image {image.id} is missing in {where}"
    )
