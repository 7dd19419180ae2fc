"""When a backbone rests and when it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import nn
    from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN


@dataclass(frozen=True, slots=True)
class Freeze:
    """When the backbone is trained.

    Args:
        until: the first epoch, from 0, that trains it; None for never.
        body_only: its feature pyramid learns all the same, because it has learned nothing yet.
    """

    until: int | None
    body_only: bool = False

    def part(self, model: GeneralizedRCNN) -> nn.Module:
        """What rests."""
        return cast("nn.Module", model.backbone.body if self.body_only else model.backbone)

    def holds(self, epoch: int) -> bool:
        """Whether the backbone is frozen in this epoch."""
        return self.until is None or epoch < self.until

    @property
    def thaws(self) -> bool:
        """Whether it is frozen first and trained later."""
        return self.until is not None and self.until > 0
