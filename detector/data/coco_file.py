"""Reading and checking a COCO annotation file, before any image is opened.

Boxes in the file are `[x, y, width, height]`; boxes handed out are xyxy, both in the image frame.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """One object: annotation id, the id of its category in the file, box xyxy, and whether it is a crowd."""

    id: int
    category_id: int
    box: tuple[float, float, float, float]
    crowd: bool


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image: its id, the file name as written, (height, width) where the file says it, its objects."""

    id: int
    file_name: str
    size: tuple[int, int] | None
    annotations: tuple[CocoAnnotation, ...]


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A checked annotation file.

    Args:
        path: where it was read from.
        category_ids, category_names: the categories in order of id.
        images: in the order of the file, those without annotations too.
    """

    path: Path
    category_ids: tuple[int, ...]
    category_names: tuple[str, ...]
    images: tuple[CocoImage, ...]


def read_coco_file(path: Path) -> CocoFile:
    """Read and check an annotation file.

    Raises:
        ValueError: one sentence that names the file and, where it applies, the image, category or annotation.
    """
    document = load_document(path)
    categories = {}
    for entry in _entries(path, document, "categories"):
        number = _integer(path, entry, "a category", "id")
        _refuse_duplicate(path, categories, number, "category")
        categories[number] = str(_value(path, entry, f"category {number}", "name"))
    if not categories:
        raise ValueError(f"{path}: there are no categories; expected at least one")
    images, annotations = _images(path, document), {}
    seen: set[int] = set()
    for entry in _entries(path, document, "annotations"):
        annotation, image = read_annotation(path, entry)
        _refuse_duplicate(path, seen, annotation.id, "annotation")
        seen.add(annotation.id)
        for kind, number, known in (
            ("image", image, images),
            ("category", annotation.category_id, categories),
        ):
            if number not in known:
                raise ValueError(
                    f"{path}: annotation {annotation.id} is on {kind} {number}, which is not in the file"
                )
        annotations.setdefault(image, []).append(annotation)
    ids = tuple(sorted(categories))
    filled = tuple(
        CocoImage(number, name, size, tuple(annotations.get(number, ())))
        for number, (name, size) in images.items()
    )
    return CocoFile(path, ids, tuple(categories[i] for i in ids), filled)


def looks_like_coco(document: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a JSON value has the three lists of a COCO detection file."""
    keys = ("images", "annotations", "categories")
    return isinstance(document, dict) and all(isinstance(document.get(key), list) for key in keys)


def load_document(path: Path) -> dict[str, Any]:
    """The JSON object of an annotation file, its entries unchecked.

    Raises:
        ValueError: no such file, not JSON, or not the three lists of COCO.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: the file cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: this is not JSON ({error})") from error
    if not looks_like_coco(document):
        raise ValueError(
            f"{path}: this is not a COCO detection file; expected an object with the lists "
            "'images', 'annotations' and 'categories'"
        )
    return document


def _entries(path: Path, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    for position, entry in enumerate(document[key]):
        if not isinstance(entry, dict):
            raise ValueError(f"{path}: entry {position} of '{key}' is {entry!r}; expected an object")
    return document[key]


def _images(path: Path, document: dict[str, Any]) -> dict[int, tuple[str, tuple[int, int] | None]]:
    images: dict[int, tuple[str, tuple[int, int] | None]] = {}
    for entry in _entries(path, document, "images"):
        number = _integer(path, entry, "an image", "id")
        _refuse_duplicate(path, images, number, "image")
        name = _value(path, entry, f"image {number}", "file_name")
        if not isinstance(name, str) or not name or leaves_the_folder(name):
            raise ValueError(
                f"{path}: image {number} has the file name {name!r}; "
                "expected a path inside the data set's folder"
            )
        size = None
        if "height" in entry and "width" in entry:
            what = f"image {number}"
            size = _integer(path, entry, what, "height"), _integer(path, entry, what, "width")
        images[number] = name, size
    return images


def leaves_the_folder(name: str) -> bool:
    """Whether a file name points out of the data set's folder."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or bool(windows.anchor) or ".." in posix.parts or ".." in windows.parts


def read_annotation(path: Path, entry: dict[str, Any]) -> tuple[CocoAnnotation, int]:
    """One entry of `annotations`, and the id of its image.

    Raises:
        ValueError: one sentence that names the file, the annotation, and what is wrong with it.
    """
    number = _integer(path, entry, "an annotation", "id")
    what = f"annotation {number}"
    image, category = (_integer(path, entry, what, key) for key in ("image_id", "category_id"))
    box = _value(path, entry, what, "bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        raise ValueError(f"{path}: {what} has the box {box!r}; expected [x, y, width, height]")
    x, y, width, height = map(float, box)
    if not all(math.isfinite(value) for value in (x, y, x + width, y + height)):
        raise ValueError(f"{path}: {what} has the box {box}, which is not finite")
    if width <= 0 or height <= 0:
        raise ValueError(f"{path}: {what} has the box {box} of no area; expected width and height above 0")
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise ValueError(f"{path}: {what} has iscrowd {crowd!r}; expected 0 or 1")
    return CocoAnnotation(number, category, (x, y, x + width, y + height), bool(crowd)), image


def _value(path: Path, entry: dict[str, Any], what: str, key: str) -> Any:  # noqa: ANN401 - any JSON value
    if key not in entry:
        raise ValueError(f"{path}: {what} has no '{key}' ({_short(entry)})")
    return entry[key]


def _integer(path: Path, entry: dict[str, Any], what: str, key: str) -> int:
    value = _value(path, entry, what, key)
    # Some tools write ids and sizes as 3.0; NaN and True are still refused.
    if not _is_number(value) or not math.isfinite(value) or value != int(value) or abs(value) >= 2**63:
        raise ValueError(f"{path}: {what} has the {key} {value!r}; expected a whole number")
    return int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_duplicate(path: Path, known: dict[int, Any] | set[int], number: int, what: str) -> None:
    if number in known:
        raise ValueError(f"{path}: {what} {number} is there twice; ids must differ")


def _short(entry: dict[str, Any]) -> str:
    text = json.dumps(entry)
    return text if len(text) <= 80 else text[:77] + "..."
