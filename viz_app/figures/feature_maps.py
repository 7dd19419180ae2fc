"""Feature maps as pictures: a colour for every value, laid over the image, or as a grid of small maps.

Shapes: `C` channels, (h, w) cells. The colour map (viridis) is perceptually uniform: equal steps of a value
look equal, also to colour-blind readers and in print.
"""

from __future__ import annotations

from html import escape
from typing import Literal

import cv2
import numpy as np
import plotly.graph_objects as go
import torch
from plotly.colors import sequential
from torch import Tensor

from viz_app.figures.charts import calm

Reduction = Literal["mean", "max", "energy", "norm"]
REDUCTIONS: tuple[Reduction, ...] = ("energy", "mean", "max")
BROKEN = (213, 94, 0)
"""RGB of a value that is not finite (vermillion): nowhere in viridis, so that it cannot pass for a value."""
_GAP = 1


def reduce_channels(maps: Tensor, how: Reduction) -> Tensor:
    """One map [h, w] of float [C, h, w]: mean, maximum, energy (root mean square) or L2 norm over channels."""
    maps = maps.float()
    if how == "mean":
        return maps.mean(dim=0)
    if how == "max":
        return maps.amax(dim=0)
    if how == "norm":
        return maps.norm(dim=0)
    return maps.square().mean(dim=0).sqrt()


def channels_by_energy(maps: Tensor) -> Tensor:
    """Channel indices, int64 [C], of float [C, h, w], the most active channel first."""
    return channel_energy(maps).argsort(descending=True, stable=True)


def channel_energy(maps: Tensor) -> Tensor:
    """Root mean square over the cells, float [C], of float [C, h, w]."""
    return maps.float().square().mean(dim=(1, 2)).sqrt()


def colorize(values: Tensor, low: float | None = None, high: float | None = None) -> np.ndarray:
    """A map [h, w] as uint8 RGB [h, w, 3]; `low` and `high` become the two ends (its own by default).

    NaN and infinity are painted `BROKEN`.
    """
    plain = values.detach().float().cpu().numpy()
    own = finite_range(values)
    low, high = own[0] if low is None else low, own[1] if high is None else high
    finite = np.isfinite(plain)
    unit = np.clip((np.where(finite, plain, low) - low) / max(high - low, 1e-12), 0, 1)
    colors = cv2.applyColorMap((unit * 255).round().astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    rgb = cv2.cvtColor(colors, cv2.COLOR_BGR2RGB)
    rgb[~finite] = BROKEN
    return rgb


def finite_range(values: Tensor) -> tuple[float, float]:
    """Lowest and highest finite value; zeros where there is none."""
    finite = values[torch.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 0.0)


def overlay(pixels: Tensor, values: Tensor, covered: tuple[float, float], opacity: float = 0.6) -> np.ndarray:
    """A feature map over the image, uint8 RGB [H, W, 3].

    Args:
        pixels: uint8 [3, H, W].
        values: float [h, w], a map of the padded network input.
        covered: which part of the map's height and width the image fills, each in (0, 1]; the rest is
            padding and cut off (`covered_by_image`).
        opacity: of the map.
    """
    image = np.ascontiguousarray(pixels.detach().cpu().permute(1, 2, 0).numpy())
    height, width = image.shape[:2]
    colors = colorize(values)
    # Stretched as a whole first: the image's edge need not fall between two cells.
    whole = (round(width / covered[1]), round(height / covered[0]))
    stretched = cv2.resize(colors, whole, interpolation=cv2.INTER_NEAREST)[:height, :width]
    return cv2.addWeighted(stretched, opacity, image, 1 - opacity, 0)


def covered_by_image(network_size: tuple[int, int], tensor_shape: tuple[int, ...]) -> tuple[float, float]:
    """Part of the padded input's height and width that holds the image: (h, w) against [..., h', w']."""
    return network_size[0] / tensor_shape[-2], network_size[1] / tensor_shape[-1]


def channel_grid(maps: Tensor, channels: Tensor, columns: int = 8, cell: int = 35) -> np.ndarray:
    """Some channels of float [C, h, w] as a grid of small maps, each with its own range; uint8 RGBA.

    Args:
        maps: feature maps.
        channels: int64 [n], which to show, row by row.
        columns: maps in a row.
        cell: side of each small map, px.
    """
    rows = -(-len(channels) // columns)
    pitch = cell + _GAP
    # Gaps are transparent: the ground may be light or dark.
    canvas = np.zeros((rows * pitch - _GAP, columns * pitch - _GAP, 4), dtype=np.uint8)
    for place, channel in enumerate(channels.tolist()):
        top, left = place // columns * pitch, place % columns * pitch
        small = cv2.resize(colorize(maps[channel]), (cell, cell), interpolation=cv2.INTER_NEAREST)
        canvas[top : top + cell, left : left + cell, :3] = small
        canvas[top : top + cell, left : left + cell, 3] = 255
    return canvas


def thumbnail(values: Tensor, side: int = 256) -> np.ndarray:
    """A map [h, w] as uint8 RGB whose cells stay sharp when it is shown up to `side` pixels wide or high."""
    colors = colorize(values)
    scale = max(side // max(colors.shape[:2]), 1)
    return colors.repeat(scale, axis=0).repeat(scale, axis=1)


def cell_heatmap(values: Tensor, *, height: int = 280, unit: str = "activation") -> go.Figure:
    """A small map [h, w], such as 7 x 7, with every value under the pointer."""
    heat = go.Heatmap(
        z=values.detach().float().cpu().numpy(), colorscale="Viridis", xgap=1, ygap=1, name=unit,
        hovertemplate=f"cell y %{{y}}, x %{{x}}<br>{unit} %{{z:.4f}}<extra></extra>",
        colorbar={"thickness": 8, "outlinewidth": 0, "len": 0.9},
    )  # fmt: skip
    figure = calm(go.Figure(heat), height=height)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return figure


def viridis_scale_html(low: float, high: float, name: str) -> str:
    """One line of HTML with the colours of a map and the values at both ends, for below a picture."""
    bar = f"background:linear-gradient(90deg,{','.join(sequential.Viridis)});height:8px;width:9em"
    row = "display:flex;align-items:center;gap:0.5em;font-size:0.875rem"
    return (
        f'<div style="{row}"><span style="opacity:0.75">{escape(name)} {low:.3g}</span>'
        f'<span style="{bar};border-radius:4px"></span><span style="opacity:0.75">{high:.3g}</span></div>'
    )
