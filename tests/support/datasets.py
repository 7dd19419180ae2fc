"""Small data sets of a few images, written by hand in the three ways."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

Box = Sequence[float]


def picture(path: Path, size: tuple[int, int] = (40, 30), orientation: int | None = None) -> Path:
    """An image file of `size` (width, height), with an EXIF orientation if one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image, words = Image.new("RGB", size, (9, 99, 199)), {}
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        words["exif"] = exif
    image.save(path, **words)
    return path


def voc_object(name: str, box: Sequence[object], difficult: object = 0) -> str:
    """One <object> of a VOC file; the box as it is written there."""
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{corners}</bndbox></object>"


def voc_file(path: Path, *objects: str, image: str = "", size: tuple[int, int] | None = (40, 30)) -> Path:
    """One XML file of a VOC data set; `size` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = f"<filename>{image}</filename>" if image else ""
    if size is not None:
        said += f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    path.write_text(f"<annotation>{said}{''.join(objects)}</annotation>")
    return path


def voc_folder(folder: Path) -> Path:
    """Three images: two objects, none, and one that is difficult; two splits."""
    for stem in "abc":
        picture(folder / "JPEGImages" / f"{stem}.jpg")
    notes = folder / "Annotations"
    voc_file(
        notes / "a.xml", voc_object("dog", (1, 1, 40, 30)), voc_object("cat", (3, 5, 12, 14)), image="a.jpg"
    )
    voc_file(notes / "b.xml", image="b.jpg")
    voc_file(notes / "c.xml", voc_object("ant", (2, 2, 2, 2), 1), image="c.jpg")
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("c\n")
    (lists / "dog_train.txt").write_text("a  1\nb -1\n")
    return folder


def yolo_folder(folder: Path, names: object = ("cat", "dog")) -> Path:
    """Two images to train on, one of them without a label file, and one to validate on."""
    for split, stems in (("train", "ab"), ("val", "c")):
        for stem in stems:
            picture(folder / "images" / split / f"{stem}.png")
    labels(folder / "labels" / "train" / "a.txt", "1 0.5 0.5 0.25 0.2", "0 0.1 0.1 0.2 0.2")
    labels(folder / "labels" / "val" / "c.txt", "0 0.5 0.5 1 1")
    listed = list(names) if isinstance(names, tuple) else names
    content = {"train": "images/train", "val": "images/val", "names": listed}
    (folder / "data.yaml").write_text(json.dumps(content))
    return folder


def labels(path: Path, *lines: str) -> Path:
    """One label file of a YOLO data set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def coco_folder(folder: Path, boxes: Mapping[str, Sequence[Box]], **changes: Any) -> Path:
    """Images of 40 x 30 with boxes xywh of one category; annotation ids count from 1."""
    images, annotations = [], []
    for number, (name, found) in enumerate(boxes.items(), 1):
        picture(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": 40, "height": 30})
        for box in found:
            identity = {"id": len(annotations) + 1, "image_id": number, "category_id": 5}
            annotations.append({**identity, "bbox": list(box), **changes})
    document = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "thing"}]}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder
