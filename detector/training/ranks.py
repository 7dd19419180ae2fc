"""What the processes of a distributed run tell one another; nothing of it costs anything where there is but one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning.pytorch import Trainer
    from torch import nn

T = TypeVar("T")


def agreed(trainer: Trainer, flag: bool) -> bool:
    """What the first process says; all must call it at the same point, or they wait for one another for ever."""
    if trainer.world_size == 1:
        return flag
    said = torch.tensor([int(flag)], device=trainer.strategy.root_device)
    torch.distributed.broadcast(said, src=0)
    return bool(said.item())


def gathered(trainer: Trainer, share: Sequence[T]) -> list[T]:
    """The shares of all processes, one after the other, on each of them."""
    if trainer.world_size == 1:
        return list(share)
    shares: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(shares, list(share))
    return [one for of_rank in shares for one in of_rank]


def share_buffers(trainer: Trainer, model: nn.Module) -> None:
    """Give all processes the first one's statistics of BatchNorm: it is its model that is saved."""
    if trainer.world_size > 1:
        for buffer in model.buffers():
            torch.distributed.broadcast(buffer, src=0)
