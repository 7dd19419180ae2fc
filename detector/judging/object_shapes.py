"""Heights and widths of a data set's objects as a detector gets them, beside the shapes of its anchors.

Shapes: `n` objects, `A` anchors per cell. Extents are (height, width) in pixels of the **network** frame, or of the
image frame where there is no detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from detector.judging.anchor_fitting import shape_iou
from detector.judging.anchor_grid import AnchorGrids

if TYPE_CHECKING:
    from detector.judging.doctor_survey import Survey
    from detector.models.detector import TwoStageModel

_CHUNK = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class ObjectShapes:
    """The shapes of objects, and how near the anchors come to them.

    Args:
        rows: int64 [n], which objects of the survey: those on images whose size is known.
        extents: float64 [n, 2].
        levels: (height, width) of the anchors of each level, float64 [A, 2], finest first; none without a detector.
        sizes: side of the anchors of each level as the detector was given it, before it rounds them to pixels.
        ratios: height / width of the anchors, likewise.
        best_iou: float64 [n], IoU with the best anchor shape laid over the object's centre; None without anchors.
        inputs: (h, w) of each different network input before padding, smallest first; none without a detector.
    """

    rows: Tensor
    extents: Tensor
    levels: tuple[Tensor, ...] = ()
    sizes: tuple[tuple[float, ...], ...] = ()
    ratios: tuple[float, ...] = ()
    best_iou: Tensor | None = None
    inputs: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def share_near(self, iou: float) -> float | None:
        """Share of the objects that some centred anchor overlaps by `iou`; None without anchors or objects.

        It is what sizes and ratios allow; on the real grid an anchor is rarely centred, so fewer are reached.
        """
        if self.best_iou is None or len(self) == 0:
            return None
        return float((self.best_iou >= iou).double().mean())


def object_shapes(survey: Survey, model: TwoStageModel | None) -> ObjectShapes:
    """The shapes of all objects of a survey.

    Args:
        survey: without crowd regions and boxes of no area, see `object_survey.without_crowd`.
        model: its own resize decides about the network frame; None keeps the image frame. Only looked at.
    """
    rows = (~survey.sizes.isnan().any(dim=1)).nonzero().flatten()
    boxes = survey.boxes[rows]
    if model is None:
        return ObjectShapes(rows, _extents(boxes))
    grids, inputs = AnchorGrids(model), set()
    moved = torch.zeros_like(boxes)
    order = survey.image_of[rows].argsort(stable=True)
    counted = torch.bincount(survey.image_of[rows], minlength=len(survey.images)).tolist()
    for image, part in zip(survey.images, order.split(counted), strict=True):
        if image.size is not None and len(part):
            network, size = grids.resized(image.size, boxes[part])
            moved[part] = network.double()
            inputs.add(size)
    extents, levels = _extents(moved), anchor_levels(model)
    best = _best_iou(extents, torch.cat(levels)) if levels else None
    sizes, ratios = _given(model, levels)
    return ObjectShapes(rows, extents, levels, sizes, ratios, best, tuple(sorted(inputs)))


def anchor_levels(model: TwoStageModel) -> tuple[Tensor, ...]:
    """(height, width), float64 [A, 2], of the anchors of each level; none where the generator does not say."""
    cells: Any = getattr(model.rpn.anchor_generator, "cell_anchors", None) or ()
    return tuple(_extents(cell.detach().cpu().double()) for cell in cells)


def _given(
    model: TwoStageModel, levels: tuple[Tensor, ...]
) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]:
    """Sizes of each level and all ratios, as torchvision's generator has them; measured where another has none."""
    generator: Any = model.rpn.anchor_generator
    sizes = getattr(generator, "sizes", None) or [shapes.prod(dim=1).sqrt().tolist() for shapes in levels]
    ratios = getattr(generator, "aspect_ratios", None) or [(s[:, 0] / s[:, 1]).tolist() for s in levels]
    flat = sorted({float(ratio) for level in ratios for ratio in level})
    return tuple(tuple(map(float, level)) for level in sizes), tuple(flat)


def _extents(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).flip(1)


def _best_iou(extents: Tensor, shapes: Tensor) -> Tensor:
    parts = [shape_iou(part, shapes).amax(dim=1) for part in extents.split(_CHUNK)]
    return torch.cat(parts) if parts else extents.new_zeros(0)
