"""Where a model's anchors lie for an image of a given size, found without running its network.

The shapes of the feature maps come from the backbone itself on PyTorch's meta device, which computes shapes and
nothing else; the resize and the anchors come from the model's own transform and generator.

Shapes: `N` anchors, `G` objects, `L` levels. Boxes are xyxy; each says its frame.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.func import functional_call
from torchvision.models.detection.image_list import ImageList

from detector.judging.resize_rule import Resize, resize_of
from detector.tracing.looking import looking

if TYPE_CHECKING:
    from detector.models.detector import TwoStageModel

Size = tuple[int, int]
_KEPT = 8


@dataclass(frozen=True, slots=True, eq=False)
class AnchorGrid:
    """The anchors for one size of the padded network input.

    Args:
        anchors: float [N, 4], network frame.
        maps: names of the levels, finest first as a rule.
        strides: (vertical, horizontal) pixels between cells, one for each level.
    """

    anchors: Tensor
    maps: tuple[str, ...]
    strides: tuple[Size, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One image after the model's resize.

    Args:
        grid: its anchors.
        boxes: float [G, 4], the objects in the network frame.
        size: (h, w) after the resize, before the padding.
    """

    grid: AnchorGrid
    boxes: Tensor
    size: Size


class AnchorGrids:
    """The anchors of one model, for images of any size.

    The model is only looked at: its parameters, flags and anchors stay as they are.

    Args:
        model: the model.
    """

    def __init__(self, model: TwoStageModel) -> None:
        self._model = model
        self._known: OrderedDict[Size, AnchorGrid] = OrderedDict()
        self._resizes: dict[Size, Resize] = {}

    def place(self, size: Size, boxes: Tensor) -> Placed:
        """What the model's own transform makes of an image and its boxes.

        Args:
            size: (H, W) of the image.
            boxes: float [G, 4], image frame.
        """
        known, moved = self._moved(size, boxes)
        return Placed(self._grid(known.padded), moved, known.size)

    def resized(self, size: Size, boxes: Tensor) -> tuple[Tensor, Size]:
        """The boxes [G, 4] in the network frame, and (h, w) of the resized image; without any anchors.

        Args:
            size, boxes: as for `place`.
        """
        known, moved = self._moved(size, boxes)
        return moved, known.size

    def _moved(self, size: Size, boxes: Tensor) -> tuple[Resize, Tensor]:
        if size not in self._resizes:
            self._resizes[size] = resize_of(self._model.transform, size) or self._resize(size)
        known = self._resizes[size]
        moved = boxes.float() * known.scale if known.scale is not None else self._transform(size, boxes)[2]
        return known, moved

    def _resize(self, size: Size) -> Resize:
        """What a transform of another kind does to images of a size, asked once: it costs more than all else."""
        probe = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, size[1], size[0]]])
        padded, resized, moved = self._transform(size, probe)
        scale = moved[0, 2:].repeat(2)
        return Resize(padded, resized, scale if torch.equal(moved, probe * scale) else None)

    def _transform(self, size: Size, boxes: Tensor) -> tuple[Size, Size, Tensor]:
        """(h, w) with padding and without, and the boxes [G, 4] in the network frame."""
        with looking(self._model):
            image = torch.empty((3, *size), device="meta")
            try:
                inputs, targets = self._model.transform([image], [{"boxes": boxes.float()}])
            except Exception:  # a transform of the user's own may look at the pixels
                inputs, targets = self._model.transform([torch.zeros((3, *size))], [{"boxes": boxes.float()}])
        padded = (int(inputs.tensors.shape[-2]), int(inputs.tensors.shape[-1]))
        height, width = inputs.image_sizes[0]
        return padded, (int(height), int(width)), targets[0]["boxes"]

    def _grid(self, padded: Size) -> AnchorGrid:
        if padded not in self._known:
            self._known[padded] = anchor_grid(self._model, padded)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(padded)
        return self._known[padded]


def anchor_grid(model: TwoStageModel, padded: Size) -> AnchorGrid:
    """The anchors for a network input of `padded` (h, w) pixels.

    Raises:
        ValueError: a number of maps that the anchor generator is not made for.
    """
    maps = map_sizes(model, padded)
    # The generator moves its anchors to the device of the maps for good: a copy is asked instead.
    generator = copy.copy(model.rpn.anchor_generator)
    features = [torch.empty((1, 1, *size)) for size in maps.values()]
    inputs = ImageList(torch.empty((1, 3, *padded), device="meta"), [padded])
    try:
        anchors = generator(inputs, features)[0]
    except AssertionError as mismatch:
        raise ValueError(f"the anchors do not fit the {len(maps)} feature maps") from mismatch
    strides = tuple((padded[0] // h, padded[1] // w) for h, w in maps.values())
    return AnchorGrid(anchors, tuple(maps), strides)


def map_sizes(model: TwoStageModel, padded: Size) -> dict[str, Size]:
    """Name -> (h, w) of each feature map for a network input of `padded` (h, w) pixels."""
    backbone: Any = model.backbone
    with looking(model):
        try:
            tensors = {
                name: value.to("meta")
                for name, value in [*backbone.named_parameters(), *backbone.named_buffers()]
            }
            found = functional_call(backbone, tensors, (torch.empty((1, 3, *padded), device="meta"),))
        except Exception:  # a backbone that reads its values: run it
            device = next((value.device for value in model.parameters()), torch.device("cpu"))
            found = backbone(torch.zeros((1, 3, *padded), device=device))
    maps = {"0": found} if isinstance(found, Tensor) else found
    return {str(name): (int(value.shape[-2]), int(value.shape[-1])) for name, value in maps.items()}
