"""AdamW or SGD over groups of parameters: with and without weight decay, backbone and the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

    from detector.training.config import Recipe

PEAK = "peak"
"""Where a group keeps the learning rate that it reaches after the warm-up."""


def decay_groups(parameters: Iterable[nn.Parameter], **settings: object) -> list[dict[str, Any]]:
    """Two groups: weights, and what must not decay (biases, and scales and shifts of norms: one axis at most)."""
    given = list(parameters)
    weights = [one for one in given if one.ndim > 1]
    others = [one for one in given if one.ndim <= 1]
    groups = [{"params": weights, **settings}, {"params": others, "weight_decay": 0.0, **settings}]
    return [group for group in groups if group["params"]]


def build_optimizer(model: GeneralizedRCNN, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over every parameter that may be trained at some time.

    Parameters without `requires_grad` are left out. Each group says its peak rate under `PEAK`: `lr` for the heads,
    `lr * backbone_lr_factor` for the backbone.
    """
    backbone = [one for one in model.backbone.parameters() if one.requires_grad]
    inside = {id(one) for one in backbone}
    heads = [one for one in model.parameters() if one.requires_grad and id(one) not in inside]
    slower = recipe.lr * recipe.backbone_lr_factor
    groups = decay_groups(heads, peak=recipe.lr) + decay_groups(backbone, peak=slower)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
