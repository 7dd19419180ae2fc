"""The record of one scene of the shapes world.

Shapes: `G` objects; boxes float32 [G, 4] xyxy in the image frame, x2 and y2 one past the last visible pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHAPE_CATEGORIES = ("background", "circle", "triangle", "square", "star", "cross", "ring")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A drawn image and the objects in it.

    Args:
        pixels: uint8 [H, W, 3], RGB.
        boxes: float32 [G, 4], xyxy, the exact bounds of the visible pixels.
        labels: int64 [G], indices into `SHAPE_CATEGORIES`.
        visible: float32 [G], visible pixels / pixels of the whole shape, also those outside the image.
        covered: float32 [G], share of the pixels inside the image that something else covers.
        contrast: float32 [G], largest difference in R, G or B between the mean of the visible pixels and
            the mean of a ring of 4 px around the shape, 0 to 1.
        sizes: float32 [G], longer side of the whole shape in pixels.
        owner: int16 [H, W], for each pixel the object it shows, -1 where it shows none.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    visible: NDArray[np.float32]
    covered: NDArray[np.float32]
    contrast: NDArray[np.float32]
    sizes: NDArray[np.float32]
    owner: NDArray[np.int16]
