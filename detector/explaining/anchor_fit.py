"""Why no anchor fits an object: its size, its ratio, or only its place between the cells.

Shapes: `N` anchors, `A` anchors per cell, `L` levels. Sizes are (height, width) in px of the network frame.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.explaining.evidence import FitEvidence, Misfit
from detector.explaining.matching import inclusive, iou_of

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.tracing.replay import Replay


def fit_evidence(
    nearest: tuple[int, float], index: int, replay: Replay, truth: GroundTruth, iou: float
) -> FitEvidence:
    """What is wrong with the anchor that comes nearest to object `index`.

    Args:
        nearest: this anchor, and its IoU with the object.
        index: of the object.
        replay: any replay of the trace.
        truth: the objects.
        iou: the overlap that counts.
    """
    (anchor, overlap), trace, anchors = nearest, replay.trace, replay.trace.rpn.anchors
    shapes, size = anchor_shapes(replay), extents(trace.to_network(truth.boxes[index])[None])
    centred = iou_of(_at_the_origin(shapes), _at_the_origin(size))
    best, best_iou = shapes[centred.argmax()], float(centred.max())
    misfit: Misfit = "between cells"
    if best_iou < inclusive(iou):
        misfit = _misfit(shapes, size[0], best, iou)
    own = extents(anchors[anchor][None])[0].tolist()
    height, width = size[0].tolist()
    return FitEvidence(anchor, overlap, (own[0], own[1]), (height, width), best_iou, misfit)


def anchor_shapes(replay: Replay) -> Tensor:
    """(height, width), float64 [sum of A over levels, 2], network px, of the anchors of one cell of each level."""
    rpn = replay.trace.rpn
    starts = [sum(rpn.per_level[:level]) for level in range(len(rpn.grid))]
    kinds = [range(start, start + min(grid[2], count))
             for start, grid, count in zip(starts, rpn.grid, rpn.per_level, strict=True)]  # fmt: skip
    return extents(rpn.anchors[[anchor for one in kinds for anchor in one]])


def _misfit(shapes: Tensor, size: Tensor, nearest: Tensor, iou: float) -> Misfit:
    """Too elongated if no anchor fits at any size; else larger or smaller than the nearest shape."""
    sides = shapes.clamp(min=1e-6)  # torchvision rounds the sides of tiny anchors to 0
    ratios, ratio = (sides[:, 0] / sides[:, 1]).tolist(), float(size[0] / size[1])
    apart = min(max(one / ratio, ratio / one) for one in ratios)
    # Two centred boxes whose ratios are q apart have an IoU of at most 1 / (2 sqrt(q) - 1), at equal areas.
    if 1 / (2 * math.sqrt(apart) - 1) < iou:
        return "elongated"
    return "small" if float(size.prod()) < float(nearest.prod()) else "large"


def extents(boxes: Tensor) -> Tensor:
    """(height, width), float64 [..., 2] on the CPU, of boxes xyxy."""
    sides = (boxes[..., 2:] - boxes[..., :2]).double().cpu()
    return sides.flip(-1)


def _at_the_origin(sizes: Tensor) -> Tensor:
    """Boxes [..., 4] of these (height, width) with one corner at the origin: their IoU is that of centred ones."""
    return torch.cat((torch.zeros_like(sizes), sizes.flip(-1)), dim=-1)
