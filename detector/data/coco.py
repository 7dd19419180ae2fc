"""COCO detection data sets: a folder of images with one JSON file of boxes.

Shapes: `G` objects; boxes float32 [G, 4] xyxy in the image frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedFiles, AnnotatedImage, AnnotatedObject
from detector.data.coco_file import read_coco_file
from detector.data.file_names import is_file
from detector.data.mistakes import Mistake, refuse

if TYPE_CHECKING:
    from detector.data.coco_file import CocoFile

ANNOTATIONS = "annotations.json"


class CocoDataset(AnnotatedFiles):
    """Images with COCO annotations.

    Items are those of `AnnotatedFiles`: `image_id` is the image's id in the file, `ids` are annotation ids,
    `iscrowd` is COCO's. Images without annotations stay.

    Args:
        path: the JSON file, or the folder that holds it: as `annotations.json`, or as its only JSON file.
        images: folder of the images; left out, they lie where `image_folders` looks.

    Attributes:
        categories: K names, index 0 is background, the others in order of their ids in the file.
        annotation_file: the JSON file.
        image_folders: where the images may lie; the first that has one wins.
        category_ids: their K-1 ids in the file: label `k` is category `category_ids[k - 1]`.

    Raises:
        ValueError: no such file, a file that is not COCO, wrong entries or missing images (the first few are named,
            the rest counted).
    """

    def __init__(self, path: str | Path, images: str | Path | None = None) -> None:
        self.annotation_file = find_annotation_file(Path(path))
        content = read_coco_file(self.annotation_file)
        self.category_ids = content.category_ids
        self.image_folders = image_folders(self.annotation_file) if images is None else [Path(images)]
        found = _found_images(content, self.image_folders)
        file = self.annotation_file
        super().__init__(file, str(file), ("background", *content.category_names), found)


def image_folders(file: Path) -> list[Path]:
    """Where the images of a JSON file may lie: beside it, in `images/` there, or as COCO itself is laid out.

    There, `annotations/instances_val2017.json` belongs to the images in `val2017/` beside `annotations/`.
    """
    folders = [file.parent, file.parent / "images"]
    if file.parent.name == "annotations":
        above, split = file.absolute().parent.parent, file.stem.rpartition("_")[2]
        folders += [above / split, above / "images" / split, above / "images"]
    return folders


def _found_images(content: CocoFile, folders: list[Path]) -> list[AnnotatedImage]:
    """Every image with its file and its objects under labels from 1."""
    label_of = {number: k for k, number in enumerate(content.category_ids, start=1)}
    found, missing = [], []
    where = " or ".join(str(folder) for folder in folders)
    for image in content.images:
        path = next(
            (folder / image.file_name for folder in folders if is_file(folder / image.file_name)), None
        )
        if path is None:
            what = f"the file {image.file_name} of image {image.id} is missing in {where}"
            missing.append(Mistake("", what, None, image.file_name))
            continue
        objects = tuple(
            AnnotatedObject(o.id, label_of[o.category_id], o.box, o.crowd, o.area) for o in image.annotations
        )
        found.append(AnnotatedImage(image.id, path, f"{content.path}: image {image.id}", image.size, objects))
    refuse(content.path, missing)
    return found


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
