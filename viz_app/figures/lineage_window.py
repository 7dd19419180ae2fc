"""The part of the image that a lineage is about, with boxes drawn on it.

Boxes are in the **image** frame; a drawing is uint8 RGB [h, w, 3].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from viz_app.figures.fast_rcnn import crop
from viz_app.figures.palette import DARK_HALO, GROUND_TRUTH, LIGHT_HALO
from viz_app.figures.picture import BoxGroup, Dash
from viz_app.figures.raster import draw_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from detector.tracing.lineage_records import Lineage, Placed
    from detector.tracing.trace import Trace
    from viz_app.links import Selected

SIDES = (320, 640)
"""Bounds of a drawing's longer side, px."""

_LEAST_WINDOW, _MARGIN = 28.0, 0.15


class Painter:
    """Draws boxes on the part of the image that a lineage is about."""

    def __init__(self, trace: Trace, lineage: Lineage) -> None:
        self.trace = trace
        self.left, self.top, right, bottom = window(trace.input.image_size, boxes_of(lineage))
        self.pixels = trace.input.pixels[:, self.top : bottom, self.left : right]
        self.target = [] if lineage.target is None else [lineage.target.box]

    def draw(self, *groups: BoxGroup) -> np.ndarray:
        """These boxes over the object of the lineage, without words: they would not be readable."""
        wanted = [
            BoxGroup(box_row(box), "object", GROUND_TRUTH, dash="dash", width=1.5, halo=DARK_HALO)
            for box in self.target
        ]
        shift = torch.tensor([self.left, self.top, self.left, self.top])
        moved = [
            BoxGroup(
                group.boxes - shift, group.name, group.color, group.dash, group.width,
                halo=group.halo, opacity=group.opacity,
            )
            for group in (*wanted, *groups)
        ]  # fmt: skip
        return draw_picture(self.pixels, moved, sides=SIDES)

    def crop(self, box: Placed) -> np.ndarray:
        """What RoIAlign covers, squeezed to a square as it squeezes it, as high as the other pictures."""
        return crop(self.trace, torch.tensor(box.image), len(draw_picture(self.pixels, [], sides=SIDES)))


def boxes_of(lineage: Lineage) -> list[Placed]:
    """Every box of a lineage, its object included."""
    boxes = [lineage.roi.box, lineage.slot.after]
    boxes += [] if lineage.anchor is None else [lineage.anchor.box]
    return boxes + ([] if lineage.target is None else [lineage.target.box])


def window(size: tuple[int, int], boxes: Sequence[Placed]) -> tuple[int, int, int, int]:
    """Whole pixels (x1, y1, x2, y2) of a square around some boxes, moved and cut to fit the image."""
    height, width = size
    corners = torch.tensor([box.image for box in boxes])
    low = corners[:, :2].amin(dim=0).clamp(min=0)
    high = torch.minimum(corners[:, 2:].amax(dim=0), torch.tensor([float(width), float(height)]))
    side = max(float((high - low).max()) * (1 + 2 * _MARGIN), _LEAST_WINDOW)
    centre = ((low + high) / 2).tolist()
    ends = [_span(middle, side, whole) for middle, whole in zip(centre, (width, height), strict=True)]
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _span(middle: float, side: float, whole: int) -> tuple[int, int]:
    """Start and end of `side` pixels around `middle` within 0 and `whole`."""
    length = min(round(side), whole)
    start = min(max(round(middle - length / 2), 0), whole - length)
    return start, start + length


def box_group(
    box: Placed, name: str, color: str, dash: Dash = "solid", *, label: str = "", item: Selected | None = None
) -> BoxGroup:
    """One box in the looks of the pictures of a lineage."""
    return BoxGroup(
        box_row(box), name, color, dash=dash, width=2.5, halo=LIGHT_HALO, counted=False,
        labels=(label,) if label else (), items=(item,) if item else (),
    )  # fmt: skip


def box_row(box: Placed) -> Tensor:
    """Its corners in the image frame, float [1, 4]."""
    return torch.tensor([box.image])
