"""A detector as Lightning trains it: weighted losses, a rate for every step, clipped gradients.

Lightning is imported with this module; nothing else in `detector` imports it at the top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from detector.models.pyramid import LOSS_NAMES
from detector.training.loading import BatchOrder, training_loader
from detector.training.metrics_log import StepReport
from detector.training.optimizers import PEAK, build_optimizer
from detector.training.schedule import learning_rate
from detector.training.seeds import seed_of

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from detector.models.detector import Detector
    from detector.models.losses import LossWeights
    from detector.training.config import RunConfig
    from detector.training.freezing import Freeze
    from detector.training.loading import Batch, TrainingImages

_SHOWN = 8


class NotFiniteError(Exception):
    """A loss or a gradient is NaN or infinite; the message names the images of the batch. No weight has moved."""


class UnreadableImageError(Exception):
    """A training image is gone or wrong; the message names it."""


def weighted_total(losses: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """The weighted sum of the four losses, and those of masks and keypoints as they are; a scalar."""
    others = [value for name, value in losses.items() if name not in LOSS_NAMES]
    return weights.total({name: losses[name] for name in LOSS_NAMES}) + sum(others)


class TrainingModule(LightningModule):
    """One detector under one recipe.

    Args:
        detector: what is trained, in place; the `requires_grad` flags of its backbone say what may ever be trained.
        config: the run's settings.
        images: what it learns from.
        freeze: when the backbone is trained.

    Attributes:
        last_step: what the last step did; None before the first one. Plain numbers, the same on every process
            (losses are their mean): callbacks read it in `on_train_batch_end` without another wait for the device.
    """

    def __init__(self, detector: Detector, config: RunConfig, images: TrainingImages, freeze: Freeze) -> None:
        super().__init__()
        self.model = detector.model
        self.config, self.images, self.freeze_plan = config, images, freeze
        self.last_step: StepReport | None = None
        self._resting: nn.Module
        self._anchors = list(self.model.rpn.anchor_generator.cell_anchors)
        self._seen: tuple[Tensor, tuple[int, ...]] | None = None
        # Past nn.Module, which would write it into every checkpoint a second time.
        object.__setattr__(self, "_resting", freeze.part(self.model))
        if freeze.until is None:
            self._resting.requires_grad_(False)
        self._thawable = [one for one in self._resting.parameters() if one.requires_grad]

    @cached_property
    def order(self) -> BatchOrder:
        """Which images come when, in this process; asked for once the trainer knows how many there are."""
        return BatchOrder(
            len(self.images),
            self.config.data.batch_size,
            seed=self.config.seed,
            position=lambda: self.trainer.global_step,
            rank=self.global_rank,
            world_size=self.trainer.world_size,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches that go on from the trainer's present step."""
        return training_loader(self.images, self.order, self.config.data.workers)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The recipe's optimizer; its rates are set anew in every step."""
        return build_optimizer(self.model, self.config.recipe)

    def on_train_start(self) -> None:
        """Freeze what is frozen; a run that is resumed inside of an epoch gets no other call."""
        self._set_modes()

    def on_train_epoch_start(self) -> None:
        """Training mode everywhere but in a frozen backbone, whose BatchNorm must not move either."""
        self._set_modes()

    def _set_modes(self) -> None:
        frozen = self.freeze_plan.holds(self.trainer.global_step // len(self.order))
        for parameter in self._thawable:
            parameter.requires_grad_(not frozen)
        self.model.train()
        if frozen:
            self._resting.eval()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The weighted loss of a batch. Samplers and dropout draw from a state that the step alone decides.

        Raises:
            UnreadableImageError: an image of the batch is gone or wrong.
        """
        if batch.problem:
            raise UnreadableImageError(batch.problem)
        step = self.trainer.global_step
        torch.manual_seed(seed_of(self.config.seed, "step", step, self.global_rank))
        for group in self._optimizer().param_groups:
            group["lr"] = self._rate(step, group[PEAK])
        losses = self.model(batch.images, batch.targets)
        self._keep_anchors_exact()
        total = weighted_total(losses, self.config.recipe.loss_weights)
        facts = [*(losses[name] for name in LOSS_NAMES), total]
        self._seen = torch.stack([one.detach() for one in facts]), batch.indices
        return total

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients, note it as it was before, and stop where it makes no sense.

        Raises:
            NotFiniteError: a loss (or, without a gradient scaler, a gradient) is not finite.
        """
        trained = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        norm = nn.utils.clip_grad_norm_(trained, self.config.recipe.clip_norm)
        assert self._seen is not None
        measured, indices = self._seen
        reduced = self.trainer.strategy.reduce(torch.cat((measured, norm.detach()[None])), reduce_op="mean")
        rpn_cls, rpn_bbox, head_cls, head_bbox, total, grad_norm = torch.as_tensor(reduced).tolist()
        rate = self._rate(self.trainer.global_step, self.config.recipe.lr)
        self.last_step = StepReport(rpn_cls, rpn_bbox, head_cls, head_bbox, total, rate, grad_norm)
        self._refuse_not_finite(total, grad_norm, indices)

    def _refuse_not_finite(self, total: float, grad_norm: float, indices: tuple[int, ...]) -> None:
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        if math.isfinite(total) and (scaled or math.isfinite(grad_norm)):
            return
        everybody: list[Any] = [indices]
        if self.trainer.world_size > 1:
            everybody = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(everybody, indices)
        images = [self.images.describe(index) for of_rank in everybody for index in of_rank]
        named = ", ".join(images[:_SHOWN]) + (", ..." if len(images) > _SHOWN else "")
        what = "the gradient" if math.isfinite(total) else "the loss"
        raise NotFiniteError(
            f"{what} of step {self.trainer.global_step + 1} is not finite; no weight was moved by it. Its batch: "
            f"{named}. Look at these images, or take a lower recipe.lr"
        )

    def _rate(self, step: int, peak: float) -> float:
        recipe, steps = self.config.recipe, len(self.order) * self.config.epochs
        return learning_rate(step, peak=peak, warmup_steps=recipe.warmup_steps, steps=steps)

    def _optimizer(self) -> torch.optim.Optimizer:
        return self.trainer.optimizers[0]

    def _keep_anchors_exact(self) -> None:
        """Mixed precision leaves the anchors in 16 bits, and the next validation would look with those."""
        generator = self.model.rpn.anchor_generator
        if generator.cell_anchors[0].dtype != torch.float32:
            generator.cell_anchors = self._anchors
