"""The maps of a backbone under the names of the papers, and the cells of any of them.

Shapes: `C` channels, (h, w) cells of a map, (h', w') of the padded network input. A cell (y, x) stands for the
point (x, y) times the stride, as its anchors do; it is painted around that point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from detector.tracing.receptive_field import FieldMap, ReceptiveFields
from detector.tracing.trace import Trace
from viz_app.figures.feature_maps import colorize
from viz_app.figures.palette import DARK_HALO, LIGHT_HALO, SELECTED
from viz_app.figures.picture import BoxGroup, display_size
from viz_app.figures.words import size_words


@dataclass(frozen=True, slots=True, eq=False)
class NamedMap:
    """One map of a backbone.

    Args:
        label: its name in the papers, C for the body and P for the pyramid, with the binary logarithm of its
            stride: `C2` to `C5`, `P2` to `P6`.
        part: where it comes from.
        key: its name in the trace.
        level: its place among the maps that the RPN slides over; None for a map of the body.
        values: float [C, h, w].
        stride: whole input pixels between neighbouring cells along y and x, as its anchors are placed.
    """

    label: str
    part: Literal["body", "pyramid"]
    key: str
    level: int | None
    values: Tensor
    stride: tuple[float, float]

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        return self.values.shape[-2], self.values.shape[-1]

    def field(self, fields: ReceptiveFields) -> FieldMap | None:
        """The receptive fields of its cells."""
        return (fields.body if self.part == "body" else fields.pyramid).get(self.key)


def named_maps(trace: Trace) -> tuple[NamedMap, ...]:
    """All maps that the trace holds, the body's first, finest first; none in a trace stored without them.

    A backbone without pyramid has one map, and that is the body's own output: a C.
    """
    body, pyramid = trace.backbone.body, trace.backbone.pyramid
    letter = "P" if body or len(pyramid) > 1 else "C"
    found = [("C", "body", key, None, values) for key, values in body.items()]
    found += [(letter, "pyramid", key, level, value) for level, (key, value) in enumerate(pyramid.items())]
    strides = [_stride(trace, values) for *_, values in found]
    labels = [f"{entry[0]}{round(log2(max(stride)))}" for entry, stride in zip(found, strides, strict=True)]
    twice = {label for label, count in Counter(labels).items() if count > 1}
    return tuple(
        NamedMap(f"{label} ({key})" if label in twice else label, part, key, level, values, stride)  # type: ignore[arg-type]
        for label, (_, part, key, level, values), stride in zip(labels, found, strides, strict=True)
    )


def _stride(trace: Trace, values: Tensor) -> tuple[float, float]:
    # Rounded down, as the anchor generator does it: the 13 cells of P6 on 800 px are 61 px apart for it.
    height, width = trace.input.tensor.shape[-2:]
    return float(height // values.shape[-2]), float(width // values.shape[-1])


def cell_at(trace: Trace, one: NamedMap, point: tuple[float, float]) -> tuple[int, int]:
    """The cell (y, x) of a map that stands for a point (x, y), image frame; the nearest one outside the map."""
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    y = _nearest(np.array(point[1] * rows / height), one.stride[0], one.size[0])
    x = _nearest(np.array(point[0] * columns / width), one.stride[1], one.size[1])
    return int(y), int(x)


def cell_centre(trace: Trace, one: NamedMap, cell: tuple[int, int]) -> tuple[float, float]:
    """The point (x, y) that a cell stands for, image frame."""
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    return cell[1] * one.stride[1] * width / columns, cell[0] * one.stride[0] * height / rows


def cells_table(
    trace: Trace, maps: Sequence[NamedMap], point: tuple[float, float], fields: ReceptiveFields | None
) -> pd.DataFrame:
    """One row for each map: the cell that stands for a point (x, y), image frame, and what it looks at.

    The receptive field is width × height in px, network frame; empty where `fields` do not know it.
    """
    rows = []
    for one in maps:
        y, x = cell_at(trace, one, point)
        field = None if fields is None else one.field(fields)
        known = field is not None and (len(field.rows), len(field.columns)) == one.size
        rows.append(
            {
                "map": one.label,
                "cell y, x": f"{y}, {x}",
                "stride, px": max(one.stride),
                "receptive field, px": size_words(field.box(y, x)) if field is not None and known else "",
                "norm": float(one.values[:, y, x].float().norm()),
            }
        )
    return pd.DataFrame(rows)


def map_layer(trace: Trace, one: NamedMap, values: Tensor, *, opacity: float) -> Tensor:
    """One map as a layer over the image, uint8 RGBA, each cell around the point that it stands for.

    Args:
        trace: for the sizes of the image.
        one: the map that `values` come from.
        values: float [h, w].
        opacity: of the layer, 0 to 1.
    """
    drawn = display_size(trace.input.image_size)
    rows, columns = (
        _nearest((np.arange(pixels) + 0.5) * side / pixels, stride, cells)
        for pixels, side, stride, cells in zip(
            drawn, trace.input.network_size, one.stride, one.size, strict=True
        )
    )
    colors = colorize(values)[np.ix_(rows, columns)]
    alpha = np.full(drawn, round(255 * opacity), dtype=np.uint8)
    return torch.from_numpy(np.dstack([colors, alpha]))


def _nearest(places: np.ndarray, stride: float, cells: int) -> np.ndarray:
    return np.floor(places / stride + 0.5).astype(int).clip(0, cells - 1)


def cell_groups(trace: Trace, one: NamedMap, cell: tuple[int, int], field: FieldMap | None) -> list[BoxGroup]:
    """The cell, and its receptive field where it is known; both cut at the image's edge, image frame."""
    y, x = cell
    (step_y, step_x), (height, width) = one.stride, trace.input.image_size
    square = torch.tensor([(x - 0.5) * step_x, (y - 0.5) * step_y, (x + 0.5) * step_x, (y + 0.5) * step_y])
    groups = []
    for box, name, dash, halo in (
        (None if field is None else field.box(y, x), "receptive field", "dash", DARK_HALO),
        (square, f"cell ({y}, {x})", "solid", LIGHT_HALO),
    ):
        if box is None:
            continue
        limit = torch.tensor([width, height, width, height], dtype=torch.float32)
        shown = torch.minimum(trace.to_image(box[None].float()).clamp(min=0), limit)
        if not bool((shown[:, 2:] > shown[:, :2]).all()):
            continue  # in the padding
        hover = f"{name} of {one.label}<br>{size_words(box)} px, network frame"
        groups.append(
            BoxGroup(shown, name, SELECTED, dash=dash, width=2.5, halo=halo, counted=False, hover=(hover,))  # type: ignore[arg-type]
        )
    return groups
