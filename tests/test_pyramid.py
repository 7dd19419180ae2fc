"""The pyramid detector: the shapes of the full-size experiment, its losses, its freezing, its settings."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from support.pyramids import BODIES, TINY, seeded, targets
from torch.nn import functional
from torchvision.models.detection.rpn import permute_and_flatten
from torchvision.ops import box_iou
from torchvision.ops._utils import convert_boxes_to_roi_format

from detector.models.losses import LossWeights
from detector.models.pyramid import LOSS_NAMES, PyramidConfig, PyramidDetector, build_pyramid
from detector.models.pyramid_heads import (
    AgnosticPredictor,
    BoxEmbedding,
    PyramidRoIHeads,
)

# ---- the full-size experiment: C=3, H=W=224, nF=3, nBB=2000, F=256, R=256, batch of 2

BATCH, SIZE, MAPS, CHANNELS, HIDDEN, LIMIT, CLASSES = 2, 224, 3, 256, 256, 2000, 21


@pytest.fixture(scope="module")
def experiment() -> dict[str, Any]:
    """One training forward of the full-size model, with everything that its stages handed over."""
    model = seeded(PyramidConfig(num_classes=CLASSES, body="resnet50", freeze_backbone=True))
    seen: dict[str, Any] = {"model": model, "targets": targets(0, SIZE, 12, CLASSES)}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: seen.__setitem__(name, (inputs, output))

    parts = {
        "maps": model.backbone, "rpn_head": model.rpn.head, "proposals": model.rpn,
        "anchors": model.rpn.anchor_generator, "pool": model.roi_heads.box_roi_pool,
        "embedding": model.roi_heads.box_head, "outputs": model.roi_heads.box_predictor,
    }  # fmt: skip
    hooks = [part.register_forward_hook(keep(name)) for name, part in parts.items()]
    samples = model.roi_heads.select_training_samples
    model.roi_heads.select_training_samples = lambda *inputs: seen.setdefault("samples", samples(*inputs))
    images = torch.rand((BATCH, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        seen["losses"] = model.train()(list(images), seen["targets"])
    for hook in hooks:
        hook.remove()
    return seen


def test_three_maps_at_ratios_one_half_and_a_quarter(experiment: dict[str, Any]) -> None:
    maps = list(experiment["maps"][1].values())
    assert len(maps) == MAPS
    height, width = maps[0].shape[2:]
    assert [tuple(m.shape) for m in maps] == [
        (BATCH, CHANNELS, height >> level, width >> level) for level in range(MAPS)
    ]
    assert (height, width) == (SIZE // 4, SIZE // 4)


def test_the_rpn_scores_and_deltas_of_each_map(experiment: dict[str, Any]) -> None:
    scores, deltas = experiment["rpn_head"][1]
    per_cell = 2 * 3
    for level, (score, delta) in enumerate(zip(scores, deltas, strict=True)):
        cells = (SIZE // 4 >> level) ** 2
        b, _, h, w = score.shape
        flat_scores = permute_and_flatten(score, b, per_cell, 1, h, w).flatten(1)
        flat_deltas = permute_and_flatten(delta, b, per_cell, 4, h, w).flatten(1)
        assert flat_scores.shape == (BATCH, cells * per_cell)
        assert flat_deltas.shape == (BATCH, cells * per_cell * 4)
    anchors = sum((SIZE // 4 >> level) ** 2 * per_cell for level in range(MAPS))
    assert [len(boxes) for boxes in experiment["anchors"][1]] == [anchors] * BATCH
    assert all(0 < len(boxes) <= LIMIT for boxes in experiment["proposals"][1][0])


def test_the_sampled_rois(experiment: dict[str, Any]) -> None:
    boxes, matched, labels, regression = experiment["samples"]
    rois = convert_boxes_to_roi_format(boxes)
    counts = [len(b) for b in boxes]
    assert rois.shape == (sum(counts), 5)
    assert rois[:, 0].tolist() == [0.0] * counts[0] + [1.0] * counts[1]
    assert all(count <= LIMIT for count in counts)
    for image in range(BATCH):
        truth = experiment["targets"][image]
        best, index = box_iou(boxes[image], truth["boxes"]).max(dim=1)
        positive = labels[image] > 0
        assert 0 < positive.sum() <= LIMIT // 4
        assert (best[positive] >= 0.5).all()
        assert (best[~positive] < 0.3).all()
        assert torch.equal(matched[image][positive], index[positive])
        assert torch.equal(labels[image][positive], truth["labels"][index[positive]])
        assert regression[image].shape == (counts[image], 4)


def test_the_head_outputs(experiment: dict[str, Any]) -> None:
    rois = sum(len(boxes) for boxes in experiment["samples"][0])
    assert experiment["pool"][1].shape == (rois, CHANNELS, 7, 7)
    assert experiment["embedding"][1].shape == (rois, HIDDEN)
    logits, deltas = experiment["outputs"][1]
    assert logits.shape == (rois, CLASSES)
    assert deltas.shape == (rois, 4)


def test_the_four_losses(experiment: dict[str, Any]) -> None:
    losses = experiment["losses"]
    assert {LOSS_NAMES[name] for name in losses} == {
        "L_rpn_cls",
        "L_rpn_bbox",
        "L_fast_rcnn_cls",
        "L_fast_rcnn_bbox",
    }
    assert all(loss.ndim == 0 and torch.isfinite(loss) and loss > 0 for loss in losses.values())
    logits, deltas = experiment["outputs"][1]
    _, _, labels, regression = experiment["samples"]
    labels, regression = torch.cat(labels), torch.cat(regression)
    by_hand_cls, by_hand_box = 0.0, 0.0
    for row in range(len(labels)):
        by_hand_cls -= float(functional.log_softmax(logits[row].double(), dim=0)[labels[row]])
        if labels[row] > 0:
            off = (deltas[row] - regression[row]).double().abs()
            by_hand_box += float(torch.where(off < 1 / 9, 4.5 * off**2, off - 1 / 18).sum())
    assert float(losses["loss_classifier"]) == pytest.approx(by_hand_cls / len(labels), rel=1e-4)
    assert float(losses["loss_box_reg"]) == pytest.approx(by_hand_box / len(labels), rel=1e-4)


# ---- loss weights


@pytest.mark.parametrize("seed", range(3))
def test_the_total_is_the_weighted_sum(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values, weights = torch.rand(4, generator=generator), torch.rand(4, generator=generator).tolist()
    names = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
    losses = dict(zip(names, values, strict=True))
    total = LossWeights(*weights).total(dict(reversed(losses.items())))
    assert float(total) == pytest.approx(sum(float(v) * w for v, w in zip(values, weights, strict=True)))
    assert float(LossWeights().total(losses)) == pytest.approx(float(values.sum()))
    with pytest.raises(ValueError, match="loss_mask"):
        LossWeights().total(losses | {"loss_mask": values[0]})
    with pytest.raises(ValueError, match="expected"):
        LossWeights().total({name: losses[name] for name in names[:3]})


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [field.name for field in fields(LossWeights)])
def test_loss_weights_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        LossWeights(**{name: value})


# ---- freezing


def test_a_frozen_backbone_stays_frozen() -> None:
    model = seeded(replace(TINY, freeze_backbone=True)).train()
    before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    assert model.training
    assert not any(module.training for module in model.backbone.modules())
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
    assert all(p.requires_grad for part in (model.rpn, model.roi_heads) for p in part.parameters())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = model(list(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))), targets(0, 64))
    LossWeights().total(losses).backward()
    optimizer.step()
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
    assert any(float(p.grad.abs().sum()) > 0 for p in model.roi_heads.parameters() if p.grad is not None)
    after = model.backbone.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)  # running statistics too
    model.eval().train()
    assert not model.backbone.training


def test_an_unfrozen_backbone_trains() -> None:
    model = seeded(TINY).train()
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


# ---- parts and settings


def test_dropout_is_silent_when_looking() -> None:
    embedding = BoxEmbedding(49, 6, dropout=0.5)
    pooled = torch.rand(5, 1, 7, 7)
    assert torch.equal(embedding.eval()(pooled), embedding(pooled))
    assert (embedding.train()(torch.rand(200, 1, 7, 7)) == 0).any()
    logits, deltas = AgnosticPredictor(6, 9)(embedding(pooled))
    assert (logits.shape, deltas.shape) == ((5, 9), (5, 4))


@pytest.mark.parametrize(("body", "stage"), list(itertools.product(BODIES, (1, 2))))
def test_every_body_makes_three_maps(body: Any, stage: int) -> None:
    config = replace(TINY, body=body, first_stage=stage, channels=16)
    with torch.device("meta"):
        model: Any = PyramidDetector(config)
        maps = model.backbone(torch.zeros(2, 3, 96, 128))
    stride = 4 * 2 ** (stage - 1)
    assert [tuple(m.shape) for m in maps.values()] == [
        (2, 16, 96 // (stride << level), 128 // (stride << level)) for level in range(3)
    ]
    assert isinstance(model.roi_heads, PyramidRoIHeads)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"anchor_sizes": ((8.0,), (16.0,), (64.0,)), "aspect_ratios": (1.0,)},
        {"body": "resnet18", "dropout": 0.0},
    ],
)
def test_settings_survive_json(changes: dict[str, Any]) -> None:
    import json

    config = replace(TINY, **changes)
    assert PyramidConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_classes": 1}, "num_classes is 1"),
        ({"anchor_sizes": ((8.0,), (16.0,))}, "three tuples"),
        ({"anchor_sizes": ((8.0,), (16.0,), (32.0, 64.0))}, "three tuples"),
        ({"first_stage": 0}, "first_stage is 0"),
        ({"first_stage": 3}, "first_stage is 3"),
        ({"hard_negative_by": "luck"}, "'luck'"),
        ({"detection_rule": "worst_class"}, "'worst_class'"),
        ({"body": "resnet51"}, "'resnet51'"),
        ({"channels": 0}, "channels is 0"),
        ({"hidden": -1}, "hidden is -1"),
        ({"dropout": 1.5}, "dropout is 1.5"),
        ({"positive_fraction": -0.1}, "positive_fraction is -0.1"),
        ({"hard_negative_share": float("nan")}, "hard_negative_share is nan"),
    ],
)  # fmt: skip
def test_bad_settings_say_what_is_expected(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        replace(TINY, **changes)
    assert "expected" in str(caught.value)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(ValueError, match="'colour'"):
        PyramidConfig.from_dict({"num_classes": 3, "colour": "red"})


def test_the_small_body_has_no_pretrained_weights() -> None:
    with pytest.raises(ValueError, match="small"):
        build_pyramid(TINY, pretrained_body=True)
