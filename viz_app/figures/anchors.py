"""Anchors before the network has said anything of them: their cells, sizes and counts.

Shapes: `N` anchors, `A` anchors per cell, `L` levels, `n` chosen anchors. Boxes are in the **image** frame;
sizes that name an anchor are in the **network** frame, where they are whole numbers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from detector.tracing.cells import (
    Cell,
    anchors_of_cell,
    cell_centres,
    cell_of_anchor,
    cell_with_number,
    nearest_cell,
)
from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from detector.tracing.trace import Trace
from viz_app.figures.palette import LIGHT_HALO, fate_words, level_color
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn import anchor_items, stride
from viz_app.figures.words import size_words
from viz_app.links import Selected

_DOTS_SIDE = 1024


def chosen_cell(trace: Trace, selected: Selected | None) -> Cell:
    """The cell that a selection is about; the one in the middle of the image where it is about none.

    A cell is itself, an anchor or a detection stands for the anchor's cell, and an object for the cell of the
    finest level in its middle.
    """
    if selected is not None and selected.kind == "cell":
        return cell_with_number(trace.rpn, selected.index)
    if selected is not None and selected.anchor is not None:
        return cell_of_anchor(trace.rpn, selected.anchor)
    height, width = trace.input.image_size
    middle = (width / 2, height / 2)
    if selected is not None and trace.ground_truth is not None:
        x1, y1, x2, y2 = trace.ground_truth.boxes[selected.index].tolist()
        middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    return cell_at(trace, 0, middle)


def cell_at(trace: Trace, level: int, point: tuple[float, float]) -> Cell:
    """The cell of a level that looks nearest to a point (x, y) of the image."""
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    return nearest_cell(trace.rpn, level, (point[0] * columns / width, point[1] * rows / height))


def cells_through_levels(trace: Trace, cell: Cell) -> list[Cell]:
    """For each of the L levels the cell that looks nearest to where `cell` looks; its own is `cell` itself."""
    x, y = cell_centres(trace.rpn, cell.level)[cell.y, cell.x].tolist()
    levels = range(len(trace.rpn.grid))
    return [cell if level == cell.level else nearest_cell(trace.rpn, level, (x, y)) for level in levels]


def cell_anchors(trace: Trace, cell: Cell, level: int | None = None) -> Tensor:
    """Anchors, int64 [n], at the place of a cell: of all levels, or of one."""
    cells = cells_through_levels(trace, cell)
    return torch.cat([anchors_of_cell(trace.rpn, one) for one in cells if level in (None, one.level)])


def anchor_groups(trace: Trace, anchors: Tensor, *, labels: bool, items: bool) -> list[BoxGroup]:
    """Anchors in the colours of their levels.

    Args:
        trace: the image.
        anchors: int64 [n].
        labels: write width and height (network frame) on each.
        items: a click on one selects it.
    """
    groups = []
    for level in trace.rpn.level_of(anchors).unique().tolist():
        members = anchors[trace.rpn.level_of(anchors) == level]
        sizes = tuple(size_words(box) for box in trace.rpn.anchors[members].tolist())
        groups.append(
            BoxGroup(
                trace.to_image(trace.rpn.anchors[members]),
                f"level {level}, stride {stride(trace, level):g} px",
                level_color(level),
                counted=False,
                halo=LIGHT_HALO,
                labels=sizes if labels else (),
                hover=_hover(trace, members),
                items=anchor_items(members) if items else (),
            )
        )
    return groups


def _hover(trace: Trace, anchors: Tensor) -> tuple[str, ...]:
    cells = trace.rpn.cell_of(anchors).tolist()
    sizes = trace.rpn.anchors[anchors].tolist()
    seen = trace.to_image(trace.rpn.anchors[anchors]).tolist()
    return tuple(
        f"anchor {index:,} · level {level}, cell ({y}, {x}), kind {kind}<br>"
        f"{size_words(size)} px, network frame<br>{size_words(box)} px, image frame"
        for index, (level, y, x, kind), size, box in zip(anchors.tolist(), cells, sizes, seen, strict=True)
    )


def centres_overlay(trace: Trace, level: int) -> Tensor:
    """Where the anchors of a level are centred, as dots over the image, uint8 [h, w, 4] RGBA."""
    height, width = trace.input.image_size
    scale = max(1.0, _DOTS_SIDE / max(height, width))
    painted = np.zeros((round(height * scale), round(width * scale), 4), dtype=np.uint8)
    centres = cell_centres(trace.rpn, level).reshape(-1, 2)
    points = (trace.to_image(centres.repeat(1, 2))[:, :2] * scale).round().long().numpy()
    # A dot takes a fifth of the way to the next one, so that coarse levels are seen as well as fine ones.
    pitch = stride(trace, level) * width / trace.input.network_size[1] * scale
    radius = int(min(max(pitch / 10, 0), 5))
    color = [int(level_color(level)[start : start + 2], 16) for start in (1, 3, 5)]
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            xs, ys = points[:, 0] + dx, points[:, 1] + dy
            inside = (xs >= 0) & (ys >= 0) & (xs < painted.shape[1]) & (ys < painted.shape[0])
            painted[ys[inside], xs[inside]] = (*color, 255)
    return torch.from_numpy(painted)


def cell_table(replay: Replay, anchors: Tensor) -> pd.DataFrame:
    """One row for each of n anchors of a cell: size, shape, and what the network made of it."""
    trace, ledger = replay.trace, replay.proposals
    x1, y1, x2, y2 = trace.rpn.anchors[anchors].T
    width, height = x2 - x1, y2 - y1
    return pd.DataFrame(
        {
            "level": trace.rpn.level_of(anchors).numpy(),
            "w × h, px": [size_words(box) for box in trace.rpn.anchors[anchors].tolist()],
            "√area": (width * height).sqrt().numpy(),
            "h : w": (height / width).numpy(),
            "objectness": ledger.scores[anchors].float().numpy(),
            "fate": [fate_words(ProposalFate(code)) for code in ledger.fate[anchors].tolist()],
            "anchor": anchors.numpy(),
        }
    )


def base_table(trace: Trace) -> pd.DataFrame:
    """One row for each level: its map, its anchors' sizes and shapes, and how many there are; network frame."""
    rows = []
    for level, (height, width, kinds) in enumerate(trace.rpn.grid):
        boxes = trace.rpn.anchors[anchors_of_cell(trace.rpn, Cell(level, 0, 0))]
        sides = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).sqrt().round().int().unique().tolist()
        rows.append(
            {
                "level": level,
                "map, cells": f"{height} × {width}",
                "stride, px": stride(trace, level),
                "per cell": kinds,
                "sizes w × h, px": ", ".join(size_words(box) for box in boxes.tolist()),
                "√area, px": f"{sides[0]}–{sides[-1]}" if len(sides) > 1 else f"{sides[0]}",
                "anchors": height * width * kinds,
            }
        )
    return pd.DataFrame(rows)
