"""Where RoIAlign reads: the bins of one RoI and the sample points in each of them.

He et al. 2017 ("Mask R-CNN", section 3) place the points and round nothing; this follows torchvision's
`roi_align` kernel to the letter, with its `sampling_ratio` and its `aligned` flag.

Shapes: (h, w) bins, (n, m) sample points down and across each bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from detector.models.detector import Detector
    from detector.tracing.trace import Size, Trace


@dataclass(frozen=True, slots=True)
class PoolingRule:
    """How a detector pools a RoI.

    Args:
        bins: (h, w) of the output.
        sampling_ratio: sample points along each side of a bin; 0 or less for as many as the bin has cells.
        aligned: half a cell is taken off, so that a RoI lies where its pixels are.
    """

    bins: Size
    sampling_ratio: int
    aligned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SamplingGrid:
    """Bins and sample points of one RoI.

    Args:
        bins: float [h, w, 4], xyxy, network frame.
        points: float [h, w, n, m, 2], (x, y), network frame.
        cells: the same points in cells of the map: 0 is the centre of the first cell.
        map_size: (rows, columns) of the map that is read.
        scale: cells per pixel of the network frame.
    """

    bins: Tensor
    points: Tensor
    cells: Tensor
    map_size: Size
    scale: float


def pooling_rule(detector: Detector) -> PoolingRule:
    """The rule of the detector's RoI pooling (`MultiScaleRoIAlign` never aligns)."""
    pool: Any = detector.model.roi_heads.box_roi_pool
    height, width = pool.output_size
    return PoolingRule(
        (int(height), int(width)), int(pool.sampling_ratio), bool(getattr(pool, "aligned", False))
    )


def map_scale(trace: Trace, level: int) -> float:
    """Cells per pixel of the network frame, as `MultiScaleRoIAlign` infers it: a power of two."""
    rows = trace.rpn.grid[level][0]
    return 2.0 ** round(math.log2(rows / trace.input.network_size[0]))


def sampling_grid(trace: Trace, rule: PoolingRule, box: Tensor, level: int) -> SamplingGrid:
    """Where RoIAlign reads a map for one RoI.

    Args:
        trace: the image; the maps' sizes are those the RPN slid over.
        rule: of the pooling.
        box: float [4], network frame.
        level: index of the map.
    """
    scale = map_scale(trace, level)
    rows, columns, _ = trace.rpn.grid[level]
    shift = 0.5 if rule.aligned else 0.0
    x1, y1, x2, y2 = (box.detach().cpu().float() * scale - shift).tolist()
    # Without alignment a RoI is at least one cell wide and high.
    least = -math.inf if rule.aligned else 1.0
    xs, x_edges = _along(x1, max(x2 - x1, least), rule.bins[1], rule.sampling_ratio)
    ys, y_edges = _along(y1, max(y2 - y1, least), rule.bins[0], rule.sampling_ratio)
    shape = (len(ys), len(xs), ys.shape[1], xs.shape[1])
    cells = torch.stack((xs[None, :, None, :].expand(shape), ys[:, None, :, None].expand(shape)), dim=-1)
    corners = torch.stack(
        (
            x_edges[None, :-1].expand(shape[:2]), y_edges[:-1, None].expand(shape[:2]),
            x_edges[None, 1:].expand(shape[:2]), y_edges[1:, None].expand(shape[:2]),
        ),
        dim=-1,
    )  # fmt: skip
    return SamplingGrid((corners + shift) / scale, (cells + shift) / scale, cells, (rows, columns), scale)


def _along(start: float, length: float, bins: int, ratio: int) -> tuple[Tensor, Tensor]:
    """Sample positions, float [bins, n], and bin edges, float [bins + 1], along one axis, in cells."""
    side = length / bins
    count = ratio if ratio > 0 else max(math.ceil(side), 0)
    within = (torch.arange(count) + 0.5) / max(count, 1)
    return start + side * (torch.arange(bins)[:, None] + within), start + side * torch.arange(bins + 1)
