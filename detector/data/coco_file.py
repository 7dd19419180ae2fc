"""Reading and checking a COCO annotation file, before any image is opened.

Boxes in the file are `[x, y, width, height]`; boxes handed out are xyxy, both in the image frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.data.coco_entries import (
    CocoAnnotation,
    category_name,
    read_annotation,
    read_image_entry,
    whole_number,
)
from detector.data.mistakes import Mistake, refuse, shown
from detector.data.plain_json import parse_json
from detector.data.text_file import text_of

if TYPE_CHECKING:
    from collections.abc import Collection

_LARGEST = 4 << 30


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
            number = whole_number(path, entry, "a category", "id")
            _refuse_duplicate(path, categories, number, "category")
            categories[number] = category_name(path, entry, number)
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
        ValueError: no such file, not JSON (in UTF-8, no key twice), or not the three lists of COCO.
    """
    try:
        document = parse_json(text_of(path, _LARGEST))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not looks_like_coco(document):
        raise ValueError(
            f"{path}: this is not a COCO detection file; expected an object with the lists "
            "'images', 'annotations' and 'categories'"
        )
    return document


def _entries(path: Path, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    for position, entry in enumerate(document[key]):
        if not isinstance(entry, dict):
            raise ValueError(f"{path}: entry {position} of '{key}' is {shown(entry)}; expected an object")
    return document[key]


def _images(path: Path, document: dict[str, Any]) -> dict[int, tuple[str, tuple[int, int] | None]]:
    images: dict[int, tuple[str, tuple[int, int] | None]] = {}
    collected = _Collected(path)
    for entry in _entries(path, document, "images"):
        with collected:
            number = whole_number(path, entry, "an image", "id")
            _refuse_duplicate(path, images, number, "image")
            images[number] = read_image_entry(path, entry, number)
    collected.refuse()
    return images


def _refuse_duplicate(path: Path, known: dict[int, Any] | set[int], number: int, what: str) -> None:
    if number in known:
        raise ValueError(f"{path}: {what} {number} is there twice; ids must differ")


def _refuse_unknown(path: Path, annotation: int, what: str, number: int, known: Collection[int]) -> None:
    if number not in known:
        raise ValueError(f"{path}: annotation {annotation} is on {what} {number}, which is not in the file")
