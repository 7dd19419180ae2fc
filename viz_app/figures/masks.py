"""Masks of Mask R-CNN: raw as the head gives them, and pasted into the image.

Shapes: `M` detections, `K` categories with background, (H, W) pixels of the image. A mask exists for what the
model itself detected; under other thresholds a detection may have none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from viz_app.figures.feature_maps import cell_heatmap
from viz_app.figures.palette import category_color
from viz_app.figures.picture import display_size

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from torch import Tensor

    from detector.tracing.replay import Replay

INSIDE = 0.5
"""Probability from which a pixel belongs to the mask, as in the Mask R-CNN paper."""

MOST = 30
_FILL, _EDGE = 110, 235


def captured_place(replay: Replay) -> list[int]:
    """For each of the M detections of a replay its place among those of the capture, -1 where it is new.

    The same anchor and the same category are the same class slot, whatever the thresholds.
    """
    trace = replay.trace
    rois, labels = trace.detections.roi.tolist(), trace.detections.labels.tolist()
    anchors = trace.head.anchor.tolist()
    known = {
        (anchors[roi], label): place
        for place, (roi, label) in enumerate(zip(rois, labels, strict=True))
        if roi >= 0
    }
    own = replay.head.anchor[replay.rois].tolist()
    return [known.get(pair, -1) for pair in zip(own, replay.labels.tolist(), strict=True)]


def mask_overlay(replay: Replay, detections: Collection[int] | None = None) -> Tensor | None:
    """Pasted masks as a layer over the image, uint8 [h, w, 4] RGBA; None where there is none to show.

    Args:
        replay: whose detections.
        detections: which of them; the `MOST` best by default. A colour for each, the best on top.
    """
    masks = replay.trace.detections.masks
    if masks is None:
        return None
    size = display_size(replay.trace.input.image_size)
    return layered(
        replay,
        detections,
        size,
        lambda layer, place, color: _paint(layer, _pasted(masks[place, 0], size), color),
    )


def layered(
    replay: Replay,
    detections: Collection[int] | None,
    size: tuple[int, int],
    paint: Callable[[np.ndarray, int, str], None],
) -> Tensor | None:
    """A layer, uint8 [h, w, 4] RGBA, on which the best detection is painted last; None where there is none.

    Args:
        replay: whose detections.
        detections: which of them; the `MOST` best by default.
        size: h and w.
        paint: paints one detection in a colour, given its place among those of the capture.
    """
    places = captured_place(replay)
    asked = range(min(len(places), MOST)) if detections is None else detections
    shown = [index for index in asked if places[index] >= 0]
    layer = np.zeros((*size, 4), dtype=np.uint8)
    for index in sorted(shown, reverse=True):
        paint(layer, places[index], category_color(index))
    return torch.from_numpy(layer) if shown else None


def raw_mask(replay: Replay, detection: int) -> Tensor | None:
    """Probabilities [28, 28] of one detection's own category, before pasting; None where it has no mask."""
    logits, place = replay.trace.detections.mask_logits, captured_place(replay)[detection]
    if logits is None or place < 0:
        return None
    return logits[place, int(replay.labels[detection])].float().sigmoid()


def mask_figure(replay: Replay, detection: int) -> go.Figure | None:
    """The raw mask with every value under the pointer."""
    raw = raw_mask(replay, detection)
    if raw is None:
        return None
    figure = cell_heatmap(raw, height=320, unit="probability of the mask")
    figure.update_traces(zmin=0, zmax=1, xgap=0, ygap=0)
    return figure


def _pasted(mask: Tensor, size: tuple[int, int]) -> np.ndarray:
    """float [H, W] read at the centres of `size` pixels."""
    rows, columns = (
        ((torch.arange(shown) + 0.5) * whole / shown).long()
        for shown, whole in zip(size, mask.shape, strict=True)
    )
    return mask[rows][:, columns].detach().float().cpu().numpy()


def _paint(layer: np.ndarray, mask: np.ndarray, color: str) -> None:
    """Fill the mask with a colour and draw its edge, in place."""
    inside = (mask >= INSIDE).astype(np.uint8)
    edge = inside - cv2.erode(
        inside, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    rgb = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    layer[inside > 0] = [*rgb, _FILL]
    layer[edge > 0] = [*rgb, _EDGE]
