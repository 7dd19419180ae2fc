"""One training run from its settings to its best epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from detector.data.datasets import open_dataset
from detector.judging.training_fitness import training_problems
from detector.training.building import build_model, check_teachable, starts_at_random
from detector.training.config import PYRAMID_FROM_SCRATCH
from detector.training.config_file import write_config
from detector.training.freezing import Freeze
from detector.training.keeping import at_work
from detector.training.loading import TrainingImages
from detector.training.metrics_log import EpochRow, MetricsReader, best_of
from detector.training.run_directory import RunDirectory
from detector.training.run_log import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.training.config import RunConfig
    from detector.training.run_keeper import RunKeeper

_MOST = 5


def fit(
    config: RunConfig,
    out: str | Path,
    *,
    resume: bool = False,
    on_epoch: Callable[[EpochRow], None] | None = None,
    on_begin: Callable[[], None] | None = None,
) -> EpochRow | None:
    """Train a detector into a folder; see `run_directory` for what lies there.

    Under `torchrun`, or with several devices, every process calls this, and only the first one writes.

    Args:
        config: everything that decides what the run does; written to `config.yaml` there.
        out: the folder. A run that is there already is not overwritten.
        resume: go on from the folder's checkpoint, at the next step.
        on_epoch: told of each epoch's validation, in every process; an exception of it ends the run and passes
            through.
        on_begin: told, in every process, once everything is checked and the training begins.

    Returns:
        The best epoch by `config.monitor`; None in a process that does not lead.

    Raises:
        ValueError: settings, data or a folder that cannot be, each in one sentence; also what ended a run that was
            under way, such as a full disk or a loss that is not finite.
        RunStopped: somebody asked it to stop; there is a checkpoint to resume from.
    """
    from detector.training.trainer import is_leader

    directory = RunDirectory(Path(out))
    with (
        at_work(directory, epochs=config.epochs, resume=resume, leads=is_leader()) as keeper,
        torch.random.fork_rng(devices=[]),
    ):
        if keeper.leads and not resume:
            write_config(directory.config, config)
        _train(config, keeper, on_epoch, on_begin)
    if not keeper.leads:
        return None
    measured = MetricsReader(directory.folder)
    measured.new()
    return best_of(measured.epochs, config.monitor)


def _train(
    config: RunConfig,
    keeper: RunKeeper,
    on_epoch: Callable[[EpochRow], None] | None,
    on_begin: Callable[[], None] | None,
) -> None:
    from detector.training.callbacks import run_callbacks
    from detector.training.module import TrainingModule
    from detector.training.trainer import build_trainer, checkpoint_words, quiet

    train, validation = _datasets(config)
    detector = build_model(config.model, train.categories, seed=config.seed)
    check_teachable(detector, train[0][1])
    freeze = _freeze(config)
    for note in detector.notes:
        LOG.info("%s", note)
    images = TrainingImages(train, config.data.augmentation, seed=config.seed, limit=config.data.limit_train)
    callbacks = run_callbacks(config, keeper, detector, validation, on_epoch=on_epoch)
    with quiet():
        trainer = build_trainer(config, callbacks, keeper.directory.folder, thaws=freeze.thaws)
        module = TrainingModule(detector, config, images, freeze)
        if on_begin is not None:
            on_begin()
        trainer.fit(module, **checkpoint_words(keeper.directory.resume if keeper.resuming else None))


def _datasets(config: RunConfig) -> tuple[Any, Any]:
    """Training and validation data, fit for use."""
    given = config.data
    opened = []
    for name, limit in (("train", given.limit_train), ("val", given.limit_val)):
        source = getattr(given, name)
        dataset = open_dataset(source)
        problems = training_problems(dataset, limit=limit)
        if problems:
            more = f" (and {len(problems) - _MOST} more)" if len(problems) > _MOST else ""
            raise ValueError(
                f"data.{name} {source} is not fit for training: {'; '.join(problems[:_MOST])}{more}"
            )
        opened.append(dataset)
    return opened[0], opened[1]


def _freeze(config: RunConfig) -> Freeze:
    until = config.recipe.unfreeze_epoch
    if not starts_at_random(config.model) or until == 0:
        # Only the body of such a detector has learned something: on ImageNet.
        return Freeze(until, body_only=config.model.source == PYRAMID_FROM_SCRATCH)
    if until is None:
        raise ValueError("recipe.unfreeze_epoch is null, and the backbone has random weights: set it to 0")
    LOG.info("the backbone has random weights, so it is trained from the first epoch")
    return Freeze(0)
