"""One logit of a detector as a function of the network's input, while the box that it is about is held fixed.

Shapes: `B` copies of one input, `K` categories with background, `A` anchors per cell, `C` channels; (h', w') of
the padded network input, (h_l, w_l) cells of level l. Boxes are xyxy in the **network** frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from detector.models.detector import Detector, TwoStageModel
    from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the model says of B inputs.

    Args:
        logit: float [B].
        probability: float [B]: softmax over the categories, or the sigmoid of an objectness.
    """

    logit: Tensor
    probability: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ClassLogit:
    """The logit of one category for one RoI; the box may be any, also one that the RPN never proposed.

    Args:
        box: float [4], **network** frame.
        label: category, 0 (background) to K-1.

    Raises:
        ValueError: another shape, a box without area, a negative label.
    """

    box: Tensor
    label: int

    def __post_init__(self) -> None:
        if self.box.shape != (4,) or not bool(torch.isfinite(self.box).all()):
            raise ValueError(f"the box is {self.box.tolist()}; expected four finite numbers x1, y1, x2, y2")
        x1, y1, x2, y2 = self.box.tolist()
        if x2 <= x1 or y2 <= y1:
            raise ValueError(f"the box is {[x1, y1, x2, y2]}; expected x1 < x2 and y1 < y2")
        if self.label < 0:
            raise ValueError(f"the label is {self.label}; expected a category index, 0 being the background")

    def ask(self, model: TwoStageModel, maps: Mapping[str, Tensor], trace: Trace) -> Answer:
        """Pool the box from B maps [B, C, h_l, w_l] and classify it; raises ValueError for no such category."""
        heads, count = model.roi_heads, len(next(iter(maps.values())))
        some = next(iter(maps.values()))
        boxes = [self.box.detach()[None].to(some)] * count
        pooled = heads.box_roi_pool(dict(maps), boxes, [trace.input.network_size] * count)
        logits = heads.box_predictor(heads.box_head(pooled))[0]
        if self.label >= logits.shape[1]:
            raise ValueError(
                f"the label is {self.label}; expected 0 to {logits.shape[1] - 1}, this detector's categories"
            )
        return Answer(logits[:, self.label], logits.softmax(-1)[:, self.label])


@dataclass(frozen=True, slots=True)
class ObjectnessLogit:
    """The objectness of one anchor.

    Args:
        anchor: its index, counted over all levels, finest first.

    Raises:
        ValueError: a negative index.
    """

    anchor: int

    def __post_init__(self) -> None:
        if self.anchor < 0:
            raise ValueError(f"the anchor is {self.anchor}; expected 0 or more")

    def ask(self, model: TwoStageModel, maps: Mapping[str, Tensor], trace: Trace) -> Answer:
        """Slide the RPN's head over B maps [B, C, h_l, w_l]; raises ValueError for no such anchor."""
        total = len(trace.rpn.anchors)
        if self.anchor >= total:
            raise ValueError(
                f"the anchor is {self.anchor}; expected 0 to {total - 1:,}, this image's anchors"
            )
        scores: list[Tensor] = model.rpn.head(list(maps.values()))[0]
        found = tuple((*score.shape[2:], score.shape[1]) for score in scores)
        if found != tuple(trace.rpn.grid):
            raise ValueError(
                f"the detector has anchors on a grid of {found}, the trace of {trace.input.name} on "
                f"{tuple(trace.rpn.grid)}; expected the detector that the trace was captured from"
            )
        level, y, x, kind = trace.rpn.cell_of(torch.tensor(self.anchor)).tolist()
        logit = scores[level][:, kind, y, x]
        return Answer(logit, logit.sigmoid())


AnyLogit = ClassLogit | ObjectnessLogit


def network_input(detector: Detector, trace: Trace) -> Tensor:
    """A copy of the network's input of the trace, float [3, h', w'], where and as precise as the model is.

    A copy: what was made in inference mode can carry no gradients.
    """
    weight = next(detector.model.parameters())
    return trace.input.tensor.detach().clone().to(weight.device, weight.dtype)


def pyramid_maps(model: TwoStageModel, inputs: Tensor) -> dict[str, Tensor]:
    """The maps [B, C, h_l, w_l] that the RPN slides over, by the names that a trace gives them, finest first."""
    maps = model.backbone(inputs)
    return {"0": maps} if isinstance(maps, Tensor) else dict(maps)
