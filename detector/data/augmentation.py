"""How training images are varied: flips, scales, colours and crops, with the boxes following.

Shapes: `G` objects; boxes xyxy [G, 4] in the image frame.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from detector.data.augmentation_steps import (
    View,
    cleaned,
    coloured,
    crop_window,
    cropped,
    flipped,
    uniform,
    zoomed,
)
from detector.data.items import as_boxes

if TYPE_CHECKING:
    from detector.data.items import Sample


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


def draws_of(seed: int, epoch: int, index: int) -> torch.Generator:
    """A generator of its own for one image in one epoch: the same three numbers give the same draws anywhere.

    Args:
        seed: of the run.
        epoch, index: of the pass and of the image in its data set; workers and processes do not matter.
    """
    digest = hashlib.sha256(f"augmentation {seed} {epoch} {index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


def augmented(sample: Sample, augmentation: Augmentation, generator: torch.Generator) -> Sample:
    """One training image, varied; its boxes follow the pixels, and what is left of them is cleaned.

    Boxes are clipped to the image. Dropped are those without an area, those with a side below `smallest_side` after
    a scaling or crop, and those whose centre a crop leaves outside, with all that the target holds per object.
    Every draw comes from `generator`; torch's own random state is neither read nor moved.

    Args:
        sample: pixels uint8 or float [3, H, W], and a target with `boxes` (xyxy [G, 4]) and more.
        augmentation: what may change.
        generator: on the CPU; see `draws_of`.

    Returns:
        A new sample. A scaled image keeps its size, a crop is smaller; the given sample is left as it is.

    Raises:
        ValueError: the target holds masks or keypoints, which would not follow.
    """
    if {"masks", "keypoints"} & set(sample[1]):
        raise ValueError("the target holds masks or keypoints; only boxes can be augmented")
    pixels, plain = sample[0], sample[1]["boxes"].as_subclass(Tensor)
    view = View(pixels, as_boxes(plain, (pixels.shape[1], pixels.shape[2])), torch.arange(len(plain)))
    view = coloured(view, augmentation.colour, generator)
    low, high = augmentation.scale
    factor = low + (high - low) * uniform(generator)
    smallest = 0.0
    if factor != 1:
        view, smallest = zoomed(view, factor, generator), augmentation.smallest_side
    if uniform(generator) < augmentation.crop:
        ignored = sample[1].get("iscrowd", torch.zeros(len(view.kept), dtype=torch.bool))
        window = crop_window(view.boxes[~ignored], view.size, generator)
        if window is not None:
            view, smallest = cropped(view, window), augmentation.smallest_side
    if uniform(generator) < augmentation.flip:
        view = flipped(view)
    return _with_target(cleaned(view, smallest), sample[1])


def _with_target(view: View, target: dict[str, Any]) -> Sample:
    """The target's entries per object follow which objects are left; all others stay."""
    count = len(target["boxes"])
    follow = {
        key: value[view.kept] if _per_object(key, value, count) else value
        for key, value in target.items()
        if key != "boxes"
    }
    pixels = view.pixels.as_subclass(Tensor).contiguous()
    return pixels, {"boxes": as_boxes(view.boxes.as_subclass(Tensor), view.size), **follow}


def _per_object(key: str, value: object, count: int) -> bool:
    return key != "image_id" and isinstance(value, Tensor) and value.ndim > 0 and len(value) == count
