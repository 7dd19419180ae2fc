"""What became of each object from one run to another: the rung in the first against the rung in the second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.rungs import Rung
from detector.judging.comparison_records import Change
from viz_app.figures.count_grid import Cell, grid_figure
from viz_app.figures.palette import ACCENT, GREEN, GREY, LOST
from viz_app.figures.words import plural, rung_name

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

_COLORS = (GREY, GREEN, LOST, ACCENT)
_FEW = 5
_SAME, _GAINED, _LOST, _MOVED = range(4)


def transitions_figure(transitions: np.ndarray, chosen: str | None = None) -> go.Figure:
    """Objects by rung in the first run (rows) and in the second (columns); a click gives such as `BOX_NMS.FOUND`.

    Gained green, lost red, lost at another rung blue, unchanged grey. Rungs that hold no object in either run are
    left out.

    Args:
        transitions: int64 [12, 12], in the order of `Rung`.
        chosen: the cell that is looked at.
    """
    rungs = drawn_rungs(transitions)
    most = max((int(transitions[a, b]) for a in rungs for b in rungs if a != b), default=0)
    cells = [[_cell(a, b, int(transitions[a, b]), most) for b in rungs] for a in rungs]
    names = [rung_name(rung.name) for rung in rungs]
    height = 52 if len(rungs) <= _FEW else 36
    return grid_figure(
        names, names, cells, chosen=chosen, colors=_COLORS, y="in A", x="in B", row_height=height
    )


def drawn_rungs(transitions: np.ndarray) -> list[Rung]:
    """Rungs that hold an object in one of the runs, in their order, and FOUND."""
    return [
        rung
        for rung in Rung
        if rung is Rung.FOUND or transitions[rung].sum() + transitions[:, rung].sum() > 0
    ]


def move_words(move: str) -> str:
    """What the objects of a change or of a cell did, such as `lost at Box NMS in A, found in B`."""
    if move in list(Change):
        return _CHANGES[Change(move)]
    before, _, after = move.partition(".")
    return f"{_where(before)} in A, {_where(after)} in B"


_CHANGES = {
    Change.GAINED: "lost in A, found in B",
    Change.LOST: "found in A, lost in B",
    Change.KEPT: "found in both",
    Change.STILL_LOST: "found in neither",
}


def _where(rung: str) -> str:
    return "found" if rung == Rung.FOUND.name else f"lost at {rung_name(rung)}"


def _cell(before: Rung, after: Rung, count: int, most: int) -> Cell:
    move = f"{before.name}.{after.name}"
    hue = _hue(before, after)
    shade = 0.12 if hue == _SAME else count / most if most else 0.0
    words = f"{plural(count, 'object')}: {move_words(move)}"
    return Cell(f"{count:,}" if count else "·", words, shade if count else 0.0, move if count else "", hue)


def _hue(before: Rung, after: Rung) -> int:
    if before is after:
        return _SAME
    return _GAINED if after is Rung.FOUND else _LOST if before is Rung.FOUND else _MOVED
