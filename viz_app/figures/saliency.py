"""What a logit hangs on, as colours: heat over the image, cells of the pyramid for and against, and occlusion.

Two scales, both told apart by colour-blind readers. What only has a size goes from clear to bright (viridis); what
has a sign goes from blue (against) through clear to vermillion (for).

Shapes: (H, W) image frame, (h, w) network frame before padding, (h_l, w_l) cells of level l.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import log2

import cv2
import numpy as np
import torch
from torch import Tensor

from detector.explaining.logits import AnyLogit, ClassLogit
from detector.explaining.occlusion import OcclusionMap
from detector.explaining.saliency import Saliency
from detector.tracing.trace import Trace
from viz_app.figures.backbone_maps import named_maps
from viz_app.figures.feature_maps import colorize
from viz_app.figures.palette import ACCENT, GREY, LIGHT_HALO, SELECTED, VERMILLION, YELLOW, rgba
from viz_app.figures.picture import BoxGroup

BRIGHTEST = 0.995
"""Quantile from which the heat is at its brightest: a few pixels would leave all others dark."""
BLUR = 1.5
"""Standard deviation, px, network frame, of the blur under which the heat is shown."""
_THUMBNAIL = 288
_GROUND = 0.45  # of a level's picture: how much of the grey image is left under white


def softened(values: Tensor) -> Tensor:
    """A map float [h, w] blurred by `BLUR` px: the gradient of a deep network jumps from pixel to pixel."""
    return torch.from_numpy(cv2.GaussianBlur(values.numpy(), (0, 0), BLUR))


def heat_bound(values: Tensor) -> float:
    """The value, never below zero, from which `heat_overlay` is at its brightest; of float [h, w].

    The quantile is that of the pixels that the logit hangs on at all.
    """
    some = values[torch.isfinite(values) & (values > 0)]
    return float(np.quantile(some.numpy(), BRIGHTEST)) if len(some) else 0.0


def heat_overlay(values: Tensor, opacity: float = 0.85) -> Tensor:
    """A map without sign, float [h, w], clear where it is zero; uint8 RGBA [h, w, 4]. NaN shows as `BROKEN`."""
    bound = heat_bound(values)
    unit = (values / bound if bound > 0 else values * 0).clamp(0, 1)
    alpha = np.round(255 * opacity * unit.nan_to_num(1.0).numpy() ** 0.8).astype(np.uint8)
    return torch.from_numpy(np.dstack((colorize(unit, 0, 1), alpha)))


def signed_bound(values: Tensor) -> float:
    """The greatest finite magnitude, which gets the full colour on either side."""
    finite = values[torch.isfinite(values)]
    return float(finite.abs().max()) if finite.numel() else 0.0


def signed_overlay(values: Tensor, opacity: float = 0.9, bound: float | None = None) -> Tensor:
    """A map with a sign, float [h, w]: vermillion above zero, blue below, clear at zero; uint8 RGBA [h, w, 4].

    Args:
        values: the map; NaN is yellow, which is nowhere on the scale.
        opacity: of the strongest.
        bound: magnitude that gets it; the map's own greatest by default.
    """
    bound = signed_bound(values) if bound is None else bound
    unit = (values / bound if bound > 0 else values * 0).clamp(-1, 1).numpy()
    colors = np.where((unit >= 0)[..., None], rgba(VERMILLION)[0], rgba(ACCENT)[0]).astype(np.uint8)
    colors[np.isnan(unit)] = rgba(YELLOW)[0]
    strength = np.nan_to_num(np.abs(unit), nan=1.0) ** 0.7
    return torch.from_numpy(np.dstack((colors, np.round(255 * opacity * strength).astype(np.uint8))))


def covering_map(found: OcclusionMap) -> Tensor:
    """For each pixel the mean drop of the patches that cover it, float [h, w]; zero where none did."""
    sums, counts = np.zeros(found.size), np.zeros(found.size)
    drops = found.drops.flatten().tolist()
    for drop, (x1, y1, x2, y2) in zip(drops, found.boxes.reshape(-1, 4).long().tolist(), strict=True):
        sums[y1:y2, x1:x2] += drop
        counts[y1:y2, x1:x2] += 1
    return torch.from_numpy(sums / np.maximum(counts, 1)).float()


def level_labels(trace: Trace, levels: Mapping[str, Tensor]) -> dict[str, str]:
    """What each map of the pyramid is called in the papers, such as `P3`, by its name in the trace."""
    known = {one.key: one.label for one in named_maps(trace) if one.level is not None}
    letter, side = "P" if len(levels) > 1 else "C", trace.input.tensor.shape[-1]
    return {
        name: known.get(name, f"{letter}{round(log2(side // values.shape[-1]))}")
        for name, values in levels.items()
    }


def level_picture(trace: Trace, values: Tensor, bound: float, about: AnyLogit) -> np.ndarray:
    """The cells of one map, for and against, over the pale surroundings of the box; uint8 RGB.

    Each cell is painted around the point that it stands for.

    Args:
        trace: the image.
        values: of the cells, float [h_l, w_l].
        bound: magnitude that gets the full colour.
        about: the logit; its box is framed.
    """
    x1, y1, x2, y2 = (trace.to_image(surroundings(trace, about)[None])[0]).round().int().tolist()
    image = trace.input.pixels[:, y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)].permute(1, 2, 0).cpu().numpy()
    scale = _THUMBNAIL / max(image.shape[:2])
    size = max(round(image.shape[0] * scale), 1), max(round(image.shape[1] * scale), 1)
    grey = cv2.cvtColor(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    ground = np.repeat((255 - (255 - grey.astype(np.float32)) * _GROUND)[..., None], 3, axis=2)
    layer = signed_overlay(values, 1.0, bound).numpy().astype(np.float32)
    layer = layer[
        np.ix_(_cells(trace, values, 0, y1, y2, size[0]), _cells(trace, values, 1, x1, x2, size[1]))
    ]
    alpha = layer[..., 3:] / 255
    drawn = np.round(layer[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)
    corners = (about_group(trace, about).boxes[0] - torch.tensor([x1, y1, x1, y1])) * scale
    left, top, right, bottom = corners.round().int().tolist()
    return cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), rgba(SELECTED)[0], 2, cv2.LINE_AA)


def _cells(trace: Trace, values: Tensor, axis: int, first: int, end: int, count: int) -> np.ndarray:
    """The row or column of cells that each of `count` pixels between two places of the image shows."""
    stride = trace.input.tensor.shape[axis + 1] // values.shape[axis]
    places = first + (np.arange(count) + 0.5) * max(end - first, 1) / count
    places *= trace.input.network_size[axis] / trace.input.image_size[axis]
    return np.floor(places / stride + 0.5).astype(int).clip(0, values.shape[axis] - 1)


def surroundings(trace: Trace, about: AnyLogit) -> Tensor:
    """The box with as much again on every side, 16 px at the least, float [4], network frame, within the image.

    The whole image for a box outside of it.
    """
    height, width = trace.input.network_size
    whole = torch.tensor([0.0, 0.0, width, height])
    box = box_of(trace, about).detach().cpu().float()
    margin = (box[2:] - box[:2]).clamp(min=16)
    grown = torch.minimum(torch.cat((box[:2] - margin, box[2:] + margin)).clamp(min=0), whole[2:].repeat(2))
    return grown if bool((grown[2:] - grown[:2] >= 1).all()) else whole


def box_of(trace: Trace, about: AnyLogit) -> Tensor:
    """The RoI or the anchor that a logit is about, float [4], network frame."""
    return about.box if isinstance(about, ClassLogit) else trace.rpn.anchors[about.anchor]


def about_group(trace: Trace, about: AnyLogit) -> BoxGroup:
    """That box on the picture, image frame."""
    height, width = trace.input.image_size
    limit = torch.tensor([width, height, width, height], dtype=torch.float32)
    box = trace.to_image(box_of(trace, about).detach().cpu().float()[None])
    name = "the RoI, held fixed" if isinstance(about, ClassLogit) else "the anchor"
    shown = torch.minimum(box.clamp(min=0), limit)
    return BoxGroup(shown, name, SELECTED, width=2, halo=LIGHT_HALO, counted=False)


def shares_words(found: Saliency) -> dict[str, str]:
    """Share of each level as people read it, such as `100%`, `0.4%` or `0%`, by its name in the trace."""
    return {
        name: f"{share:.0%}" if share in (0, 1) else f"{share:.1%}" for name, share in found.shares.items()
    }


def covered_group(trace: Trace, found: OcclusionMap) -> BoxGroup:
    """The area that the patch slid over, image frame."""
    boxes = found.boxes.reshape(-1, 4)
    area = torch.cat((boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)))
    name = f"covered by patches of {found.patch} px"
    return BoxGroup(
        trace.to_image(area[None]), name, GREY, dash="dot", width=1.5, halo=LIGHT_HALO, counted=False
    )


def signed_scale_html(low: str, high: str) -> str:
    """One line of HTML with the colours of a map with a sign and what its two ends mean."""
    bar = f"background:linear-gradient(90deg,{ACCENT},#f2f2f2,{VERMILLION});height:8px;width:9em"
    row = "display:flex;align-items:center;gap:0.5em;font-size:0.875rem;flex-wrap:wrap"
    faint = '<span style="opacity:0.75">'
    return (
        f'<div style="{row}">{faint}{escape(low)}</span>'
        f'<span style="{bar};border-radius:4px"></span>{faint}{escape(high)}</span></div>'
    )
