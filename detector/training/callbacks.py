"""What is done around the training itself, as callbacks of Lightning's Trainer.

Lightning is imported here: whoever only looks at a run imports the readers instead.

The order of things. After each step: the sampled batch, the row, the status, a checkpoint where one is due, the
wish to stop. After each epoch: the checkpoint to resume from first, so that a validation that fails costs no step;
then all of `epoch_work`. No checkpoint is made after the last step of an epoch, but at the epoch's end a moment
later: Lightning takes an epoch of which nothing but its end is missing for one that has ended.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback

from detector.models.state_dicts import check_finite
from detector.training.checkpointing import random_states, save_detector, save_resume, set_random_states
from detector.training.epoch_work import EpochWork
from detector.training.metrics_log import MetricsReader, StepRow
from detector.training.metrics_writer import MetricsWriter
from detector.training.ranks import agreed, gathered
from detector.training.run_directory import BEFORE_TRAINING
from detector.training.run_log import LOG
from detector.training.sampled_batches import BatchRecorder
from detector.training.stopping import RunStopped
from detector.training.validation import Validation, check_monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightning.pytorch import LightningModule, Trainer

    from detector.data.coco_export import AnnotatedImages
    from detector.models.detector import Detector
    from detector.training.config import RunConfig
    from detector.training.loading import Batch
    from detector.training.metrics_log import EpochRow, Row, StepReport
    from detector.training.run_keeper import RunKeeper


def run_callbacks(
    config: RunConfig,
    keeper: RunKeeper,
    detector: Detector,
    validation: AnnotatedImages,
    *,
    on_epoch: Callable[[EpochRow], None] | None = None,
) -> list[Callback]:
    """The callbacks of a run: status, metrics, checkpoints, validation, probes, sampled batches, and the stop.

    The LightningModule must keep what its last optimizer step did as `last_step`, a `StepReport`; its batches are
    `Batch`, whose images its `images` describes. Each process of a distributed run makes its own list;
    only the first one writes files. The Trainer gets `enable_checkpointing=False`, and for a run that goes on
    `fit(..., ckpt_path=keeper.directory.resume, weights_only=True)`.

    A stop that was asked for comes out of `fit` as `RunStopped`, after a checkpoint.

    Args:
        config: of the run.
        keeper: as `at_work` gives it.
        detector: around the very model that is trained, with its categories.
        validation: images and objects, not augmented; `config.data.limit_val` is applied here.
        on_epoch: told each epoch's row after its checkpoints are made, in every process; an exception of it ends
            the run as stopped, and passes through.

    Raises:
        ValueError: a monitor that does not exist, or categories that the detector does not know.
    """
    check_monitor(config.monitor)
    images = Validation(detector, validation, config.data.limit_val)
    return [RunCallback(config, keeper, detector, EpochWork(config, keeper, images, on_epoch))]


class RunCallback(Callback):
    """Everything that `run_callbacks` promises; see there and above."""

    def __init__(self, config: RunConfig, keeper: RunKeeper, detector: Detector, epochs: EpochWork) -> None:
        self._config, self._keeper, self._detector, self._epochs = config, keeper, detector, epochs
        self._batches = BatchRecorder(keeper.directory.folder, detector)
        self._metrics: MetricsWriter | None = None
        self._loaded: dict[str, Any] = {}
        self._trainer: Trainer | None = None
        self._ended = False
        self._seconds, self._began = 0.0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps: where the run is, and the random states of all processes."""
        assert self._trainer is not None
        states = gathered(self._trainer, [random_states()])
        return {
            "epoch": self._trainer.current_epoch,
            "step": self._trainer.global_step,
            "ended": self._ended,
            "random": states,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep it until the training begins."""
        self._loaded = state_dict

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the model as it is; or, of a run that goes on, finish the epoch that was not."""
        self._trainer = trainer
        self._refuse_other_processes(trainer.world_size)
        epoch, step = self._loaded.get("epoch", BEFORE_TRAINING), self._loaded.get("step", 0)
        before = self._take_up(step if self._loaded else None) if self._keeper.leads else []
        self._epochs.rows = gathered(trainer, before)
        known = any(row.epoch == epoch for row in self._epochs.rows)
        if not known and (not self._loaded or self._loaded["ended"]):
            self._epochs.finish(trainer, epoch, step, self._write)
            self._epochs.tell(self._epochs.rows[-1])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning has put its handlers of signals in place by now: ours come back."""
        self._keeper.planned(int(trainer.num_training_batches) * (trainer.max_epochs or 0))
        self._keeper.signals.waits_for_batch = True
        self._keeper.signals.take()
        self._keeper.entered("training")
        self._began = time.perf_counter()
        if not self._epochs.wants_more(trainer):
            trainer.should_stop = True

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Random states of the checkpoint before the first batch after it; listen where the batch shall be kept."""
        if self._loaded:
            set_random_states(self._loaded["random"][trainer.global_rank])
            self._loaded = {}
        every = self._config.trace_every
        if self._keeper.leads and every and (trainer.global_step + 1) % every == 0:
            self._batches.begin(names_of(pl_module, batch))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Keep what was measured; a checkpoint where it is due; the end where somebody wants it."""
        step, epoch = trainer.global_step, trainer.current_epoch
        if self._keeper.leads:
            self._batches.end(step)
            self._write(self._row(step, epoch, pl_module.last_step))  # pyright: ignore[reportArgumentType]
        self._keeper.stepped(step, epoch)
        stop = agreed(trainer, self._keeper.stop_wanted)
        if trainer.is_last_batch or batch_idx + 1 >= trainer.num_training_batches:
            return
        every = self._config.checkpoint_every
        if stop or (every and step % every == 0):
            self._checkpoint(trainer)
            if self._keeper.leads:
                save_detector(
                    self._keeper.directory.last,
                    self._detector,
                    self._keeper.directory.name,
                    epoch,
                    step,
                    None,
                )
        if stop:
            raise RunStopped(f"it was stopped after step {step}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A checkpoint, then the validation and what comes of it."""
        epoch, step = trainer.current_epoch, trainer.global_step
        self._ended = True
        self._checkpoint(trainer)
        self._ended = False
        self._stop_if_wanted(trainer, step)
        self._epochs.finish(trainer, epoch, step, self._write)
        self._epochs.tell(self._epochs.rows[-1])
        self._stop_if_wanted(trainer, step)
        self._keeper.entered("training")
        if not self._epochs.wants_more(trainer):
            trainer.should_stop = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing more to write."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let go of the model and of the file."""
        self._close()

    def _refuse_other_processes(self, count: int) -> None:
        """Steps, shares of the images and random states are those of so many processes; raises ValueError."""
        before = len(self._loaded["random"]) if self._loaded else count
        if before != count:
            many = f"{before} process{'es' * (before > 1)}"
            raise ValueError(
                f"{self._keeper.directory.name} was trained by {many}, and would now be by {count}; resume it with "
                f"{before}, or begin a new run from its checkpoints/last.safetensors"
            )

    def _take_up(self, resumed_after: int | None) -> list[EpochRow]:
        """Open the metrics; the epochs that were validated before."""
        folder = self._keeper.directory.folder
        self._metrics = MetricsWriter(folder, resumed_after=resumed_after)
        before = MetricsReader(folder)
        before.new()
        self._seconds = before.steps[-1].seconds if before.steps else 0.0
        if resumed_after is not None:
            LOG.info("resumed after step %s", f"{resumed_after:,}")
        return before.epochs

    def _row(self, step: int, epoch: int, report: StepReport) -> StepRow:
        seconds = self._seconds + time.perf_counter() - self._began
        losses = report.rpn_cls, report.rpn_bbox, report.fast_rcnn_cls, report.fast_rcnn_bbox, report.total
        return StepRow(step, epoch, *losses, report.lr, report.grad_norm, seconds)

    def _write(self, row: Row) -> None:
        assert self._metrics is not None
        self._metrics.write(row)

    def _checkpoint(self, trainer: Trainer) -> None:
        check_finite(self._detector.model.state_dict())
        save_resume(trainer, self._keeper.directory.resume)

    def _stop_if_wanted(self, trainer: Trainer, step: int) -> None:
        if agreed(trainer, self._keeper.stop_wanted):
            raise RunStopped(f"it was stopped after step {step}")

    def _close(self) -> None:
        self._batches.forget()
        if self._metrics is not None:
            self._metrics.close()


def names_of(module: LightningModule, batch: Batch) -> Sequence[str]:
    """What people call the images of a batch."""
    images: Any = getattr(module, "images", None)
    name = "image {}".format if images is None else lambda index: Path(images.describe(index)).name
    return [name(index) for index in batch.indices or range(len(batch.images))]
