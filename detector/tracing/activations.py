"""Numbers about one map of activations: how large, how often zero, which channels are dead, what is saturated.

Shapes: `C` channels, (h, w) cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SATURATED_FROM = 0.99
"""Share of a map's greatest magnitude from which a value counts as saturated."""


@dataclass(frozen=True, slots=True)
class ActivationStatistics:
    """Numbers about one map [C, h, w] on one image; those about values are over its finite ones, NaN without any.

    Args:
        shape: (C, h, w).
        low, mean, high: of the values.
        zeros: share of the values that are exactly zero, which is what ReLU leaves of negative ones.
        dead: share of the channels that are zero at every cell of this image.
        saturated: share of the values of at least `SATURATED_FROM` times the map's greatest magnitude, zero
            in a map of zeros. Where an activation has an upper bound (ReLU6, sigmoid), values pile up there,
            and this share is large; without a bound only the few greatest values come so near.
        non_finite: share of the values that are NaN or infinite.
    """

    shape: tuple[int, int, int]
    low: float
    mean: float
    high: float
    zeros: float
    dead: float
    saturated: float
    non_finite: float


def activation_statistics(maps: Tensor) -> ActivationStatistics:
    """The numbers of float [C, h, w]."""
    channels, height, width = maps.shape
    values = maps.detach().flatten()
    finite = values[torch.isfinite(values)].float()
    count = max(len(values), 1)
    dead = (maps.detach() == 0).flatten(1).all(dim=1).float().mean() if maps.numel() else math.nan
    if len(finite) == 0:
        nothing = math.nan
        return ActivationStatistics(
            (channels, height, width), nothing, nothing, nothing, 0.0, 0.0, 0.0, len(values) / count
        )
    low, high = (float(value) for value in finite.aminmax())
    bound = max(abs(low), abs(high))
    saturated = int((finite.abs() >= SATURATED_FROM * bound).sum()) if bound > 0 else 0
    return ActivationStatistics(
        (channels, height, width), low, float(finite.mean()), high,
        int((finite == 0).sum()) / count, float(dead), saturated / count, 1 - len(finite) / count,
    )  # fmt: skip
