"""What is done at the end of an epoch: validation, the best checkpoint, probes, the row, and whether it goes on.

The row comes last: where it is, all else of its epoch is. A run that ended in the middle does this work again when
it is resumed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from detector.training.checkpointing import save_detector
from detector.training.metrics_log import best_of
from detector.training.probes import keep_probes
from detector.training.ranks import agreed, gathered, share_buffers
from detector.training.run_directory import BEFORE_TRAINING
from detector.training.run_log import LOG
from detector.training.stopping import RunStopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning.pytorch import Trainer

    from detector.training.config import RunConfig
    from detector.training.metrics_log import EpochRow
    from detector.training.run_keeper import RunKeeper
    from detector.training.validation import Validation


class EpochWork:
    """Validates epochs and keeps what comes of it.

    Args:
        config: of the run.
        keeper: of its status.
        validation: images and detector.
        on_epoch: told each row, but not that of the model before its training; may raise to end the run.

    Attributes:
        rows: of all epochs so far; those of earlier processes are put in before the first call.
    """

    def __init__(
        self,
        config: RunConfig,
        keeper: RunKeeper,
        validation: Validation,
        on_epoch: Callable[[EpochRow], None] | None,
    ) -> None:
        self._config, self._keeper, self._validation, self._on_epoch = config, keeper, validation, on_epoch
        self.rows: list[EpochRow] = []

    def finish(self, trainer: Trainer, epoch: int, step: int, write: Callable[[EpochRow], None]) -> None:
        """All of it; every process of a distributed run must call it.

        Args:
            trainer: of the run.
            epoch: that has ended; -1 before the training.
            step: the last one.
            write: puts the row into the metrics, in the first process.

        Raises:
            RunStopped: somebody wants the run to stop; the epoch is not finished.
            ValidationImageError: an image that is gone or wrong.
            OSError, ValueError, CheckpointError: something cannot be written.
        """
        self._keeper.entered("validating")
        row = self._validated(trainer, epoch, step)
        rows = [*(known for known in self.rows if known.epoch < epoch), row]
        if self._keeper.leads:
            if epoch != BEFORE_TRAINING:
                self._save(row, rows)
            folder = self._keeper.directory.folder
            keep_probes(folder, self._validation, self._config.probes, epoch, self._keeper.pulse)
            write(row)
            LOG.info("%s", line_of(row))
        self.rows = rows
        self._keeper.validated(row)

    def tell(self, row: EpochRow) -> None:
        """Hand a row to whoever asked for it; an exception of theirs ends the run as they wish."""
        if self._on_epoch is None or row.epoch == BEFORE_TRAINING:
            return
        try:
            self._on_epoch(row)
        except BaseException as error:
            self._keeper.wanted_end = error
            raise

    def wants_more(self, trainer: Trainer) -> bool:
        """Whether the run goes on: False where the monitor was no better for too many epochs."""
        patience, best = self._config.patience, best_of(self.rows, self._config.monitor)
        tired = bool(patience and best and self.rows[-1].epoch - best.epoch >= patience)
        if not agreed(trainer, tired):
            return True
        assert best is not None
        self._keeper.remark = (
            f"it ended early: no better {self._config.monitor} in {patience} epoch{'s' * (patience > 1)} "
            f"after epoch {best.epoch + 1}"
        )
        return False

    def _validated(self, trainer: Trainer, epoch: int, step: int) -> EpochRow:
        began = time.perf_counter()
        share_buffers(trainer, self._validation.work.detector.model)

        def pulse() -> None:
            self._keeper.pulse()
            # Several processes cannot end in the middle without an agreement: they do it after the validation.
            if trainer.world_size == 1 and self._keeper.stop_wanted:
                raise RunStopped(f"it was stopped {_moment(epoch, step)}")

        judged = self._validation.share(trainer.global_rank, trainer.world_size, pulse)
        return self._validation.row(gathered(trainer, judged), epoch=epoch, step=step, began=began)

    def _save(self, row: EpochRow, rows: list[EpochRow]) -> None:
        directory, detector = self._keeper.directory, self._validation.work.detector
        better = best_of(rows, self._config.monitor) is row
        every = self._config.keep_every
        kept = every > 0 and (row.epoch + 1) % every == 0
        wanted = [*[directory.best] * better, *[directory.kept(row.epoch)] * kept, directory.last]
        for path in wanted:
            save_detector(path, detector, directory.name, row.epoch, row.step, row)


def line_of(row: EpochRow) -> str:
    """A validation for the log, such as `epoch 3, step 1,200: AP 0.412, AP50 0.640, 81% of 230 objects found`.

    People count epochs from 1; the files of a run from 0.
    """
    name = "before training" if row.epoch == BEFORE_TRAINING else f"epoch {row.epoch + 1}, step {row.step:,}"
    averages = ", ".join(f"{key} {_number(getattr(row, key))}" for key in ("AP", "AP50"))
    found = (
        f"{list(row.recall.values())[-1]:.0%} of {row.objects:,} objects found"
        if row.recall
        else "no objects"
    )
    return f"{name}: {averages}, {found} ({row.seconds:.1f} s)"


def _moment(epoch: int, step: int) -> str:
    if epoch == BEFORE_TRAINING:
        return "before its first step"
    return f"after step {step:,}, before epoch {epoch + 1} was validated"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
