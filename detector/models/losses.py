"""The four losses of the pyramid detector, weighted and summed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from detector.models.pyramid import LOSS_NAMES


@dataclass(frozen=True, slots=True)
class LossWeights:
    """lambda_1 to lambda_4, in the order of `LOSS_NAMES`.

    Args:
        rpn_cls: of the RPN's objectness loss.
        rpn_bbox: of the RPN's box regression loss.
        fast_rcnn_cls: of the head's classification loss.
        fast_rcnn_bbox: of the head's box regression loss.

    Raises:
        ValueError: a weight that is negative or not finite.
    """

    rpn_cls: float = 1.0
    rpn_bbox: float = 1.0
    fast_rcnn_cls: float = 1.0
    fast_rcnn_bbox: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"the loss weight {name} is {value}; expected a number from 0 up")

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum, a scalar.

        Args:
            losses: what the detector returns in training mode, by torchvision's names; scalars.

        Raises:
            ValueError: one of the four losses is missing, or there is another one.
        """
        if set(losses) != set(LOSS_NAMES):
            raise ValueError(f"the losses are {sorted(losses)}; expected {sorted(LOSS_NAMES)}")
        weighted = [w * losses[name] for w, name in zip(astuple(self), LOSS_NAMES, strict=True)]
        return torch.stack(weighted).sum()
