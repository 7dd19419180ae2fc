"""Reading one label file of a YOLO data set, with all its mistakes.

A line holds `class cx cy width height` as shares of the image's sides; boxes come out as xyxy pixels in the image
frame.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedObject
from detector.data.mistakes import Mistake, wrong_box
from detector.data.text_file import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OVERSHOOT = 0.01
_EXPECTED = "expected class, centre x, centre y, width, height"


def read_labels(
    path: Path, name: str, image: str, size: tuple[int, int], label_of: Mapping[int, int]
) -> tuple[list[AnnotatedObject], list[Mistake]]:
    """The objects of one image, and what is wrong with the other lines.

    Args:
        path: the label file; none there means no objects.
        name: what mistakes call it.
        image: file name of the image.
        size: (H, W) of the image.
        label_of: class number -> label from 1.
    """
    try:
        lines = text_of(path).splitlines() if path.exists() else []
    except ValueError as problem:
        return [], [Mistake(name, str(problem), None, image)]
    objects, mistakes = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            objects.append(_object(number, line, size, label_of))
        except ValueError as problem:
            mistakes.append(Mistake(name, f"line {number} {problem}", number, image))
    return objects, mistakes


def _object(number: int, line: str, size: tuple[int, int], label_of: Mapping[int, int]) -> AnnotatedObject:
    words = line.split()
    if len(words) != 5:
        raise ValueError(f"holds {len(words)} values; {_EXPECTED}")
    label = label_of.get(_class(words[0]))
    if label is None:
        known = ", ".join(map(str, list(label_of)[:8])) + (", ..." if len(label_of) > 8 else "")
        raise ValueError(f"has the class {words[0][:40]}; the data set's classes are {known}")
    x, y, width, height = map(_number, words[1:])
    if width <= 0 or height <= 0:
        raise ValueError(f"has a box of no area (width {words[3]}, height {words[4]})")
    shares = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if min(shares) < -OVERSHOOT or max(shares) > 1 + OVERSHOOT:
        raise ValueError(
            f"has a box that leaves its image ({' '.join(words[1:])}); {_EXPECTED} as shares from 0 to 1"
        )
    x1, y1, x2, y2 = (min(max(share, 0.0), 1.0) for share in shares)
    box = x1 * size[1], y1 * size[0], x2 * size[1], y2 * size[0]
    wrong = wrong_box(box)
    if wrong is not None:
        raise ValueError(f"has a box that {wrong} ({' '.join(words[1:])})")
    return AnnotatedObject(number, label, box)


def _class(word: str) -> int:
    """A class number, also where it is written as 3.0; -1 for anything else."""
    try:
        value = float(word)
    except ValueError:
        return -1
    return int(value) if math.isfinite(value) and value == int(value) else -1


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise ValueError(f"holds {word[:40]!r}; {_EXPECTED}") from error
    if not math.isfinite(value):
        raise ValueError(f"holds {word}, which is not finite")
    return value
