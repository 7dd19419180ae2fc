"""Lightning's Trainer for a run: devices, processes, precision; everything else is ours and switched off there.

Lightning is imported with this module.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lightning.pytorch import Callback

    from detector.training.config import RunConfig, TrainerConfig

_LOGGERS = tuple(logging.getLogger(f"lightning.{name}") for name in ("pytorch", "fabric"))
_DDP = ("auto", "ddp")


def is_leader() -> bool:
    """Whether this process speaks for the run: the only one, or the first of those started for it.

    Asked before the processes know each other, so by what their environment says. `NODE_RANK` counts machines where
    Lightning starts the processes of each by itself.
    """
    return getattr(rank_zero_only, "rank", 0) == 0 and os.environ.get("NODE_RANK", "0") == "0"


def build_trainer(config: RunConfig, callbacks: list[Callback], folder: Path, *, thaws: bool) -> Trainer:
    """A Trainer that trains and nothing else: the callbacks validate, log and save.

    Args:
        config: of the run.
        callbacks: in the order in which they act.
        folder: of the run, for what Lightning may write.
        thaws: whether parameters are frozen first and trained later.

    Raises:
        ValueError: devices, strategy or precision that this machine has not.
    """
    where = config.trainer
    devices, nodes = _processes(where)
    try:
        return Trainer(
            accelerator=where.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=_strategy(where.strategy, _are_several(devices, nodes, where.accelerator), thaws),
            precision=_precision(where),  # pyright: ignore[reportArgumentType]
            max_epochs=config.epochs,
            callbacks=callbacks,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            limit_val_batches=0,
            num_sanity_val_steps=0,
        )
    except (MisconfigurationException, ValueError, RuntimeError, TypeError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"trainer.* asks for what this machine has not: {said}") from error


def _processes(where: TrainerConfig) -> tuple[int | str, int]:
    """Devices of each machine and machines: as `torchrun` has started them, where it has."""
    local, world = os.environ.get("LOCAL_WORLD_SIZE"), os.environ.get("WORLD_SIZE")
    if local is None or world is None:
        return where.devices, where.num_nodes
    return int(local), int(world) // int(local)


def _are_several(devices: int | str, nodes: int, accelerator: str) -> bool:
    """Whether more than one process will train; `auto` takes every GPU there is, and one process on a CPU."""
    if nodes > 1:
        return True
    if devices == "auto":
        return accelerator in ("auto", "gpu", "cuda") and torch.cuda.device_count() > 1
    return str(devices) not in ("1", "[0]")


def _strategy(asked: str, several: bool, thaws: bool) -> str:
    """DDP must be told where parameters have no gradient for some epochs, and only then, for it takes time."""
    if asked not in _DDP or not several:
        return asked
    return "ddp_find_unused_parameters_true" if thaws else "ddp"


def _precision(where: TrainerConfig) -> str:
    """`auto` is float16 with a gradient scaler on CUDA, as torchvision's own recipe has it, and float32 elsewhere.

    Not bfloat16: torchvision computes anchors and proposals in the type of the features, and its eight bits of
    precision put them up to two pixels off at 512.
    """
    if where.precision != "auto":
        return where.precision
    on_cuda = where.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "16-mixed" if on_cuda else "32-true"


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's advice: what it says of loaders, samplers and frozen parts is ours to decide."""
    levels = [logger.level for logger in _LOGGERS]
    for logger in _LOGGERS:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", message=r".*(dataloader|eval mode|ddp).*", category=UserWarning)
        try:
            yield
        finally:
            for logger, level in zip(_LOGGERS, levels, strict=True):
                logger.setLevel(level)


def checkpoint_words(path: Path | None) -> dict[str, Any]:
    """What `Trainer.fit` wants to hear of a checkpoint: nothing in the file is run."""
    return {} if path is None else {"ckpt_path": path, "weights_only": True}
