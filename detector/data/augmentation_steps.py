"""The changes that a training image can go through, each with its boxes: torchvision's v2 operations, own draws.

Shapes: `G` objects; boxes xyxy [G, 4] in the image frame, sizes are (height, width). Every draw comes from the
generator that is given: torchvision's own transforms would draw from torch's global random state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou
from torchvision.transforms.v2 import functional as F

from detector.data.items import as_boxes

LEAST_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
_TRIALS = 40
# The mean that torchvision's detectors subtract: padding of this colour is 0 to the network, as its own padding is.
_GREY = (124.0, 116.0, 104.0)
# (operation, value that changes nothing, largest distance from it at strength 1)
_COLOURS = (
    (F.adjust_brightness, 1.0, 0.5),
    (F.adjust_contrast, 1.0, 0.5),
    (F.adjust_saturation, 1.0, 0.5),
    (F.adjust_hue, 0.0, 0.1),
)


def uniform(generator: torch.Generator) -> float:
    """A number from 0 up to, but not, 1, drawn from `generator`."""
    return float(torch.rand(1, generator=generator, dtype=torch.float64))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Pixels [3, H, W], their `BoundingBoxes` [G, 4], and which objects of the sample these are, int64 [G]."""

    pixels: Tensor
    boxes: Tensor
    kept: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]


def flipped(view: View) -> View:
    """Left and right exchanged."""
    return View(F.horizontal_flip(view.pixels), F.horizontal_flip(view.boxes), view.kept)


def coloured(view: View, strength: float, generator: torch.Generator) -> View:
    """Brightness, contrast, saturation and hue, in an order that is drawn, too."""
    if strength == 0:
        return view
    pixels = view.pixels
    for number in torch.randperm(len(_COLOURS), generator=generator).tolist():
        change, neutral, reach = _COLOURS[number]
        pixels = change(pixels, neutral + reach * strength * (2 * uniform(generator) - 1))
    return View(pixels, view.boxes, view.kept)


def zoomed(view: View, factor: float, generator: torch.Generator) -> View:
    """The image scaled about a place that is drawn, in a canvas of its own size."""
    height, width = view.size
    scaled = [max(1, round(height * factor)), max(1, round(width * factor))]
    pixels, boxes = F.resize(view.pixels, scaled, antialias=True), F.resize(view.boxes, scaled)
    spare = scaled[0] - height, scaled[1] - width
    top, left = (int(uniform(generator) * (abs(room) + 1)) for room in spare)
    if factor > 1:
        window = top, left, height, width
        return View(F.crop(pixels, *window), F.crop(boxes, *window), view.kept)
    border = [left, top, -spare[1] - left, -spare[0] - top]  # left, top, right, bottom
    fill = [value if pixels.dtype == torch.uint8 else value / 255 for value in _GREY]
    return View(F.pad(pixels, border, fill=fill), F.pad(boxes, border), view.kept)


def crop_window(
    boxes: Tensor, size: tuple[int, int], generator: torch.Generator
) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of a random crop as SSD draws it (Liu et al. 2016, section 2.2).

    A least overlap is drawn from `LEAST_OVERLAPS`; then crops of 0.3 to 1 of each side, of ratios from 1/2 to 2,
    until one holds the centre of an object and overlaps one of those objects at least so much (IoU).

    Args:
        boxes: float [G, 4] xyxy, in an image of `size` (H, W).
        generator: every draw comes from it.

    Returns:
        None where no crop was found in 40 trials, or where there is no object.
    """
    if len(boxes) == 0:
        return None
    least = LEAST_OVERLAPS[int(torch.randint(len(LEAST_OVERLAPS), (1,), generator=generator))]
    plain = boxes.as_subclass(Tensor)
    for _ in range(_TRIALS):
        shares = (0.3 + 0.7 * torch.rand(2, generator=generator)).tolist()
        places = torch.rand(2, generator=generator).tolist()
        height, width = (max(1, int(side * share)) for side, share in zip(size, shares, strict=True))
        if not 0.5 <= width / height <= 2:
            continue
        top, left = int((size[0] - height) * places[0]), int((size[1] - width) * places[1])
        inside = _centres_inside(plain, (top, left, height, width))
        window = torch.tensor([[left, top, left + width, top + height]], dtype=plain.dtype)
        if inside.any() and float(box_iou(plain[inside], window).max()) >= least:
            return top, left, height, width
    return None


def _centres_inside(boxes: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    """Bool [G]: boxes whose centre lies in the window (top, left, height, width)."""
    top, left, height, width = window
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return (x > left) & (x < left + width) & (y > top) & (y < top + height)


def cropped(view: View, window: tuple[int, int, int, int]) -> View:
    """The window (top, left, height, width) with the objects whose centre lies in it."""
    keep = _centres_inside(view.boxes.as_subclass(Tensor), window)
    inside = as_boxes(view.boxes[keep], view.size)
    return View(F.crop(view.pixels, *window), F.crop(inside, *window), view.kept[keep])


def cleaned(view: View, smallest: float) -> View:
    """Boxes clipped to the image; those without an area, or with a side below `smallest`, dropped."""
    boxes = F.clamp_bounding_boxes(view.boxes)
    sides = (boxes[:, 2:] - boxes[:, :2]).as_subclass(Tensor).amin(dim=1)
    keep = (sides > 0) & (sides >= smallest)
    return View(view.pixels, as_boxes(boxes[keep], view.size), view.kept[keep])
