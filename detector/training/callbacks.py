"""What is done around the training itself: one list of Lightning callbacks, in the order in which they must act.

Lightning is imported here: whoever only looks at a run imports the readers instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning.pytorch import Callback

    from detector.data.coco_export import AnnotatedImages
    from detector.models.detector import Detector
    from detector.training.config import RunConfig
    from detector.training.keeping import RunKeeper
    from detector.training.metrics_log import EpochRow


def run_callbacks(
    config: RunConfig,
    keeper: RunKeeper,
    detector: Detector,
    validation: AnnotatedImages,
    *,
    on_epoch: Callable[[EpochRow], None] | None = None,
) -> list[Callback]:
    """The callbacks of a run: status, metrics, checkpoints, validation, probes, sampled batches, and the stop.

    The LightningModule must keep what its last optimizer step did as `last_step`, a `StepReport`. Each process of a
    distributed run makes its own list; only the first one writes files.

    Args:
        config: of the run.
        keeper: as `at_work` gives it.
        detector: around the very model that is trained, with its categories.
        validation: images and objects, not augmented; `config.data.limit_val` is applied here.
        on_epoch: told each epoch's row after its checkpoint is made; an exception of it ends the run and passes
            through.

    Raises:
        ValueError: a monitor that does not exist, or categories that the detector does not know.
    """
    raise NotImplementedError
