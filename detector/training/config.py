"""Everything that decides what a training run does: written to `config.yaml` and read back without a loss.

Plain values only, so that a line of YAML or a dotted option of the command names each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from detector.data.augmentation import Augmentation
from detector.models.losses import LossWeights

PYRAMID_FROM_SCRATCH = "pyramid"
MOST_PROCESSES = 256
# More is a slip of the finger, and would fill the memory before anybody could say so.
_LARGEST_SIDE, _LARGEST_BATCH, _MOST_MACHINES = 16_384, 4_096, 4_096


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained.

    Args:
        source: what `load_detector` takes (`shapes`, a torchvision name, a checkpoint), or `pyramid` for the
            project's own detector with random weights.
        weights: of a torchvision name: `DEFAULT`, or None for random weights.
        pyramid: settings of `PyramidConfig` that differ, for a pyramid; `num_classes` comes from the data set.
        anchor_sizes: sides in network pixels, one tuple per level, finest first; the model's own when left out.
        aspect_ratios: height / width, the same on every level; the model's own when left out.
        min_size, max_size: bounds of the network input's sides in pixels; the model's own when left out.
        dropout: probability after the hidden layers of a pyramid's head; the model's own when left out.
        hard_negative_share: share of the sampled negatives that are the hardest; the model's own when left out.
        box_nms: IoU of the box filter's NMS, in validation and in the checkpoints; the model's own when left out.
    """

    source: str = "shapes"
    weights: str | None = None
    pyramid: dict[str, Any] = field(default_factory=dict)
    anchor_sizes: tuple[tuple[float, ...], ...] | None = None
    aspect_ratios: tuple[float, ...] | None = None
    min_size: int | None = None
    max_size: int | None = None
    dropout: float | None = None
    hard_negative_share: float | None = None
    box_nms: float | None = None

    def __post_init__(self) -> None:
        for name in ("pyramid", "anchor_sizes", "aspect_ratios"):
            object.__setattr__(self, name, _tuples(getattr(self, name)))
        _at_least(self, 1, "min_size", "max_size", most=_LARGEST_SIDE)
        for name, numbers in (
            ("anchor_sizes", sum(self.anchor_sizes or (), ())),
            ("aspect_ratios", self.aspect_ratios),
        ):
            if not all(math.isfinite(number) and number > 0 for number in numbers or ()):
                raise ValueError(f"{name} holds {numbers}; expected numbers above 0")
        for name in ("dropout", "hard_negative_share", "box_nms"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; expected 0 to 1")
        if "num_classes" in self.pyramid:
            raise ValueError("pyramid.num_classes is given; leave it out, the data set says it")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What it is trained and validated on.

    Args:
        train, val: what `open_dataset` takes.
        limit_train, limit_val: only so many images, from the first one; None for all.
        batch_size: images in each step of each process.
        workers: processes that read images; 0 reads in the training process.
        augmentation: of the training images.
    """

    train: str = "shapes:2000:1"
    val: str = "shapes:100:7"
    limit_train: int | None = None
    limit_val: int | None = None
    batch_size: int = 4
    workers: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        _at_least(self, 1, "limit_train", "limit_val")
        _at_least(self, 1, "batch_size", most=_LARGEST_BATCH)
        _at_least(self, 0, "workers", most=MOST_PROCESSES)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the weights are moved.

    Args:
        optimizer: `adamw` or `sgd`.
        lr: peak of the learning rate; the default is for weights that are good already, from scratch 1e-3 fits.
        backbone_lr_factor: the backbone's rate as a share of `lr`, once it is trained.
        momentum: of SGD.
        weight_decay: of both; none on biases and norms.
        warmup_steps: linear from 0 to `lr`; then a cosine down to 0 at the last step.
        clip_norm: bound of the gradient norm.
        loss_weights: lambda_1 to lambda_4.
        unfreeze_epoch: the first epoch (from 0) that trains the backbone; 0 trains it from the start, None never.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = 1e-4
    backbone_lr_factor: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.02
    warmup_steps: int = 100
    clip_norm: float = 1.0
    loss_weights: LossWeights = field(default_factory=LossWeights)
    unfreeze_epoch: int | None = 1

    def __post_init__(self) -> None:
        for name in ("lr", "clip_norm"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} is {getattr(self, name)}; expected a number above 0")
        for name in ("weight_decay", "backbone_lr_factor"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}; expected 0 up to, but not, 1")
        _at_least(self, 0, "warmup_steps", "unfreeze_epoch")


@dataclass(frozen=True, slots=True)
class TrainerConfig:
    """Where it runs; these words go to Lightning's Trainer as they are.

    Args:
        accelerator: `auto`, `cpu`, `gpu` or another name that Lightning knows.
        devices: how many on each machine, or `auto`.
        num_nodes: machines.
        strategy: `auto`, `ddp` or another name that Lightning knows.
        precision: `32-true`, `16-mixed`, `bf16-mixed`, or `auto`: mixed where the device has it.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        for name in ("devices", "num_nodes"):
            value = getattr(self, name)
            if isinstance(value, int) and value > _MOST_MACHINES:
                raise ValueError(f"{name} is {value}; expected {_MOST_MACHINES} at most")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One training run.

    Args:
        model, data, recipe, trainer: see there.
        epochs: passes through the training images.
        seed: of weights, samplers, order and augmentation.
        checkpoint_every: steps between two checkpoints, beside the one at every epoch's end; 0 for none.
        keep_every: epochs between two checkpoints that are kept for good, as `epoch_0003`, beside the best and the
            last; 0 for none.
        trace_every: steps between two sampled batches kept for the x-ray; 0 for none.
        probes: how many of the first validation images are traced after every epoch, 0 to 8.
        monitor: by what the best epoch is chosen: `AP`, `AP50` and the like, or `recall/RUNG`.
        patience: epochs without a better `monitor` after which the run ends; 0 never ends it.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    recipe: Recipe = field(default_factory=Recipe)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    epochs: int = 10
    seed: int = 0
    checkpoint_every: int = 200
    keep_every: int = 0
    trace_every: int = 0
    probes: int = 4
    monitor: str = "AP"
    patience: int = 0

    def __post_init__(self) -> None:
        _at_least(self, 1, "epochs")
        _at_least(self, 0, "seed", most=2**32 - 1)
        _at_least(self, 0, "checkpoint_every", "keep_every", "trace_every", "probes", "patience")
        if self.probes > 8:
            raise ValueError(f"probes is {self.probes}; expected 0 to 8")


def _tuples(value: Any) -> Any:  # noqa: ANN401
    """Lists as tuples, however deep: a file has lists only, and what is read must equal what was written."""
    if isinstance(value, dict):
        return {name: _tuples(inner) for name, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _at_least(record: object, low: int, *names: str, most: int | None = None) -> None:
    for name in names:
        value = getattr(record, name)
        if value is not None and (value < low or (most is not None and value > most)):
            expected = f"{low} or more" if most is None else f"{low} to {most}"
            raise ValueError(f"{name} is {value}; expected {expected}")
