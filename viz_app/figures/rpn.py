"""The RPN before its filters: objectness over the image, the strongest anchors, and what they were moved to.

Shapes: `N` anchors, `A` anchors per cell, (h, w) cells of a level. Boxes and positions are in the **image**
frame unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from plotly.colors import sequential
from torch import Tensor

from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from detector.tracing.trace import Trace
from viz_app.figures.feature_maps import colorize
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    LIGHT_HALO,
    SELECTED,
    VERMILLION,
    fate_words,
    with_alpha,
)
from viz_app.figures.picture import BoxGroup, display_size
from viz_app.figures.words import size_words
from viz_app.links import Selected

# Viridis, nearly transparent where nothing is found: the image stays visible, and what is found shines.
COLORSCALE = [
    (place, with_alpha(color, 0.25 + 0.75 * place))
    for place, color in zip(
        np.linspace(0, 1, len(sequential.Viridis)).tolist(), sequential.Viridis, strict=True
    )
]
Refinement = Literal["anchors", "moved", "clipped"]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectnessMap:
    """Objectness of one level, cut to the cells whose centre lies in the image (the rest is padding).

    Args:
        values: float [h, w], probabilities.
        xs: float [w + 1], edges of the columns of cells, px, image frame.
        ys: float [h + 1], edges of the rows of cells, px, image frame.
    """

    values: np.ndarray
    xs: np.ndarray
    ys: np.ndarray


def anchors_of_level(trace: Trace, values: Tensor, level: int) -> Tensor:
    """The part of `values` [N, ...] that belongs to one level, as [h, w, A, ...]."""
    part = values.split(trace.rpn.per_level)[level]
    return part.reshape(*trace.rpn.grid[level], *values.shape[1:])


def stride(trace: Trace, level: int) -> float:
    """Distance of the anchor centres of one level, px, network frame (x direction)."""
    return trace.input.tensor.shape[-1] / trace.rpn.grid[level][1]


def anchor_kinds(trace: Trace, level: int) -> tuple[str, ...]:
    """Size of each of the A anchors of a cell, `width × height`, px, network frame."""
    cell = anchors_of_level(trace, trace.rpn.anchors, level)[0, 0]
    return tuple(size_words(box) for box in cell)


def objectness_map(trace: Trace, level: int, kind: int | None = None) -> ObjectnessMap:
    """Objectness probability of each cell of a level.

    Args:
        trace: what was captured.
        level: pyramid level, finest first.
        kind: which of the A anchors of a cell; the strongest of them when None.
    """
    scores = anchors_of_level(trace, trace.rpn.objectness, level).sigmoid()
    chosen = scores.amax(dim=-1) if kind is None else scores[..., kind]
    centres = (
        anchors_of_level(trace, trace.rpn.anchors, level).reshape(*scores.shape, 2, 2).mean(dim=-2)[:, :, 0]
    )
    height, width = trace.input.network_size
    rows = centres[:, 0, 1] < height
    columns = centres[0, :, 0] < width
    scale_y, scale_x = (
        image / network
        for image, network in zip(trace.input.image_size, trace.input.network_size, strict=True)
    )
    return ObjectnessMap(
        chosen[rows][:, columns].float().cpu().numpy(),
        _edges((centres[0, columns, 0] * scale_x).tolist(), trace.input.image_size[1]),
        _edges((centres[rows, 0, 1] * scale_y).tolist(), trace.input.image_size[0]),
    )


def _edges(centres: list[float], side: float) -> np.ndarray:
    """Halfway between neighbours; the outer cells reach to the image's edges, 0 and `side`."""
    inner = [(first + second) / 2 for first, second in pairwise(centres)]
    return np.array([0.0, *inner, float(side)])


def objectness_overlay(trace: Trace, level: int, kind: int | None = None, *, opacity: float = 0.75) -> Tensor:
    """Objectness of one level as a layer over the image, uint8 [h, w, 4] RGBA, more solid where it is higher.

    Each cell is painted around the centre of its anchors; what nothing is found in stays nearly clear.
    """
    found = objectness_map(trace, level, kind)
    height, width = display_size(trace.input.image_size)
    rows = _cell_at(found.ys, trace.input.image_size[0], height)
    columns = _cell_at(found.xs, trace.input.image_size[1], width)
    values = found.values[np.ix_(rows, columns)]
    alpha = (255 * opacity * (0.25 + 0.75 * values)).round().astype(np.uint8)
    return torch.from_numpy(np.dstack([colorize(torch.from_numpy(values), 0, 1), alpha]))


def _cell_at(edges: np.ndarray, side: int, pixels: int) -> np.ndarray:
    """The cell, int [pixels], that each of the equal pixels along a side lies in."""
    middles = (np.arange(pixels) + 0.5) * side / pixels
    return np.searchsorted(edges[1:-1], middles, side="right")


def scale_html(low: str = "0", high: str = "1", name: str = "objectness") -> str:
    """One line of HTML with the colours of the heat map and what its ends mean."""
    colors = ",".join(color for _, color in COLORSCALE)
    bar = f"background:linear-gradient(90deg,{colors});height:8px;width:9em;border-radius:4px"
    row = "display:flex;align-items:center;gap:0.5em;font-size:0.875rem"
    return (
        f'<div style="{row}"><span style="opacity:0.75">{name} {low}</span><span style="{bar}"></span>'
        f'<span style="opacity:0.75">{high}</span></div>'
    )


def top_anchors(replay: Replay, count: int, level: int | None = None) -> Tensor:
    """The `count` anchors of highest objectness, int64, best first; of one level, or of all."""
    logits = replay.trace.rpn.objectness
    start = 0
    if level is not None:
        start = sum(replay.trace.rpn.per_level[:level])
        logits = logits[start : start + replay.trace.rpn.per_level[level]]
    return logits.topk(min(count, len(logits))).indices + start


def anchor_items(anchors: Tensor) -> tuple[Selected, ...]:
    """What selects each of these anchors, int64 [n]."""
    return tuple(Selected("anchor", index) for index in anchors.tolist())


def anchor_hover(replay: Replay, anchors: Tensor) -> tuple[str, ...]:
    """One line for each anchor: objectness, place, size and fate."""
    trace, ledger = replay.trace, replay.proposals
    cells = trace.rpn.cell_of(anchors).tolist()
    boxes = trace.to_image(ledger.boxes[anchors]).tolist()
    fates, scores = ledger.fate[anchors].tolist(), ledger.scores[anchors].tolist()
    return tuple(
        f"anchor {index:,} · {fate_words(ProposalFate(fate))}<br>objectness {score:.3f}<br>"
        f"level {level}, cell ({y}, {x})<br>{size_words(box)} px, image frame"
        for index, fate, score, (level, y, x, _), box in zip(
            anchors.tolist(), fates, scores, cells, boxes, strict=True
        )
    )


def moved_boxes(replay: Replay, anchors: Tensor) -> Tensor:
    """Anchors after their deltas and before the clipping, float [n, 4]."""
    trace = replay.trace
    decoded = trace.rules.rpn_coder.decode(trace.rpn.deltas[anchors], [trace.rpn.anchors[anchors]])
    return trace.to_image(decoded.reshape(-1, 4))


def top_groups(
    replay: Replay, anchors: Tensor, shown: Collection[Refinement] = ("anchors", "clipped")
) -> list[BoxGroup]:
    """Anchors on their way to a proposal.

    Args:
        replay: what was captured.
        anchors: int64 [n].
        shown: the anchors dotted, the boxes they were moved to dashed, and these clipped to the image solid.
    """
    trace = replay.trace
    rest = {"hover": anchor_hover(replay, anchors), "items": anchor_items(anchors)}
    start = trace.to_image(trace.rpn.anchors[anchors])
    clipped = trace.to_image(replay.proposals.boxes[anchors])
    # Inside the image both are the same: dashes on top let the solid line through.
    groups = {
        "anchors": BoxGroup(start, "anchors", "#FFFFFF", dash="dot", width=1.5, halo=DARK_HALO, **rest),
        "clipped": BoxGroup(clipped, "moved and clipped", ACCENT, width=2, **rest),
        "moved": BoxGroup(
            moved_boxes(replay, anchors), "moved by their deltas", VERMILLION, dash="dash", width=1.5, **rest
        ),
    }
    return [group for name, group in groups.items() if name in shown]


def selected_groups(replay: Replay, anchor: int) -> list[BoxGroup]:
    """One anchor, dotted, and its decoded box, solid, in the colour of what is selected."""
    trace, index = replay.trace, torch.tensor([anchor])
    before = trace.to_image(trace.rpn.anchors[index])
    after = trace.to_image(replay.proposals.boxes[index])
    looks = {"hover": anchor_hover(replay, index), "counted": False}
    return [
        BoxGroup(before, "its anchor", SELECTED, dash="dot", width=2, halo=DARK_HALO, **looks),
        BoxGroup(after, "selected", SELECTED, width=3, halo=LIGHT_HALO, items=anchor_items(index), **looks),
    ]


def quiet(groups: list[BoxGroup]) -> list[BoxGroup]:
    """The same boxes, faint, for beneath what is looked at closely."""
    return [replace(group, opacity=0.35 * group.opacity) for group in groups]


def clipped_count(replay: Replay, anchors: Tensor) -> int:
    """How many of these anchors' boxes reached over the image's edge."""
    clipped = replay.trace.to_image(replay.proposals.boxes[anchors])
    return int((moved_boxes(replay, anchors) != clipped).any(dim=1).sum())
