"""Checkpoints as other people save them: containers, prefixes, old names, half precision."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from support.checkpoints import (
    MOBILE,
    assert_same_model,
    default_pyramid,
    meta_state,
    mobile,
    refusal,
)
from torch import Tensor
from torchvision.models import detection

from detector.models.state_dicts import clean_state
from detector.models.zoo import load_detector


def containers(state: Mapping[str, Tensor]) -> dict[str, object]:
    args = argparse.Namespace(model=MOBILE, weights=None, rpn_score_thresh=0.125, dataset="coco", lr=0.02)
    return {
        "bare": dict(state),
        "reference script": {"model": dict(state), "optimizer": {"state": {}}, "epoch": 3, "args": args},
        "Lightning": {
            "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
            "epoch": 3, "pytorch-lightning_version": "2.6.6",
            "hyper_parameters": {"architecture": MOBILE, "lr": 0.1},
        },
        "tutorial": {"model_state_dict": dict(state), "loss": 0.5},
    }  # fmt: skip


@pytest.mark.parametrize("kind", list(containers({})))
def test_containers(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.pth"
    torch.save(containers(mobile().state_dict())[kind], path)
    hints: dict[str, Any] = {"min_size": 64, "max_size": 96}
    if kind in ("bare", "tutorial"):
        assert MOBILE in refusal(path)
        assert "architecture='fasterrcnn_mobilenet_v3_large_fpn'" in refusal(path)
        hints["architecture"] = MOBILE
    detector = load_detector(path, **hints)
    model: Any = detector.model
    assert model.rpn.score_thresh == (0.125 if kind == "reference script" else 0.05)
    model.rpn.score_thresh = 0.05
    assert_same_model(model, mobile())
    assert detector.categories == ("background", *(f"category {index}" for index in range(1, 5)))
    assert any("numbered" in note for note in detector.notes)


def test_a_real_lightning_checkpoint(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Task(lightning.LightningModule):
        def __init__(self, categories: list[str]) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.model = default_pyramid()
            self.register_buffer("steps", torch.zeros(1))

    path = tmp_path / "last.ckpt"
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(Task(["disc", "star"]))
    trainer.save_checkpoint(path)
    detector = load_detector(path)
    assert_same_model(detector.model, default_pyramid())
    assert detector.categories == ("background", "disc", "star")
    assert any("'steps'" in note for note in detector.notes)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "_orig_mod.", "ema.module.", "model._orig_mod.module.", "net."]
)
def test_prefixes(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "x.pth"
    state = {prefix + name: tensor for name, tensor in default_pyramid().state_dict().items()}
    torch.save(state, path, _use_new_zipfile_serialization=len(prefix) != 7)  # some in torch's older format
    assert_same_model(load_detector(path).model, default_pyramid())


def test_compiled_and_parallel_parts_inside(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    state = default_pyramid().state_dict()
    inside = {
        name.replace("backbone.", "backbone._orig_mod.").replace("rpn.head.", "rpn.head.module."): tensor
        for name, tensor in state.items()
    }
    safetensors.torch.save_file(inside, path)
    assert_same_model(load_detector(path).model, default_pyramid())


def test_two_copies(tmp_path: Path) -> None:
    path, state = tmp_path / "x.pth", default_pyramid().state_dict()
    averaged = {f"ema.{name}": torch.zeros_like(tensor) for name, tensor in state.items()}
    torch.save({f"model.{name}": tensor for name, tensor in state.items()} | averaged, path)
    detector = load_detector(path)
    assert_same_model(detector.model, default_pyramid())
    assert any("'ema." in note for note in detector.notes)
    torch.save(
        {f"{who}.{name}": tensor for name, tensor in state.items() for who in ("student", "teacher")}, path
    )
    assert "2 detectors" in refusal(path)
    torch.save(dict(state) | {f"module.{name}": tensor for name, tensor in state.items()}, path)
    assert "2 detectors" in refusal(path)
    torch.save(dict(state) | {"rpn.head.module.cls_logits.bias": state["rpn.head.cls_logits.bias"]}, path)
    assert "same tensor" in refusal(path)


def test_an_averaged_model_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(torch.optim.swa_utils.AveragedModel(default_pyramid()).state_dict(), path)
    detector = load_detector(path)
    assert_same_model(detector.model, default_pyramid())
    assert any("'n_averaged'" in note for note in detector.notes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "x.safetensors"
    state = default_pyramid().state_dict()
    half = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state.items()}
    safetensors.torch.save_file(half, path)
    loaded = load_detector(path).model.state_dict()
    for name, tensor in loaded.items():
        assert tensor.dtype == state[name].dtype
        assert torch.equal(tensor, half[name].to(tensor.dtype))


def test_names_of_older_torchvision() -> None:
    state = meta_state("maskrcnn_resnet50_fpn", num_classes=3)
    old: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for new_part, old_part in (
            *((f"mask_head.{index}.0.", f"mask_head.mask_fcn{index + 1}.") for index in range(4)),
            ("rpn.head.conv.0.0.", "rpn.head.conv."),
            *((f"fpn.inner_blocks.{index}.0.", f"fpn.inner_blocks.{index}.") for index in range(4)),
            *((f"fpn.layer_blocks.{index}.0.", f"fpn.layer_blocks.{index}.") for index in range(4)),
        ):  # fmt: skip
            name = name.replace(new_part, old_part)
        old[name] = tensor
    with torch.device("meta"):
        model = detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    model.load_state_dict(
        dict(old), assign=True
    )  # torchvision itself takes these for names of an older version
    assert set(old) != set(state)
    assert set(clean_state(old).tensors) == set(state)


def test_the_loaded_weights_are_ones_own(tmp_path: Path) -> None:
    state = dict(default_pyramid().state_dict())
    state["roi_heads.box_head.fc7.bias"] = state["roi_heads.box_head.fc6.bias"]  # one storage under two names
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path = tmp_path / "x.pth"
    path.write_bytes(buffer.getvalue())
    model: Any = load_detector(path).model
    with torch.no_grad():
        model.roi_heads.box_head.fc6.bias.fill_(5)
    assert not (model.roi_heads.box_head.fc7.bias == 5).any()
