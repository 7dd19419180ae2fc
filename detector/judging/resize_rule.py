"""What torchvision's resize does to images of a size, computed from its settings alone.

The rule is that of `GeneralizedRCNNTransform` in eval mode (`_resize_image_and_masks`, `resize_boxes` and
`batch_images`): a thousand times quicker than to ask it with an empty image, and the same to the last bit.

Sizes are (height, width).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform

if TYPE_CHECKING:
    from torch import Tensor, nn

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Resize:
    """What a transform does to images of one size.

    Args:
        padded, size: (h, w) afterwards, with padding and without.
        scale: float32 [4], what it multiplies xyxy boxes by; None where it does something else to them.
    """

    padded: Size
    size: Size
    scale: Tensor | None


def resize_of(transform: nn.Module, size: Size) -> Resize | None:
    """The resize of one image; None where the transform must be asked, because it is not torchvision's own.

    Args:
        transform: of a model.
        size: (H, W) of the image.
    """
    if type(transform) is not GeneralizedRCNNTransform or transform._forward_hooks:
        return None
    resized = _resized(transform, size)
    if min(resized) < 1:
        return None  # the transform itself refuses such an image
    ratios = [
        torch.tensor(float(new)) / torch.tensor(float(old)) for new, old in zip(resized, size, strict=True)
    ]
    step = transform.size_divisible
    padded = math.ceil(resized[0] / step) * step, math.ceil(resized[1] / step) * step
    return Resize(padded, resized, torch.stack((ratios[1], ratios[0], ratios[1], ratios[0])))


def _resized(transform: GeneralizedRCNNTransform, size: Size) -> Size:
    own: Any = transform  # its annotations call a tuple a number
    if own.fixed_size is not None:
        return own.fixed_size[1], own.fixed_size[0]
    scale = min(own.min_size[-1] / min(size), own.max_size / max(size))
    return math.floor(float(size[0] * scale)), math.floor(float(size[1] * scale))
