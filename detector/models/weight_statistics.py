"""Numbers about every parameter and buffer of a model, with alerts: what is broken shows before anything is run.

Buffers are counted in because frozen batch norms keep their weights there. Integers (counters) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

EXPLODING = 100.0
"""Magnitude from which a parameter counts as exploding. Initial weights are around 1 / sqrt(fan-in), a norm's
weights around 1; a healthy training moves neither by orders of magnitude."""


class WeightAlert(Enum):
    """What is wrong with a tensor, for people."""

    NON_FINITE = "NaN or infinity"
    ALL_ZERO = "all zero"
    EXPLODING = "exploding"
    NEGATIVE_VARIANCE = "negative variance"


@dataclass(frozen=True, slots=True)
class WeightStatistics:
    """Numbers about one tensor of a model; those about values are over its finite entries, NaN if it has none.

    Args:
        name: in the model, such as `rpn.head.conv.0.0.weight`.
        kind: `parameter` or `buffer`.
        module: class of the module that owns it, such as `Conv2d`.
        shape: of the tensor.
        trainable: it gets gradients.
        mean, std: of its values (std of the population).
        low, high: smallest and greatest value.
        zeros: share of its entries that are exactly zero.
        non_finite: number of entries that are NaN or infinite.
        alert: what is wrong with it, None if nothing is.
    """

    name: str
    kind: Literal["parameter", "buffer"]
    module: str
    shape: tuple[int, ...]
    trainable: bool
    mean: float
    std: float
    low: float
    high: float
    zeros: float
    non_finite: int
    alert: WeightAlert | None

    @property
    def count(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def largest(self) -> float:
        """Greatest magnitude."""
        return max(abs(self.low), abs(self.high))


def weight_statistics(model: nn.Module) -> list[WeightStatistics]:
    """One record for each floating-point parameter and buffer, in the model's own order.

    Alerts, the first that applies: any NaN or infinity; a weight that is zero everywhere (a bias may be: it
    starts so); a parameter of a magnitude of `EXPLODING` or more; a running variance under zero.
    """
    return [
        _statistics(name, kind, owner, value)
        for name, kind, owner, value in _tensors(model)
        if value.is_floating_point() and value.numel()
    ]


def find_tensor(model: nn.Module, name: str) -> Tensor:
    """The parameter or buffer of that name, detached.

    Raises:
        KeyError: there is none.
    """
    for found, _, _, value in _tensors(model):
        if found == name:
            return value.detach()
    raise KeyError(name)


def _tensors(model: nn.Module) -> Iterator[tuple[str, Literal["parameter", "buffer"], str, Tensor]]:
    for prefix, module in model.named_modules():
        owner = type(module).__name__
        start = f"{prefix}." if prefix else ""
        for name, value in module.named_parameters(recurse=False):
            yield start + name, "parameter", owner, value
        for name, value in module.named_buffers(recurse=False):
            yield start + name, "buffer", owner, value


def _statistics(
    name: str, kind: Literal["parameter", "buffer"], module: str, value: Tensor
) -> WeightStatistics:
    entries = value.detach().flatten()
    low, high = (float(part) for part in entries.aminmax())
    broken = 0
    if not (math.isfinite(low) and math.isfinite(high)):  # aminmax passes NaN on
        finite = entries[torch.isfinite(entries)]
        broken, entries = len(entries) - len(finite), finite
        low, high = (float(part) for part in finite.aminmax()) if len(finite) else (math.nan, math.nan)
    std, mean = torch.std_mean(entries.float(), correction=0) if len(entries) else (math.nan, math.nan)
    zeros = 1 - int(entries.count_nonzero()) / len(entries) if len(entries) else 0.0
    return WeightStatistics(
        name, kind, module, tuple(value.shape), value.requires_grad, float(mean), float(std), low, high,
        zeros, broken, _alert(name.rpartition(".")[2], kind, low, high, broken),
    )  # fmt: skip


def _alert(leaf: str, kind: str, low: float, high: float, broken: int) -> WeightAlert | None:
    if broken:
        return WeightAlert.NON_FINITE
    if leaf == "weight" and low == high == 0:
        return WeightAlert.ALL_ZERO
    if (kind == "parameter" or leaf in ("weight", "bias")) and max(abs(low), abs(high)) >= EXPLODING:
        return WeightAlert.EXPLODING
    return WeightAlert.NEGATIVE_VARIANCE if leaf == "running_var" and low < 0 else None
