"""Numbers as people read them: sizes, boxes and shares, each with its unit. Boxes are xyxy."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from detector.explaining.ladder_text import RUNG_NAMES
from detector.explaining.rungs import Rung


def size_words(box: Tensor | Sequence[float]) -> str:
    """Width and height of one box [4], such as `18 × 16`; one decimal below 10 px."""
    x1, y1, x2, y2 = (float(value) for value in box)
    return f"{_short(x2 - x1)} × {_short(y2 - y1)}"


def box_words(box: Tensor | Sequence[float]) -> str:
    """Corners of one box [4], such as `12.0, 30.5 – 40.2, 61.0`."""
    x1, y1, x2, y2 = (float(value) for value in box)
    return f"{x1:.1f}, {y1:.1f} – {x2:.1f}, {y2:.1f}"


def shape_words(shape: Sequence[int]) -> str:
    """A tensor's shape, such as `64 × 32 × 32`."""
    return " × ".join(str(side) for side in shape)


def latex_count(count: int) -> str:
    """A count for a formula, such as `32{,}256`: a bare comma would be set as a list's."""
    return f"{count:,}".replace(",", "{,}")


def plural(count: int, noun: str) -> str:
    """A count with its noun, such as `1 object` or `2,000 proposals`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def rung_name(rung: str) -> str:
    """The name of a rung for people: `Box NMS` of `BOX_NMS`; the text itself where there is no such rung."""
    return RUNG_NAMES[Rung[rung]] if rung in Rung.__members__ else rung


def _short(length: float) -> str:
    return f"{length:.0f}" if length >= 10 else f"{length:.1f}"
