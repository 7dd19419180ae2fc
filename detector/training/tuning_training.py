"""A trial with training: a run of its own in the study's folder, reported after every epoch."""

from __future__ import annotations

import math
import shutil
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna

from detector.data.datasets import open_dataset
from detector.data.images import read_image
from detector.models.zoo import load_detector
from detector.training.run_directory import RunDirectory
from detector.training.tuning import TRIALS
from detector.training.tuning_queue import first_number
from detector.training.tuning_settings import base_of, config_with

if TYPE_CHECKING:
    from pathlib import Path

    from detector.training.config import RunConfig
    from detector.training.metrics_log import EpochRow
    from detector.training.tuning import StudyConfig

_TIMED_IMAGES, _WARM = 12, 2


@dataclass(frozen=True, slots=True, eq=False)
class TrainingObjective:
    """What a study with training asks of each trial.

    Args:
        config: the study.
        folder: of the study; its runs lie below.
    """

    config: StudyConfig
    folder: Path

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        """Train with this trial's settings; a trial that was broken off goes on from its checkpoint.

        Raises:
            TrialPruned: it does worse than most others did at this epoch.
            RunStopped: somebody stopped it.
            ValueError: settings or data that cannot be used.
        """
        from detector.training.fit import fit

        values = {one.name: one.suggest(trial) for one in self.config.parameters}
        run = config_with(base_of(self.config), values, self.config.monitor)
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        directory = RunDirectory(self.folder / TRIALS / f"{first_number(frozen):04d}")
        trial.set_user_attr("run", directory.name)
        resume = directory.resume.is_file()
        if directory.folder.exists() and not resume:
            shutil.rmtree(directory.folder)  # it was killed before its first checkpoint
        best = fit(run, directory.folder, resume=resume, on_epoch=lambda row: self._report(trial, row))
        if best is None:
            raise ValueError("the run ended before its first epoch was over")
        averages = {name: getattr(best, name) for name in ("AP", "AP50", "AP75")}
        trial.set_user_attr("measured", {"epoch": best.epoch, **averages, **best.recall})
        return tuple(self._measured(name, best, directory, run) for name in self.config.objectives)

    def _report(self, trial: optuna.Trial, row: EpochRow) -> None:
        value = row.value(self.config.monitor)
        if row.epoch < 0 or not self.config.prunes or value is None or not math.isfinite(value):
            return
        trial.report(value, row.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    def _measured(self, name: str, best: EpochRow, directory: RunDirectory, run: RunConfig) -> float:
        if name == "latency":
            return latency(directory.best, run.data.val)
        value = best.value(name)
        return math.nan if value is None else value


def latency(checkpoint: Path, dataset: str) -> float:
    """Milliseconds that a detector takes for an image, the median over the first ones of a data set."""
    import torch

    detector = load_detector(checkpoint)
    images, taken = open_dataset(dataset), []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = detector.model.to(device).eval()
    for number in range(-_WARM, min(_TIMED_IMAGES, len(images))):
        tensor = read_image(images[max(number, 0)][0]).tensor.to(device)
        begin = time.perf_counter()
        with torch.no_grad():
            model([tensor])
        if device == "cuda":
            torch.cuda.synchronize()
        if number >= 0:
            taken.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(taken)
