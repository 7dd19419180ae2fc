"""The bins and sample points of RoIAlign on the image. Boxes are in the **image** frame."""

from __future__ import annotations

import torch
from torch import Tensor

from detector.tracing.roi_grid import SamplingGrid
from detector.tracing.trace import Trace
from viz_app.figures.palette import YELLOW
from viz_app.figures.picture import BoxGroup

_LINE = "#D3D9E2"  # nearly white, and still seen in the legend of a white page
_DOT = 0.07  # half a dot's side, as a share of the distance of two points


def grid_groups(trace: Trace, grid: SamplingGrid, values: Tensor | None = None) -> list[BoxGroup]:
    """The bins as thin boxes and the sample points as dots.

    Args:
        trace: the image.
        grid: where RoIAlign reads.
        values: float [h, w], what came out of each bin, for the pointer.
    """
    rows, columns, down, across = grid.points.shape[:4]
    bins = trace.to_image(grid.bins.reshape(-1, 4))
    hover = tuple(
        f"bin y {place // columns}, x {place % columns}"
        + ("" if values is None else f"<br>pooled value {float(values.reshape(-1)[place]):.4f}")
        for place in range(rows * columns)
    )
    groups = [BoxGroup(bins, "bins", _LINE, width=1, opacity=0.9, hover=hover)]
    if down * across:
        groups.append(_dots(trace, grid))
    return groups


def _dots(trace: Trace, grid: SamplingGrid) -> BoxGroup:
    sides = grid.bins[0, 0, 2:] - grid.bins[0, 0, :2]
    # Square dots, as far apart as they are even where a bin is long and thin.
    half = _DOT * float((sides / torch.tensor(grid.points.shape[3:1:-1])).min())
    points = grid.points.reshape(-1, 2)
    boxes = trace.to_image(torch.cat((points - half, points + half), dim=1))
    return BoxGroup(boxes, "sample points", YELLOW, width=1.5)
