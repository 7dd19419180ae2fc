"""How training images are varied: flips, scales, colours and crops, with the boxes following.

Boxes xyxy [G, 4] in the image frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Which changes a training image may go through; each is drawn anew for every image and epoch.

    Args:
        flip: probability of a left-right flip.
        scale: (smallest, largest) factor by which the image is scaled before the detector resizes it; (1, 1) is
            none. A scaled image keeps its size: what grows is cut off at the border, what shrinks is padded.
        colour: strength from 0 (none) to 1 of changes in brightness, contrast, saturation and hue.
        crop: probability of a random crop that keeps the centre of at least one object (SSD's crop).
        smallest_side: px; boxes with a shorter side after a crop or scaling are dropped.

    Raises:
        ValueError: a probability outside 0..1, a scale that is not positive or in the wrong order.
    """

    flip: float = 0.5
    scale: tuple[float, float] = (1.0, 1.0)
    colour: float = 0.0
    crop: float = 0.0
    smallest_side: float = 2.0

    def __post_init__(self) -> None:
        for name in ("flip", "colour", "crop"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"the augmentation's {name} is {getattr(self, name)}; expected 0 to 1")
        low, high = self.scale
        if not (0 < low <= high < math.inf):
            raise ValueError(
                f"the augmentation's scale is {self.scale}; expected (smallest, largest) above 0"
            )
        if not (math.isfinite(self.smallest_side) and self.smallest_side >= 0):
            raise ValueError(f"the augmentation's smallest_side is {self.smallest_side}; expected 0 or more")
