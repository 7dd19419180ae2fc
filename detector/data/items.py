"""What every data set here gives: one image with its objects."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchvision import tv_tensors

# (pixels uint8 [3, H, W] RGB, target with at least `boxes`, `labels` and `image_id`)
Sample = tuple[Tensor, dict[str, Any]]


def as_boxes(boxes: Tensor, size: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    """Boxes float [G, 4] xyxy in an image of `size` (H, W), as torchvision's transforms want them."""
    return tv_tensors.BoundingBoxes(  # pyright: ignore[reportCallIssue]
        boxes,  # pyright: ignore[reportArgumentType]
        format=tv_tensors.BoundingBoxFormat.XYXY,
        canvas_size=size,
    )
