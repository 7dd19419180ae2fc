"""One entry of a COCO annotation file, image or annotation, checked; each mistake is a sentence.

Boxes in the file are `[x, y, width, height]`; boxes handed out are xyxy, both in the image frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detector.data.file_names import is_file_name, is_text
from detector.data.mistakes import NO_AREA, shown, wrong_box

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """One object: annotation id, category id in the file, box xyxy, whether a crowd, area where it is told."""

    id: int
    category_id: int
    box: tuple[float, float, float, float]
    crowd: bool
    area: float | None = None


def read_image_entry(path: Path, entry: dict[str, Any], number: int) -> tuple[str, tuple[int, int] | None]:
    """File name and (height, width) of one entry of `images`, whose id is `number`.

    Raises:
        ValueError: one sentence that names the file, the image, and what is wrong with it.
    """
    name = value_of(path, entry, f"image {number}", "file_name")
    if not is_file_name(name):
        raise ValueError(
            f"{path}: image {number} has the file name {shown(name)}; expected a path inside the data set's folder"
        )
    if "height" not in entry or "width" not in entry:
        return name, None
    height, width = (whole_number(path, entry, f"image {number}", key) for key in ("height", "width"))
    return name, (height, width)


def category_name(path: Path, entry: dict[str, Any], number: int) -> str:
    """The name of the category whose id is `number`; a number is a name, too.

    Raises:
        ValueError: one sentence that names the file and the category.
    """
    name = value_of(path, entry, f"category {number}", "name")
    if isinstance(name, int) and not isinstance(name, bool):
        return shown(name)
    if not is_text(name):
        raise ValueError(f"{path}: category {number} has the name {shown(name)}; expected a text")
    return name


def read_annotation(path: Path, entry: dict[str, Any]) -> tuple[CocoAnnotation, int]:
    """One entry of `annotations`, and the id of its image.

    Raises:
        ValueError: one sentence that names the file, the annotation, and what is wrong with it.
    """
    number = whole_number(path, entry, "an annotation", "id")
    what = f"annotation {number}"
    image, category = (whole_number(path, entry, what, key) for key in ("image_id", "category_id"))
    box = value_of(path, entry, what, "bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        raise ValueError(f"{path}: {what} has the box {shown(box)}; expected [x, y, width, height]")
    x, y, width, height = map(_float, box)
    corners = x, y, x + width, y + height
    wrong = wrong_box(corners)
    if wrong == NO_AREA:
        raise ValueError(f"{path}: {what} has the box {box} of no area; expected width and height above 0")
    if wrong is not None:
        raise ValueError(f"{path}: {what} has the box {box}, which {wrong}")
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise ValueError(f"{path}: {what} has iscrowd {shown(crowd)}; expected 0 or 1")
    return CocoAnnotation(number, category, corners, bool(crowd), _area(entry)), image


def _area(entry: dict[str, Any]) -> float | None:
    """Of the mask, as COCO has it; only sizes are told by it, so one that cannot be is none."""
    area = entry.get("area")
    if not isinstance(area, int | float) or isinstance(area, bool):
        return None
    value = _float(area)
    return value if math.isfinite(value) and value >= 0 else None


def value_of(path: Path, entry: dict[str, Any], what: str, key: str) -> Any:  # noqa: ANN401 - any JSON value
    """What an entry says under `key`; ValueError where it says nothing. `what` names the entry."""
    if key not in entry:
        raise ValueError(f"{path}: {what} has no '{key}' ({shown(entry)})")
    return entry[key]


def whole_number(path: Path, entry: dict[str, Any], what: str, key: str) -> int:
    """A whole number that an entry says under `key`; ValueError where it is none."""
    value = value_of(path, entry, what, key)
    # Some tools write ids and sizes as 3.0; NaN and True are still refused.
    if not _is_number(value) or not -(2**63) < value < 2**63 or value != int(value):
        raise ValueError(f"{path}: {what} has the {key} {shown(value)}; expected a whole number")
    return int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: float) -> float:
    """As float; a whole number beyond what a float holds counts as infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
