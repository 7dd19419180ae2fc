"""What a logit loses where the image is covered: the slow check of the gradient.

A grey patch slides over the network's input, and the model looks anew at every place (Zeiler and Fergus 2014,
"Visualizing and Understanding Convolutional Networks", section 4.2). The gradient says what an infinitesimal change
would do; this says what covering does.

Shapes: (h, w) network frame before padding, [rows, cols] places of the patch. Boxes are xyxy in the **network**
frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.explaining.logits import AnyLogit, network_input, pyramid_maps
from detector.tracing.looking import looking

if TYPE_CHECKING:
    from detector.models.detector import Detector
    from detector.tracing.trace import Trace

PIXELS_AT_ONCE = 2**20
"""Pixels of the inputs that run through the model together: bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionMap:
    """What one logit loses to a patch.

    Args:
        about: the logit.
        value: the logit of the uncovered image.
        drops: float [rows, cols]: `value` less the logit under the patch; negative where covering raises it.
        tops: int64 [rows], first covered row of pixels of each row of places.
        lefts: int64 [cols], the same along x.
        patch: side of the patch, px, network frame; cut at the end of the region.
        size: (h, w).
        end: (bottom, right) of the region, the first row and column of pixels that no patch covers.
    """

    about: AnyLogit
    value: float
    drops: Tensor
    tops: Tensor
    lefts: Tensor
    patch: int
    size: tuple[int, int]
    end: tuple[int, int]

    @property
    def boxes(self) -> Tensor:
        """What the patch covers at each place, float [rows, cols, 4], network frame."""
        top, left = torch.meshgrid(self.tops, self.lefts, indexing="ij")
        last_row, last_column = self.end
        right, bottom = (left + self.patch).clamp(max=last_column), (top + self.patch).clamp(max=last_row)
        return torch.stack((left, top, right, bottom), dim=-1).float()


def occlusion_map(
    detector: Detector,
    trace: Trace,
    about: AnyLogit,
    *,
    patch: int,
    stride: int,
    region: Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OcclusionMap:
    """Cover the image with a patch of its mean colour, place by place, and ask for the same logit again.

    The box or anchor of the logit stays where it is. The model is left as it was; its lock is given back between
    the batches, so that others can look meanwhile. The same arguments give the same numbers.

    Args:
        detector: what the trace was captured from.
        trace: the image.
        about: `ClassLogit(box, label)` or `ObjectnessLogit(anchor)`.
        patch: side, px, network frame.
        stride: from place to place, px, network frame; the last row and column end at the edge.
        region: float [4], network frame; the patch stays inside of it. The whole image by default.
        progress: told how many places of how many are done, after each batch; what it raises ends the map.

    Raises:
        ValueError: a patch or stride below 1, a region outside the image, or what the logit itself refuses.
    """
    if patch < 1 or stride < 1:
        raise ValueError(f"patch is {patch} and stride {stride}; expected 1 px or more")
    size = trace.input.network_size
    x1, y1, x2, y2 = _whole_pixels(region, size)
    tops, lefts = _starts(y1, y2, patch, stride), _starts(x1, x2, patch, stride)
    source = network_input(detector, trace)
    grey = source[:, : size[0], : size[1]].mean(dim=(1, 2))
    value = float(_ask(detector, trace, about, source[None]))
    covers = [(slice(y, min(y + patch, y2)), slice(x, min(x + patch, x2))) for y in tops for x in lefts]
    batch = max(PIXELS_AT_ONCE // source[0].numel(), 1)
    logits: list[Tensor] = []
    for start in range(0, len(covers), batch):
        some = covers[start : start + batch]
        logits.append(_ask(detector, trace, about, _covered(source, grey, some)))
        if progress is not None:
            progress(start + len(some), len(covers))
    drops = value - torch.cat(logits).float().cpu().reshape(len(tops), len(lefts))
    return OcclusionMap(about, value, drops, torch.tensor(tops), torch.tensor(lefts), patch, size, (y2, x2))


def _whole_pixels(region: Tensor | None, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The pixels of the image that the region touches: first ones, and the ones after the last."""
    height, width = size
    if region is None:
        return 0, 0, width, height
    low, high = region[:2].floor().long().tolist(), region[2:].ceil().long().tolist()
    x1, y1, x2, y2 = max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)
    if x2 <= x1 or y2 <= y1:
        raise ValueError(
            f"the region is {region.tolist()}; expected some of the {width} x {height} px of the image"
        )
    return x1, y1, x2, y2


def _starts(first: int, end: int, patch: int, stride: int) -> list[int]:
    """Where the patch begins along one axis, so that it stays within [first, end) and reaches both ends."""
    last = max(end - patch, first)
    return [*range(first, last, stride), last]


def _covered(source: Tensor, grey: Tensor, covers: list[tuple[slice, slice]]) -> Tensor:
    copies = source.repeat(len(covers), 1, 1, 1)
    for copy, (rows, columns) in zip(copies, covers, strict=True):
        copy[:, rows, columns] = grey[:, None, None]
    return copies


def _ask(detector: Detector, trace: Trace, about: AnyLogit, inputs: Tensor) -> Tensor:
    """The logit of each of B inputs, float [B]."""
    with looking(detector.model):
        return about.ask(detector.model, pyramid_maps(detector.model, inputs.clone()), trace).logit
