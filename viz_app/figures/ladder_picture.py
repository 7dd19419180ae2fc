"""The ladder of one object as plain pixels: for PNG files and thumbnails, drawn without a browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from viz_app.figures.lettering import INK, Lettering
from viz_app.figures.palette import ACCENT, FOUND, GREY, LOST, rgba

if TYPE_CHECKING:
    from viz_app.figures.ladder import Row

_WIDTH, _EDGE, _TEXT, _TITLE = 720, 18, 15, 19
_BARS, _LONGEST, _STUB, _THICK = 138, 220, 4, 11
_BEYOND = "#D5D9E0"


def ladder_picture(rows: Sequence[Row], title: str) -> np.ndarray:
    """A row for each rung, its bar and its words, on white; uint8 RGB [h, 720, 3].

    Args:
        rows: of `ladder_rows`.
        title: the question, such as `Why was #0 triangle lost?`.
    """
    head, letters, bold = Lettering(_TITLE, bold=True), Lettering(_TEXT), Lettering(_TEXT, bold=True)
    step = letters.line + 4
    top = _EDGE + head.line + 6
    drawing = np.full((top + step * len(rows) + _EDGE, _WIDTH, 3), 255, dtype=np.uint8)
    head.write(drawing, title, (_EDGE, _EDGE))
    found = all(row.state == "passed" for row in rows)
    for place, row in enumerate(rows):
        y = top + place * step
        lost = row.state == "lost"
        color = _color(row, found=found)
        name = LOST if lost else GREY if row.state == "beyond" else INK
        (bold if lost else letters).write(drawing, row.name, (_EDGE, y), name)
        end = _bar(drawing, row, y + round(0.68 * _TEXT), color)
        (bold if lost else letters).write(drawing, row.words, (end + 10, y), LOST if lost else "#5A6270")
    return drawing


def _bar(drawing: np.ndarray, row: Row, middle: int, color: str) -> int:
    """Draw one bar, a stub where nothing passed; the column where it ends."""
    length = round(_LONGEST * row.share) if row.state == "passed" else _STUB
    first, end = _BARS, _BARS + max(length, _STUB)
    drawing[middle - _THICK // 2 : middle + _THICK // 2 + 1, first:end] = rgba(color)[0]
    return end


def _color(row: Row, *, found: bool) -> str:
    if row.state == "passed":
        return FOUND if found else ACCENT
    return LOST if row.state == "lost" else _BEYOND
