"""The Lightning module against a plain PyTorch loop, and where it freezes, clips, stops and goes on."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from support.training import RUN, module_of, scenes, train, with_recipe
from torch import Tensor

from detector.models.losses import LossWeights
from detector.models.pyramid import LOSS_NAMES
from detector.training.freezing import Freeze
from detector.training.loading import BatchOrder, training_loader
from detector.training.metrics_log import StepReport
from detector.training.module import NotFiniteError, UnreadableImageError, weighted_total
from detector.training.optimizers import PEAK, build_optimizer
from detector.training.schedule import learning_rate
from detector.training.seeds import seed_of

LAMBDAS = LossWeights(1.0, 2.0, 0.5, 3.0)


class Ended(Exception):
    """A test wants it so."""


class SaveAndEnd(Callback):
    """Save a checkpoint where a run would, then end."""

    def __init__(self, path: Path, step: int, hook: str) -> None:
        self.path, self.step, self.hook = path, step, hook

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look("batch", trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._look("epoch", trainer)

    def _look(self, hook: str, trainer: Any) -> None:
        if hook == self.hook and trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise Ended


def weights(module: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor], start: str = "") -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items() if name.startswith(start))


def plain_loop(config: Any) -> tuple[dict[str, Tensor], list[StepReport]]:
    """The same training as anybody would write it: no Lightning, no callback."""
    module = module_of(config)
    model, recipe, reports = module.model.train(), config.recipe, []
    optimizer = build_optimizer(model, recipe)
    steps = 3 * config.epochs
    for step in range(steps):
        order = BatchOrder(8, 3, seed=config.seed, position=lambda step=step: step)
        batch = next(iter(training_loader(scenes(config), order, 0)))
        torch.manual_seed(seed_of(config.seed, "step", step, 0))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=group[PEAK], warmup_steps=recipe.warmup_steps, steps=steps)
        losses = model(batch.images, batch.targets)
        total = sum(w * losses[n] for w, n in zip(astuple(recipe.loss_weights), LOSS_NAMES, strict=True))
        optimizer.zero_grad()
        total.backward()
        norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        parts = [float(losses[name].detach()) for name in LOSS_NAMES]
        reports.append(
            StepReport(*parts, float(total.detach()), optimizer.param_groups[0]["lr"], float(norm))
        )
    return weights(module), reports


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_it_is_the_plain_loop(optimizer: str, tmp_path: Path) -> None:
    config = with_recipe(optimizer=optimizer, loss_weights=LAMBDAS, clip_norm=0.5)
    module = module_of(config)
    notes = train(module, folder=tmp_path)
    wanted, reports = plain_loop(config)
    for (step, epoch, found, _), expected in zip(notes, reports, strict=True):
        assert epoch == (step - 1) // 3
        assert astuple(found) == pytest.approx(astuple(expected), rel=1e-4)
    assert max(one.grad_norm for one in reports) > 0.5
    after = weights(module)
    assert all(torch.allclose(after[name], value, atol=1e-5) for name, value in wanted.items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], dict[str, Tensor]]:
    """Notes and weights of a run that nobody interrupts."""
    module = module_of(with_recipe(unfreeze_epoch=1))
    return train(module, folder=tmp_path_factory.mktemp("whole")), weights(module)


@pytest.mark.parametrize(("step", "hook"), [(3, "epoch"), (2, "batch"), (4, "batch")])
def test_a_run_that_goes_on_is_bit_equal_to_one_that_was_not_interrupted(
    step: int, hook: str, whole: tuple[list[Any], dict[str, Tensor]], tmp_path: Path
) -> None:
    config, path = with_recipe(unfreeze_epoch=1), tmp_path / "resume.ckpt"
    with pytest.raises(Ended):
        train(module_of(config), SaveAndEnd(path, step, hook), folder=tmp_path)
    torch.rand(7)  # whatever else drew numbers meanwhile
    module = module_of(config)
    rest = train(module, folder=tmp_path, checkpoint=path)
    assert rest == whole[0][step:]
    assert same(whole[1], weights(module))


def test_two_runs_with_one_seed_have_equal_losses_whatever_was_drawn_before(
    whole: tuple[list[Any], dict[str, Tensor]], tmp_path: Path
) -> None:
    torch.manual_seed(99)
    again = train(module_of(with_recipe(unfreeze_epoch=1)), folder=tmp_path)
    assert again == whole[0]


class Frozen(Callback):
    """The weights at the end of each epoch."""

    def __init__(self) -> None:
        self.after: list[dict[str, Tensor]] = []

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.after.append(weights(pl_module))


def test_a_frozen_backbone_rests_with_its_statistics_until_its_epoch_comes(tmp_path: Path) -> None:
    module, ends = module_of(with_recipe(unfreeze_epoch=1)), Frozen()
    before = weights(module)
    train(module, ends, folder=tmp_path)
    first, second = ends.after
    assert same(before, first, "backbone.") and not same(before, first, "rpn.")
    assert not any(
        torch.equal(first[name], second[name])
        for name in first
        if name.startswith("backbone.body.") and "running" in name
    )
    assert not any(
        torch.equal(first[name], second[name])
        for name in first
        if name.startswith("backbone.fpn.") and "weight" in name
    )


@pytest.mark.parametrize("until", [1, None])
def test_a_feature_pyramid_without_learning_does_not_rest_with_its_body(
    until: int | None, tmp_path: Path
) -> None:
    config, ends = with_recipe(unfreeze_epoch=until), Frozen()
    module = module_of(config, freeze=Freeze(until, body_only=True))
    before = weights(module)
    train(module, ends, folder=tmp_path)
    assert same(before, ends.after[0], "backbone.body.")
    assert not same(before, ends.after[0], "backbone.fpn.")
    assert same(before, ends.after[-1], "backbone.body.") is (until is None)


def test_a_backbone_that_never_learns_is_left_to_no_optimizer(tmp_path: Path) -> None:
    module = module_of(with_recipe(unfreeze_epoch=None))
    before = weights(module)
    train(module, folder=tmp_path)
    assert same(before, weights(module), "backbone.") and not same(before, weights(module))
    owned = {id(p) for group in module.trainer.optimizers[0].param_groups for p in group["params"]}
    assert not owned & {id(p) for p in module.model.backbone.parameters()}


class Poisoned:
    """Scenes of which one has a pixel that is no number; it is met in the second step."""

    def __init__(self, images: Any, bad: int) -> None:
        self.images, self.bad, self.describe = images, bad, "folder/{}.png".format

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        index, (pixels, target) = self.images[key]
        return index, (pixels * float("nan") if index == self.bad else pixels, target)


def test_a_loss_that_is_no_number_names_the_images_and_moves_nothing(tmp_path: Path) -> None:
    order = BatchOrder(8, 3, seed=RUN.seed, position=lambda: 0).indices(0)
    module = module_of(RUN, Poisoned(scenes(), order[4]))  # pyright: ignore
    seen: list[dict[str, Tensor]] = []

    class Watch(Callback):
        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            seen.append({name: p.detach().clone() for name, p in pl_module.model.named_parameters()})

    with pytest.raises(NotFiniteError) as error:
        train(module, Watch(), folder=tmp_path)
    assert "of step 2 is not finite" in str(error.value)
    assert ", ".join(f"folder/{index}.png" for index in order[3:6]) in str(error.value)
    (after_first,) = seen
    assert all(torch.equal(p, after_first[name]) for name, p in module.model.named_parameters())


class Vanishing(Poisoned):
    """Scenes of which one cannot be read."""

    def __getitem__(self, key: tuple[int, int]) -> Any:
        return (key[1], f"{self.describe(key[1])} is gone") if key[1] == self.bad else self.images[key]


def test_an_image_that_is_gone_ends_the_run_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"folder/5\.png is gone"):
        train(module_of(RUN, Vanishing(scenes(), 5)), folder=tmp_path)  # pyright: ignore


def test_losses_of_masks_and_keypoints_weigh_one() -> None:
    losses = {name: torch.tensor(float(k)) for k, name in enumerate(LOSS_NAMES, start=1)}
    four = float(weighted_total(losses, LAMBDAS))
    assert four == 1 + 4 + 1.5 + 12
    more = losses | {"loss_mask": torch.tensor(10.0), "loss_keypoint": torch.tensor(100.0)}
    assert float(weighted_total(more, LAMBDAS)) == four + 110
