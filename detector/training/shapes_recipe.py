"""The recipe of the bundled detector: `python -m detector.training.shapes_recipe` (`make weights`).

A plain PyTorch loop over freshly drawn scenes: AdamW, linear warm-up then cosine at every step, gradient norm
clipped, fixed seeds. It starts on small crowded scenes: as many objects each for 40% of the arithmetic.
Afterwards the detector is measured on held-out scenes and written with what was measured. Schedule, groups of
parameters, weighted losses and batches are those of every training; the phases are what `fit` does not have.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from detector.data.shapes import ShapesDataset
from detector.models.checkpoints import save_checkpoint
from detector.models.losses import LossWeights
from detector.models.pyramid import PyramidConfig, PyramidDetector, build_pyramid
from detector.training.loading import Batch, as_batch
from detector.training.optimizers import decay_groups
from detector.training.schedule import learning_rate
from detector.training.shapes_evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parents[1] / "models" / "weights" / "shapes.safetensors"
CONFIG = PyramidConfig(
    num_classes=len(ShapesDataset.categories),
    body="small",
    channels=48,
    hidden=192,
    dropout=0.0,
    anchor_sizes=((11.0, 18.0), (28.0, 44.0), (68.0, 104.0)),
    aspect_ratios=(0.6, 1.0, 1.67),
    min_size=256,
    max_size=256,
    rois_per_image=128,
    positive_fraction=0.5,
    hard_negative_share=0.25,
    hard_negative_by="iou",
    detection_rule="best_class",
    rpn_pre_nms_top_n=200,
    rpn_post_nms_top_n=100,
    rpn_nms=0.7,
    box_score=0.5,
    box_nms=0.5,
    box_limit=100,
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything but the architecture that decides what the weights become.

    Args:
        phases: (optimizer steps, height and width of the scenes), one after the other.
        batch_size: scenes in each step; no scene is seen twice.
        lr, weight_decay: of AdamW; `lr` is the peak.
        warmup_steps: linear from 0 to `lr`, then a cosine down to 0 at the last step.
        clip_norm: bound of the gradient norm.
        loss_weights: lambda_1..4 for L_rpn_cls, L_rpn_bbox, L_fast_rcnn_cls, L_fast_rcnn_bbox.
        rpn_top_n: proposals per level before, and per image after NMS, while training.
        train_seed: world of the first phase; each later phase has the next one.
        model_seed: random state of weights and samplers.
        test_seed, test_scenes, test_size: the held-out world.
    """

    phases: tuple[tuple[int, int], ...] = ((5000, 160), (2000, 192), (500, 256))
    batch_size: int = 4
    lr: float = 1.5e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    clip_norm: float = 1.0
    loss_weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 2.0)
    rpn_top_n: tuple[int, int] = (400, 300)
    train_seed: int = 1
    model_seed: int = 0
    test_seed: int = 7
    test_scenes: int = 500
    test_size: int = 256

    @property
    def steps(self) -> int:
        """Optimizer steps of all phases."""
        return sum(steps for steps, _ in self.phases)

    def lr_at(self, step: int) -> float:
        """Learning rate of optimizer step `step`, from 0."""
        return learning_rate(step, peak=self.lr, warmup_steps=self.warmup_steps, steps=self.steps)


def batches_of(recipe: Recipe) -> Iterator[Batch]:
    """The training batches in their fixed order."""
    for offset, (steps, size) in enumerate(recipe.phases):
        scenes = ShapesDataset(steps * recipe.batch_size, seed=recipe.train_seed + offset, size=size)
        yield from DataLoader(
            scenes, recipe.batch_size, num_workers=1, collate_fn=as_batch, prefetch_factor=4
        )


def build_for_training(recipe: Recipe, config: PyramidConfig = CONFIG) -> PyramidDetector:
    """The untrained detector under the recipe's seed, in training mode, weights laid out channels last."""
    torch.manual_seed(recipe.model_seed)
    model = build_pyramid(config).to(memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
    rpn: Any = model.rpn
    rpn._pre_nms_top_n["training"], rpn._post_nms_top_n["training"] = recipe.rpn_top_n
    return model


def train(model: PyramidDetector, recipe: Recipe, safety_copy: Path | None = None) -> None:
    """Run the recipe on `model`, in place.

    Args:
        model: from `build_for_training`.
        recipe: the settings.
        safety_copy: where the bare state dict is kept, every 250 steps and at the end.
    """
    groups = decay_groups(model.parameters())
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)
    weights = LossWeights(*recipe.loss_weights)
    started = time.monotonic()
    for step, batch in enumerate(batches_of(recipe)):
        lr = recipe.lr_at(step)
        _take_size(model, batch.images[0].shape[-1])
        for group in optimizer.param_groups:
            group["lr"] = lr
        losses = model(batch.images, batch.targets)
        total = weights.total(losses)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm, error_if_nonfinite=True)
        optimizer.step()
        if step % 25 == 0 or step == recipe.steps - 1:
            _report(
                step, losses, lr, float(norm), (step + 1) * recipe.batch_size / (time.monotonic() - started)
            )
        if safety_copy and (step % 250 == 249 or step == recipe.steps - 1):
            torch.save(model.state_dict(), safety_copy)


def _take_size(model: PyramidDetector, size: int) -> None:
    """Let square images of this size through without resizing."""
    transform: Any = model.transform
    transform.min_size, transform.max_size = (size,), size


def _report(step: int, losses: dict[str, Tensor], lr: float, norm: float, rate: float) -> None:
    parts = " ".join(
        f"{name.removeprefix('loss_')}={float(value.detach()):.4f}" for name, value in losses.items()
    )
    log.info("step %d %s lr=%.2e grad_norm=%.2f scenes/s=%.2f", step, parts, lr, norm, rate)


def run(recipe: Recipe, out: Path, safety_copy: Path | None) -> dict[str, Any]:
    """Train, measure, write; returns the measured figures."""
    started = time.monotonic()
    model = build_for_training(recipe)
    train(model, recipe, safety_copy)
    minutes = (time.monotonic() - started) / 60
    _take_size(model, CONFIG.max_size)
    model = model.to(memory_format=torch.contiguous_format).eval()  # pyright: ignore[reportCallIssue]
    metrics = evaluate(model, ShapesDataset(recipe.test_scenes, seed=recipe.test_seed, size=recipe.test_size))
    log.info("after %.1f minutes: %s", minutes, metrics)
    metadata = {
        "recipe": dataclasses.asdict(recipe),
        "seed": recipe.model_seed,
        "metrics": metrics,
        "training_minutes": round(minutes, 1),
        "torch": torch.__version__,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out, model, categories=ShapesDataset.categories, metadata=metadata)
    return metrics


def main() -> None:
    """Entry point of `make weights`."""
    scratch = Path(tempfile.gettempdir())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--log", type=Path, default=scratch / "boxscope_shapes_recipe.log")
    parser.add_argument("--safety-copy", type=Path, default=scratch / "boxscope_shapes_state.pt")
    given = parser.parse_args()
    handlers = [logging.StreamHandler(), logging.FileHandler(given.log, mode="w")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    run(Recipe(), given.out, given.safety_copy)


if __name__ == "__main__":
    main()
