"""Reading and checking a COCO annotation file, before any image is opened.

Boxes in the file are `[x, y, width, height]`; boxes handed out are xyxy, both in the image frame.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from detector.data.mistakes import NO_AREA, Mistake, refuse, wrong_box

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """One object: annotation id, category id in the file, box xyxy, whether a crowd, area where it is told."""

    id: int
    category_id: int
    box: tuple[float, float, float, float]
    crowd: bool
    area: float | None = None


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
        ValueError: one sentence that names the file and the first few images, categories or annotations at fault,
            and how many more there are.
    """
    document = load_document(path)
    categories = _categories(path, document)
    images = _images(path, document)
    annotations = _annotations(path, document, images, categories)
    ids = tuple(sorted(categories))
    filled = tuple(
        CocoImage(number, name, size, tuple(annotations.get(number, ())))
        for number, (name, size) in images.items()
    )
    return CocoFile(path, ids, tuple(categories[i] for i in ids), filled)


class _Collected:
    """Mistakes of one file: `with collected: ...` takes in what is raised there."""

    def __init__(self, path: Path) -> None:
        self._path, self._mistakes = path, []

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, problem: object, __: object) -> bool:
        if isinstance(problem, ValueError):
            self._mistakes.append(Mistake("", str(problem).removeprefix(f"{self._path}: ")))
        return isinstance(problem, ValueError)

    def refuse(self) -> None:
        refuse(self._path, self._mistakes)


def _categories(path: Path, document: dict[str, Any]) -> dict[int, str]:
    categories: dict[int, str] = {}
    collected = _Collected(path)
    for entry in _entries(path, document, "categories"):
        with collected:
            number = _integer(path, entry, "a category", "id")
            _refuse_duplicate(path, categories, number, "category")
            categories[number] = str(_value(path, entry, f"category {number}", "name"))
    collected.refuse()
    if not categories:
        raise ValueError(f"{path}: there are no categories; expected at least one")
    return categories


def _annotations(
    path: Path, document: dict[str, Any], images: Collection[int], categories: Collection[int]
) -> dict[int, list[CocoAnnotation]]:
    """The objects by the id of their image."""
    annotations: dict[int, list[CocoAnnotation]] = {}
    seen: set[int] = set()
    collected = _Collected(path)
    for entry in _entries(path, document, "annotations"):
        with collected:
            annotation, image = read_annotation(path, entry)
            _refuse_duplicate(path, seen, annotation.id, "annotation")
            seen.add(annotation.id)
            _refuse_unknown(path, annotation.id, "image", image, images)
            _refuse_unknown(path, annotation.id, "category", annotation.category_id, categories)
            annotations.setdefault(image, []).append(annotation)
    collected.refuse()
    return annotations


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
    collected = _Collected(path)
    for entry in _entries(path, document, "images"):
        with collected:
            number = _integer(path, entry, "an image", "id")
            _refuse_duplicate(path, images, number, "image")
            images[number] = _image(path, entry, number)
    collected.refuse()
    return images


def _image(path: Path, entry: dict[str, Any], number: int) -> tuple[str, tuple[int, int] | None]:
    """File name and (height, width) of one entry of `images`."""
    name = _value(path, entry, f"image {number}", "file_name")
    if not isinstance(name, str) or not name or leaves_the_folder(name):
        raise ValueError(
            f"{path}: image {number} has the file name {name!r}; expected a path inside the data set's folder"
        )
    if "height" not in entry or "width" not in entry:
        return name, None
    height, width = (_integer(path, entry, f"image {number}", key) for key in ("height", "width"))
    return name, (height, width)


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
    x, y, width, height = map(_float, box)
    corners = x, y, x + width, y + height
    wrong = wrong_box(corners)
    if wrong == NO_AREA:
        raise ValueError(f"{path}: {what} has the box {box} of no area; expected width and height above 0")
    if wrong is not None:
        raise ValueError(f"{path}: {what} has the box {box}, which {wrong}")
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise ValueError(f"{path}: {what} has iscrowd {crowd!r}; expected 0 or 1")
    return CocoAnnotation(number, category, corners, bool(crowd), _area(entry)), image


def _area(entry: dict[str, Any]) -> float | None:
    """Of the mask, as COCO has it; only sizes are told by it, so one that cannot be is none."""
    area = entry.get("area")
    if not isinstance(area, int | float) or isinstance(area, bool):
        return None
    value = _float(area)
    return value if math.isfinite(value) and value >= 0 else None


def _value(path: Path, entry: dict[str, Any], what: str, key: str) -> Any:  # noqa: ANN401 - any JSON value
    if key not in entry:
        raise ValueError(f"{path}: {what} has no '{key}' ({_short(entry)})")
    return entry[key]


def _integer(path: Path, entry: dict[str, Any], what: str, key: str) -> int:
    value = _value(path, entry, what, key)
    # Some tools write ids and sizes as 3.0; NaN and True are still refused.
    if not _is_number(value) or not -(2**63) < value < 2**63 or value != int(value):
        raise ValueError(f"{path}: {what} has the {key} {value!r}; expected a whole number")
    return int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_duplicate(path: Path, known: dict[int, Any] | set[int], number: int, what: str) -> None:
    if number in known:
        raise ValueError(f"{path}: {what} {number} is there twice; ids must differ")


def _refuse_unknown(path: Path, annotation: int, what: str, number: int, known: Collection[int]) -> None:
    if number not in known:
        raise ValueError(f"{path}: annotation {annotation} is on {what} {number}, which is not in the file")


def _float(value: float) -> float:
    """As float; a whole number beyond what a float holds counts as infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _short(entry: dict[str, Any]) -> str:
    text = json.dumps(entry)
    return text if len(text) <= 80 else text[:77] + "..."
