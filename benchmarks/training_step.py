"""A training step as `boxscope train` does it against a plain PyTorch loop over the same batches.

The plain loop is the least that trains the same detector: forward, weighted sum, backward, clipped norm, AdamW.
Ours is Lightning's Trainer with our module and the callbacks of a run: it writes a row of metrics for each step,
sets rate and random state, looks whether the loss is finite and whether somebody wants the run to stop. Both get
the same ready batches. Checkpoints and validation, which a run makes now and then, are no part of a step.

A whole `Trainer.fit` would be timed with its start and its end. So ours is timed inside of it: in stretches of
steps, each from the first hook of its first batch to that of the next stretch. Between them the plain loop runs
over the same batches, so that a noisy machine disturbs both alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Measure, report
from benchmarks.subject import device
from detector import Detector, load_detector
from detector.data import ShapesDataset
from detector.data.augmentation import Augmentation
from detector.training.building import build_model
from detector.training.callbacks import run_callbacks
from detector.training.config import DataConfig, Recipe, RunConfig, TrainerConfig
from detector.training.freezing import Freeze
from detector.training.keeping import at_work
from detector.training.loading import Batch, TrainingImages, as_batch
from detector.training.module import TrainingModule, weighted_total
from detector.training.optimizers import build_optimizer
from detector.training.run_directory import RunDirectory
from detector.training.trainer import build_trainer, quiet

BATCH, STEPS = 8, 2
CONFIG = RunConfig(
    data=DataConfig(val="shapes:1:7", limit_val=1, batch_size=BATCH, augmentation=Augmentation(flip=0.0)),
    recipe=Recipe(lr=1e-5, warmup_steps=0, unfreeze_epoch=0),
    trainer=TrainerConfig(devices=1, precision="32-true"),
    epochs=1,
    probes=0,
    checkpoint_every=0,
)


def run(rounds: int = 11, warm: int = 2, clock: Callable[[], float] = time.perf_counter) -> None:
    """Print and write the table."""
    scenes = ShapesDataset(BATCH * STEPS, seed=1)
    batches = [as_batch([scenes[i] for i in range(k, k + BATCH)]) for k in range(0, len(scenes), BATCH)]
    taken = Alternating(PlainLoop(batches), clock)
    _train(batches, taken, stretches=warm + rounds + 1)
    ours, plain = (statistics.median(times[warm:]) / STEPS for times in (taken.ours, taken.theirs))
    report(
        "training step: Lightning with the callbacks of a run / plain PyTorch loop",
        [Measure(f"shapes, batch {BATCH}", ours, plain, 1.03)],
    )


def _train(batches: list[Batch], taken: Alternating, stretches: int) -> None:
    images = TrainingImages(ShapesDataset(BATCH * STEPS * stretches), Augmentation(flip=0.0), seed=0)
    detector = build_model(CONFIG.model, ShapesDataset.categories)
    validation = ShapesDataset(1, seed=7)
    with (
        tempfile.TemporaryDirectory() as folder,
        at_work(RunDirectory(Path(folder) / "run"), epochs=1) as keeper,
        quiet(),
    ):
        callbacks = [taken, *run_callbacks(CONFIG, keeper, detector, validation)]
        trainer = build_trainer(CONFIG, callbacks, keeper.directory.folder, thaws=False)
        trainer.fit(OnReadyBatches(detector, CONFIG, images, Freeze(0), batches))


class OnReadyBatches(TrainingModule):
    """Our module, but its batches are at hand."""

    def __init__(
        self,
        detector: Detector,
        config: RunConfig,
        images: TrainingImages,
        freeze: Freeze,
        batches: list[Batch],
    ) -> None:
        super().__init__(detector, config, images, freeze)
        self.batches = batches

    def train_dataloader(self) -> DataLoader[Any]:
        """The batches over and over."""
        return DataLoader(Ready(self.batches, len(self.order)), batch_size=None)


class PlainLoop:
    """The same training without Lightning, on the same device."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches
        self.model = load_detector("shapes", device=device()).model.train()
        self.optimizer = build_optimizer(self.model, CONFIG.recipe)

    def __call__(self) -> None:
        """One step for each batch."""
        for batch in self.batches:
            given = batch.to(device())
            total = weighted_total(self.model(given.images, given.targets), CONFIG.recipe.loss_weights)
            self.optimizer.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), CONFIG.recipe.clip_norm)
            self.optimizer.step()
        if device().type == "cuda":
            torch.cuda.synchronize()


class Ready(Dataset[Batch]):
    """The ready batches over and over."""

    def __init__(self, batches: list[Batch], length: int) -> None:
        self.batches, self.length = batches, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        return self.batches[index % len(self.batches)]


class Alternating(Callback):
    """Lets the plain loop run between the stretches of ours and keeps both times; it must be the first callback."""

    def __init__(self, plain: Callable[[], None], clock: Callable[[], float]) -> None:
        self.plain, self.clock, self.began = plain, clock, 0.0
        self.ours: list[float] = []
        self.theirs: list[float] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ANN401
        """A stretch has ended, if this is its last moment, and the next one begins."""
        if batch_idx % STEPS:
            return
        if batch_idx:
            self.ours.append(self.clock() - self.began)
        begin = self.clock()
        self.plain()
        self.theirs.append(self.clock() - begin)
        self.began = self.clock()


if __name__ == "__main__":
    run()
