"""Tiny real trainings: a pyramid of some thousand weights on scenes of 64 pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from detector.data.augmentation import Augmentation
from detector.data.shapes import ShapesDataset
from detector.training.building import build_model
from detector.training.config import DataConfig, ModelConfig, Recipe, RunConfig, TrainerConfig
from detector.training.freezing import Freeze
from detector.training.loading import TrainingImages
from detector.training.module import TrainingModule
from detector.training.trainer import build_trainer, checkpoint_words, quiet

TINY = {
    "body": "small", "channels": 8, "hidden": 12, "min_size": 64, "max_size": 64, "rois_per_image": 64,
    "dropout": 0.1, "anchor_sizes": [[8, 12], [20, 28], [40, 56]],
}  # fmt: skip
VARIED = Augmentation(flip=0.5, scale=(0.8, 1.2), colour=0.3, crop=0.3)
RUN = RunConfig(
    ModelConfig("pyramid", pyramid=TINY),
    DataConfig("shapes:8:1", "shapes:3:7", batch_size=3, augmentation=VARIED),
    Recipe(lr=3e-3, warmup_steps=2, unfreeze_epoch=0),
    TrainerConfig("cpu", 1),
    epochs=2,
    probes=1,
)


class Notes(Callback):
    """What each step reported and which images it saw."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps.append((trainer.global_step, trainer.current_epoch, pl_module.last_step, batch.indices))


def scenes(config: RunConfig = RUN, length: int = 8) -> TrainingImages:
    dataset = ShapesDataset(length, seed=1, size=64)
    return TrainingImages(dataset, config.data.augmentation, seed=config.seed)


def module_of(
    config: RunConfig = RUN, images: TrainingImages | None = None, freeze: Freeze | None = None
) -> TrainingModule:
    detector = build_model(config.model, ShapesDataset.categories, seed=config.seed)
    freeze = freeze or Freeze(config.recipe.unfreeze_epoch)
    return TrainingModule(detector, config, images or scenes(config), freeze)


def train(
    module: TrainingModule, *callbacks: Callback, folder: Path, checkpoint: Path | None = None
) -> list[Any]:
    """The notes of a training with the module's own settings; what ends it passes through."""
    notes = Notes()
    with quiet():
        trainer = build_trainer(module.config, [notes, *callbacks], folder, thaws=module.freeze_plan.thaws)
        trainer.fit(module, **checkpoint_words(checkpoint))
    return notes.steps


def with_recipe(**changes: Any) -> RunConfig:
    return replace(RUN, recipe=replace(RUN.recipe, **changes))
