"""Which anchor, or which input size, would fit an object that no anchor comes near.

Shapes: `A` anchor shapes, `P` cells of a level. Sizes are (height, width) in px of the network frame; a ratio is
height / width, as torchvision's anchor generator takes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.explaining.anchor_fit import anchor_shapes, extents
from detector.explaining.matching import inclusive

if TYPE_CHECKING:
    from detector.tracing.replay import Replay
    from detector.tracing.trace import RpnStage

LARGEST_FACTOR = 16
"""How many times as large, or as small, an input is tried."""
_STEP = 1.02
_STEPS = math.ceil(math.log(LARGEST_FACTOR) / math.log(_STEP))


@dataclass(frozen=True, slots=True)
class WantedAnchor:
    """An anchor shaped as the object, at the nearest cell of the level where it overlaps the object most.

    Args:
        size: square root of its area, network px.
        ratio: height / width.
        level: pyramid level.
        iou: with the object: less than 1 by the way to the cell alone.
    """

    size: float
    ratio: float
    level: int
    iou: float


@dataclass(frozen=True, slots=True)
class WantedInput:
    """The input size nearest to the present one at which a present anchor shape would fit.

    Args:
        factor: how many times as large as now.
        object_size: of the object there.
        iou: of the nearest anchor shape, centred on it.
    """

    factor: float
    object_size: tuple[float, float]
    iou: float


def wanted_anchor(replay: Replay, box: Tensor) -> WantedAnchor:
    """The anchor that would fit best.

    Args:
        replay: any replay of the trace.
        box: of the object, float [4], network frame.
    """
    rpn, (height, width) = replay.trace.rpn, extents(box).tolist()
    centre = ((box[:2] + box[2:]) / 2).double().cpu()
    reached = []
    for level in range(len(rpn.grid)):
        if rpn.per_level[level]:
            apart = (_centres(rpn, level) - centre).abs()
            inner = (width - apart[:, 0]).clamp(min=0) * (height - apart[:, 1]).clamp(min=0)
            reached.append((float((inner / (2 * height * width - inner)).max()), level))
    iou, level = max(reached, key=lambda one: one[0])
    return WantedAnchor(math.sqrt(height * width), height / width, level, iou)


def wanted_input(replay: Replay, box: Tensor, iou: float) -> WantedInput | None:
    """The input size that would do, to 2 %; None where the present one would do already, or where none does.

    Inputs up to `LARGEST_FACTOR` times as large, or as small, are tried.

    Args:
        replay: any replay of the trace.
        box: of the object, float [4], network frame.
        iou: the overlap that an anchor shape, centred on the object, has to reach.
    """
    size, shapes = extents(box), anchor_shapes(replay)
    for step in sorted(range(-_STEPS, _STEPS + 1), key=abs):
        factor = _STEP**step
        reached = float(_centred(shapes, size * factor).max())
        if reached >= inclusive(iou):
            height, width = (size * factor).tolist()
            return WantedInput(factor, (height, width), reached) if step else None
    return None


def _centres(rpn: RpnStage, level: int) -> Tensor:
    """Centres (x, y), float64 [P, 2], of the cells of a level: an anchor lies around the centre of its cell."""
    start, (_, _, kinds) = sum(rpn.per_level[:level]), rpn.grid[level]
    first = rpn.anchors[start : start + rpn.per_level[level] : kinds].double().cpu()
    return (first[:, :2] + first[:, 2:]) / 2


def _centred(shapes: Tensor, size: Tensor) -> Tensor:
    """IoU [A] of each shape with a box of `size` around the same centre."""
    inner = torch.minimum(shapes, size).prod(dim=1)
    return inner / (shapes.prod(dim=1) + size.prod() - inner)
