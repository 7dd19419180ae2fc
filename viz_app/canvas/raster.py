"""Very many boxes as one picture: 160,000 outlines are painted in half a second, and sent as one PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from detector.tracing.trace import Size
from viz_app.figures.palette import rgba
from viz_app.figures.picture import BoxGroup, display_size

_SIDE, _FINEST = 1600, 4
_FAINTEST, _STEPS = 0.25, 4
_COMMON = 0.98


def raster(groups: Sequence[BoxGroup], size: Size) -> Tensor:
    """The outlines of very many boxes as one picture, uint8 [h, w, 4] RGBA.

    Where more lines lie over one another the picture is less transparent. Its resolution is that at which images
    are sent, or up to four times that of a small image.

    Args:
        groups: what is drawn, in this order.
        size: height and width of the image the boxes lie in.
    """
    enlarged = max(1, min(_FINEST, _SIDE // max(size)))
    height, width = (side * enlarged for side in display_size(size))
    painted = np.zeros((height, width, 4), np.uint8)
    for group in groups:
        lines = _line_counts(group.boxes, size, (height, width))
        drawn = lines > 0
        most = np.quantile(lines[drawn], _COMMON) if drawn.any() else 1
        strength = _FAINTEST + (1 - _FAINTEST) * np.sqrt(np.minimum(lines[drawn] / most, 1))
        # A few steps of transparency instead of 256: a much smaller file.
        alpha = np.rint(strength * _STEPS) / _STEPS * group.opacity * 255
        painted[drawn] = np.column_stack((np.tile(rgba(group.color)[0], (len(alpha), 1)), alpha))
    return torch.from_numpy(painted)


def _line_counts(boxes: Tensor, size: Size, shape: Size) -> np.ndarray:
    """How many boxes have an edge at each pixel, int [h, w], by sums of starts and ends: no loop over boxes."""
    height, width = shape
    scale = np.array([width / size[1], height / size[0]] * 2)
    corners = boxes.detach().cpu().double().numpy() * scale
    corners = corners[np.isfinite(corners).all(axis=1)]
    x1, y1, x2, y2 = np.rint(corners).clip(0, [width - 1, height - 1] * 2).astype(np.int64).T
    across = np.zeros((height, width + 1), np.int64)
    down = np.zeros((height + 1, width), np.int64)
    for y in (y1, y2):
        _add(across, y, x1, 1)
        _add(across, y, x2 + 1, -1)
    for x in (x1, x2):
        _add(down, y1, x, 1)
        _add(down, y2 + 1, x, -1)
    return across.cumsum(axis=1)[:, :width] + down.cumsum(axis=0)[:height]


def _add(counts: np.ndarray, rows: np.ndarray, columns: np.ndarray, value: int) -> None:
    """Add `value` at each of some places, which may repeat, in place."""
    flat = rows * counts.shape[1] + columns
    counts += value * np.bincount(flat, minlength=counts.size).reshape(counts.shape)
