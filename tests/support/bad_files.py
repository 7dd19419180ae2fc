"""Small data sets whose text files are written in another encoding, cut short or spoilt in one known way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.datasets import coco_folder, labels, picture, voc_folder, yolo_folder

BOXES = {"a.png": [(1, 2, 10, 5), (20, 10, 12, 18)], "b.png": []}


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file that a data set is read from.

    Args:
        make: writes the data set into an empty folder.
        path: of the file in it.
        opened: what `open_dataset` takes, below the folder.
    """

    make: Callable[[Path], Path]
    path: str
    opened: str = ""


def coco(folder: Path) -> Path:
    """Two images, two objects of one category."""
    return coco_folder(folder, BOXES)


def with_list(folder: Path) -> Path:
    """A YOLO folder whose YAML file names a list of images."""
    made = yolo_folder(folder)
    (made / "data.yaml").write_text('train: some.txt\nnames: ["cät", dog]\n', encoding="utf-8")
    (made / "some.txt").write_text("images/val/c.png\nimages/train/a.png\n")
    return made


def with_classes(folder: Path) -> Path:
    """A flat YOLO folder with `classes.txt`."""
    flat = picture(folder / "a.png").parent
    labels(flat / "a.txt", "1 0.5 0.5 0.5 0.5")
    (flat / "classes.txt").write_text("cät\ndog\n", encoding="utf-8")
    return flat


TEXTS = {
    "COCO JSON": TextFile(coco, "annotations.json"),
    "YOLO YAML": TextFile(with_list, "data.yaml"),
    "YOLO labels": TextFile(yolo_folder, "labels/train/a.txt"),
    "YOLO classes.txt": TextFile(with_classes, "classes.txt"),
    "YOLO list": TextFile(with_list, "some.txt"),
    "VOC list": TextFile(voc_folder, "ImageSets/Main/train.txt", "ImageSets/Main/train.txt"),
}


def _in_entry(section: str, **changes: object) -> Callable[[str], str]:
    def spoil(text: str) -> str:
        document = json.loads(text)
        document[section][0] |= changes
        return json.dumps(document)

    return spoil


def _raw(key: str, text: str) -> Callable[[str], str]:
    """The first value of `key`, a number, becomes a text that no JSON writer would write."""

    def spoil(whole: str) -> str:
        before, after = whole.split(f'"{key}": ', 1)
        end = min(after.index(mark) for mark in ",}" if mark in after)
        return f'{before}"{key}": {text}{after[end:]}'

    return spoil


JSONS: dict[str, tuple[Callable[[str], str], str]] = {
    "cut short": (lambda text: text[:-40], "this is not JSON"),
    "empty": (lambda text: "", "this is not JSON"),
    "NaN in a box": (_in_entry("annotations", bbox=[1, 2, float("nan"), 4]), "not finite"),
    "infinity in a box": (_in_entry("annotations", bbox=[1, 2, float("inf"), 4]), "not finite"),
    "1e999 in a box": (lambda text: text.replace("[1, 2, 10, 5]", "[1, 2, 1e999, 5]"), "not finite"),
    "1e999 as an id": (_raw("id", "1e999"), "has the id inf; expected a whole number"),
    "5,000 digits": (_raw("width", "9" * 5000), "this is not JSON"),
    "a key twice": (_raw("width", '40, "width": 41'), "the key 'width' is twice in the object {"),
    "a list twice": (lambda text: '{"images": [], ' + text[1:], "the key 'images' is twice in the object {"),
    "nested 100,000 deep": (lambda text: "[" * 100_000, "nested too deep"),
    "objects 100,000 deep": (lambda text: '{"a":' * 100_000, "nested too deep"),
    "an entry 100,000 deep": (_raw("width", "[" * 100_000 + "]" * 100_000), "nested too deep"),
    "an entry 300 deep": (_raw("width", "[" * 300 + "]" * 300), r"has the width \[\[\[.*expected a whole number"),
    "a category without name": (_in_entry("categories", name=None), "category 5 has the name None"),
    "a category with a blank name": (_in_entry("categories", name=" "), "category 5 has the name ' '"),
    "a name that is half a letter": (_in_entry("categories", name="\ud83d"), "category 5 has the name"),
    "a file name of 300 letters": (_in_entry("images", file_name="x" * 300 + ".png"), "image 1 has the file name"),
    "a file name with NUL": (_in_entry("images", file_name="a\0.png"), "image 1 has the file name"),
    "an annotation without image": (_in_entry("annotations", image_id=77), "annotation 1 is on image 77, which"),
    "a missing image": (_in_entry("images", file_name="gone.png"), "the file gone.png of image 1 is missing"),
    "duplicate annotation ids": (_in_entry("annotations", id=2), "annotation 2 is there twice"),
    "a box of no area": (_in_entry("annotations", bbox=[1, 2, 0, 4]), "of no area"),
}  # fmt: skip
"""What is done to the text of a COCO file, and what is said of it."""
