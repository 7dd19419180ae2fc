"""Running a shared model without leaving a mark on it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from detector.models.detector import lock_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """Hold the model's lock, in eval mode and without gradients; training flags and random state come back.

    Not inference mode: its tensors have no version counter, and captures check that counter.
    """
    with _guarded(model) as modes:
        if any(training for _, training in modes):
            model.eval()
        yield


@contextmanager
def pretending_to_train(model: nn.Module, seed: int) -> Iterator[None]:
    """As `looking`, but in training mode under a seed; buffers (BatchNorm's running statistics) come back too."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with _guarded(model):
        torch.manual_seed(seed)
        model.train()
        try:
            yield
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def _guarded(model: nn.Module) -> Iterator[list[tuple[nn.Module, bool]]]:
    """Gives the parts of the model, each with whether it trains."""
    # Without CUDA in use there is no other random state, and asking how many devices there are takes a while.
    devices = None if torch.cuda.is_initialized() else []
    with lock_of(model), torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices):
        modes = [(module, module.training) for module in model.modules()]
        try:
            yield modes
        finally:
            for module, mode in modes:
                # Setting an attribute of a module is slow, and mostly there is nothing to put back.
                if module.training != mode:
                    module.training = mode
