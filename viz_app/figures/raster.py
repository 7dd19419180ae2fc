"""A picture with boxes as plain pixels: for PNG files, thumbnails and notebooks, drawn without a browser.

It shows what `picture.picture` shows (halo, dash, opacity, labels), with the legend and a caption below. Lines
run along pixel rows and columns, so their coverage of every pixel is known exactly: that is the anti-aliasing.
Boxes are float xyxy in the **image** frame; a drawing is uint8 RGB [h, w, 3].
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from viz_app.figures.lettering import Lettering
from viz_app.figures.palette import rgba, text_on
from viz_app.figures.picture import MOST_LABELS, BoxGroup

SIDES = (640, 1600)
"""Pixels of a picture's longer side, at least and at most: a small image is enlarged, a large one reduced."""

_HALO = 1.5
_LABEL_SIZE = 12
_DASHES = {"solid": 0.0, "dash": 3.0, "dot": 1.0}
_LEAST_DASH = 3.0


def draw_picture(
    pixels: Tensor,
    groups: Sequence[BoxGroup] = (),
    *,
    overlay: Tensor | None = None,
    sides: tuple[int, int] = SIDES,
) -> np.ndarray:
    """The image with boxes on it, uint8 RGB [h, w, 3], enlarged or reduced as a whole.

    Args:
        pixels: uint8 [3, H, W].
        groups: drawn in this order, later ones on top; labels come after all lines.
        overlay: uint8 [h', w', 4] RGBA, stretched over the image, beneath the boxes.
        sides: bounds of the longer side of the result, px.
    """
    drawing = _enlarged(np.ascontiguousarray(pixels.detach().cpu().permute(1, 2, 0).numpy()), sides)
    scale = np.array(drawing.shape[:2]) / np.array(pixels.shape[1:])
    if overlay is not None:
        layer = cv2.resize(overlay.numpy(), drawing.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        _blend(drawing, layer[..., :3], layer[..., 3] / 255)
    corners = [_scaled(group.boxes, scale) for group in groups]
    for group, boxes in zip(groups, corners, strict=True):
        _draw_lines(drawing, boxes, group)
    lettering = Lettering(_LABEL_SIZE)
    taken: list[tuple[int, int, int, int]] = []
    for group, boxes in zip(groups, corners, strict=True):
        for text, box in list(zip(group.labels, boxes, strict=False))[:MOST_LABELS]:
            if np.isfinite(box).all():
                taken.append(_draw_label(drawing, lettering, text, box, group.color, taken))
    return drawing


def box_coverage(boxes: np.ndarray, size: tuple[int, int], width: float, dash: float = 0.0) -> np.ndarray:
    """How much of each pixel the outlines of some boxes cover, float32 [h, w] from 0 to 1.

    Args:
        boxes: float [n, 4] xyxy, px of the drawing; a pixel reaches from its index to the next.
        size: (h, w) of the drawing.
        width: of the lines, px, half of it on either side of the box's edge.
        dash: length of a dash and of the gap after it, px; 0 for solid lines.
    """
    covered = np.zeros(size, dtype=np.float32)
    half = width / 2
    # A box with NaN or infinity in it has no place.
    for x1, y1, x2, y2 in boxes[np.isfinite(boxes).all(axis=1)].tolist():
        across, down = x2 - x1, y2 - y1
        # Clockwise from the upper left corner, so that the dashes run on around the corners.
        edges = (
            (True, y1, x1, x2, 0.0),
            (False, x2, y1, y2, across),
            (True, y2, x2, x1, across + down),
            (False, x1, y2, y1, 2 * across + down),
        )
        for level, at, start, end, begun in edges:
            _cover_edge(covered if level else covered.T, at, (start, end), half, dash, begun)
    return covered


def _cover_edge(
    covered: np.ndarray, at: float, ends: tuple[float, float], half: float, dash: float, begun: float
) -> None:
    """Add one horizontal edge to `covered` (transposed for a vertical one), which keeps the higher value."""
    rows = _interval(at - half, at + half, covered.shape[0])
    low, high = min(ends) - half, max(ends) + half
    columns = _interval(low, high, covered.shape[1])
    if rows is None or columns is None:
        return
    across = _share(columns, low, high)
    if dash:
        middles = np.arange(columns.start, columns.stop) + 0.5
        way = begun + np.abs(middles - ends[0])
        # A dash that begins or ends within a pixel covers it in part.
        across = across * np.clip(0.5 + dash / 2 - np.abs(way % (2 * dash) - dash / 2), 0, 1)
    part = covered[rows, columns]
    np.maximum(part, np.outer(_share(rows, at - half, at + half), across), out=part)


def _interval(low: float, high: float, end: int) -> slice | None:
    """The pixels between two places that lie in the drawing; None where none does."""
    first, last = max(0, int(np.floor(low))), min(end, int(np.ceil(high)))
    return slice(first, last) if first < last else None


def _share(pixels: slice, low: float, high: float) -> np.ndarray:
    """How much of each pixel lies between two places, 0 to 1."""
    starts = np.arange(pixels.start, pixels.stop)
    return np.clip(np.minimum(high, starts + 1) - np.maximum(low, starts), 0, 1)


def _draw_lines(drawing: np.ndarray, boxes: np.ndarray, group: BoxGroup) -> None:
    if len(boxes) == 0:
        return
    size = (drawing.shape[0], drawing.shape[1])
    if group.halo:
        color, alpha = rgba(group.halo)
        _blend(drawing, color, box_coverage(boxes, size, group.width + _HALO) * alpha)
    color, alpha = rgba(group.color)
    dash = _DASHES[group.dash] * max(group.width, _LEAST_DASH)
    _blend(drawing, color, box_coverage(boxes, size, group.width, dash) * alpha * group.opacity)


def _draw_label(
    drawing: np.ndarray,
    lettering: Lettering,
    text: str,
    box: np.ndarray,
    color: str,
    taken: Sequence[tuple[int, int, int, int]],
) -> tuple[int, int, int, int]:
    """Write a label at its box, above it if there is room; the place it takes, as integer xyxy."""
    width, height = lettering.size(text)
    width, height = width + 6, height + 2
    x1, y1, x2, y2 = (round(value) for value in box.tolist())
    right, bottom = drawing.shape[1] - width, drawing.shape[0] - height
    # Above the box, inside at its top, below it, at its right end: the first place that is free.
    wanted = ((x1, y1 - height), (x1, y1), (x1, y2), (x2 - width, y1 - height), (x2 - width, y2))
    places = [(min(max(x, 0), max(right, 0)), y) for x, y in wanted if 0 <= y <= bottom]
    places = places or [(min(max(x1, 0), max(right, 0)), min(max(y1, 0), max(bottom, 0)))]
    free = (place for place in places if not any(_overlap(place, (width, height), other) for other in taken))
    x, y = next(free, places[0])
    ground, _ = rgba(color)
    drawing[y : y + height, x : x + width] = ground
    lettering.write(drawing, text, (x + 3, y + 1), text_on(color))
    return x, y, x + width, y + height


def _overlap(place: tuple[int, int], size: tuple[int, int], other: tuple[int, int, int, int]) -> bool:
    (x, y), (width, height), (x1, y1, x2, y2) = place, size, other
    return x < x2 and x1 < x + width and y < y2 and y1 < y + height


def _enlarged(image: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """A copy whose longer side lies within `sides`; pixels of an enlarged image stay visible as squares."""
    longer = max(image.shape[:2])
    if longer < sides[0]:
        factor = min(-(-sides[0] // longer), sides[1] // longer)
        return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    if longer > sides[1]:
        size = [max(1, round(side * sides[1] / longer)) for side in image.shape[1::-1]]
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image.copy()


def _scaled(boxes: Tensor, scale: np.ndarray) -> np.ndarray:
    """Boxes [n, 4] in pixels of the drawing; `scale` is (y, x)."""
    return boxes.detach().cpu().double().numpy() * np.array([scale[1], scale[0], scale[1], scale[0]])


def _blend(drawing: np.ndarray, color: Sequence[int] | np.ndarray, alpha: np.ndarray) -> None:
    """Lay a colour, or a picture, over the drawing, in place; `alpha` is [h, w] from 0 to 1."""
    weight = alpha[..., None]
    mixed = drawing * (1 - weight) + np.asarray(color, dtype=np.float32) * weight
    np.copyto(drawing, np.rint(mixed).astype(np.uint8))
