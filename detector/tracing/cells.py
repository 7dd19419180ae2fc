"""Cells of the pyramid: where a cell looks, which anchors sit on it, and which cell of a level looks somewhere.

Shapes: `A` anchors per cell, (h, w) cells of a level. Points are (x, y) in the **network** frame. Over all
levels a cell has one number: finest level first, row by row.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from detector.tracing.trace import RpnStage


class Cell(NamedTuple):
    """One cell of one map: level, row and column."""

    level: int
    y: int
    x: int


def cell_number(rpn: RpnStage, cell: Cell) -> int:
    """The number of a cell over all levels."""
    before = sum(height * width for height, width, _ in rpn.grid[: cell.level])
    return before + cell.y * rpn.grid[cell.level][1] + cell.x


def cell_with_number(rpn: RpnStage, number: int) -> Cell:
    """The inverse of `cell_number`.

    Raises:
        ValueError: there is no such cell.
    """
    rest = number
    for level, (height, width, _) in enumerate(rpn.grid):
        if 0 <= rest < height * width:
            return Cell(level, rest // width, rest % width)
        rest -= height * width
    raise ValueError(f"there is no cell {number}; expected a number from 0 to {number - rest - 1}")


def cell_of_anchor(rpn: RpnStage, anchor: int) -> Cell:
    """The cell that an anchor sits on."""
    level, y, x, _ = rpn.cell_of(torch.tensor(anchor)).tolist()
    return Cell(level, y, x)


def anchors_of_cell(rpn: RpnStage, cell: Cell) -> Tensor:
    """Indices, int64 [A], of the anchors of a cell, in the order of their kinds."""
    _, width, kinds = rpn.grid[cell.level]
    first = sum(rpn.per_level[: cell.level]) + (cell.y * width + cell.x) * kinds
    return torch.arange(first, first + kinds)


def cell_centres(rpn: RpnStage, level: int) -> Tensor:
    """Where the anchors of each cell of a level are centred, float [h, w, 2]."""
    height, width, kinds = rpn.grid[level]
    anchors = rpn.anchors.split(rpn.per_level)[level].reshape(height, width, kinds, 2, 2)
    return anchors[:, :, 0].mean(dim=2)


def nearest_cell(rpn: RpnStage, level: int, point: tuple[float, float]) -> Cell:
    """The cell of a level whose centre is nearest to a point; of several, the first in its row."""
    centres = cell_centres(rpn, level)
    gaps = (centres - torch.tensor(point).to(centres)).square().sum(dim=2)
    nearest = int(gaps.argmin())
    return Cell(level, nearest // gaps.shape[1], nearest % gaps.shape[1])
