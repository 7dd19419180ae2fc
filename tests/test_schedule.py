"""Learning rate of every step, and which parameters decay."""

from __future__ import annotations

import pytest
import torch
from support.pyramids import TINY, seeded
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from detector.training.config import Recipe
from detector.training.optimizers import PEAK, build_optimizer, decay_groups
from detector.training.schedule import learning_rate


@pytest.mark.parametrize(("warmup", "steps"), [(0, 10), (3, 10), (10, 10), (20, 10), (1, 1)])
def test_warm_up_is_linear_and_what_follows_is_torchs_cosine(warmup: int, steps: int) -> None:
    rates = [learning_rate(k, peak=0.3, warmup_steps=warmup, steps=steps) for k in range(steps)]
    assert rates[:warmup] == pytest.approx([0.3 * (k + 1) / warmup for k in range(min(warmup, steps))])
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    cosine = CosineAnnealingLR(optimizer, max(1, steps - warmup))
    for rate in rates[warmup:]:
        assert rate == pytest.approx(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()


def test_no_rate_is_negative_or_rises_after_the_end() -> None:
    assert learning_rate(12, peak=1.0, warmup_steps=2, steps=10) == 0.0


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_norms_and_biases_do_not_decay_and_the_backbone_is_slower(kind: str) -> None:
    model = seeded(TINY)
    model.roi_heads.box_predictor.cls_score.bias.requires_grad_(False)
    recipe = Recipe(optimizer=kind, lr=0.5, backbone_lr_factor=0.1, weight_decay=0.25)  # pyright: ignore
    optimizer = build_optimizer(model, recipe)
    found = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert len(found) == len(trained)
    for name, parameter in trained.items():
        group = found[id(parameter)]
        assert group["weight_decay"] == (0.0 if name.endswith("bias") or parameter.ndim == 1 else 0.25), name
        assert group[PEAK] == pytest.approx(0.05 if name.startswith("backbone.") else 0.5), name


def test_groups_without_parameters_are_left_out() -> None:
    (only,) = decay_groups([nn.Parameter(torch.zeros(3))], peak=2.0)
    assert (only["weight_decay"], only["peak"]) == (0.0, 2.0)
