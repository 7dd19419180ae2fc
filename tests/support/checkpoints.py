"""Small checkpoints and what the tests of loading ask of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection

from detector.models.pyramid import PyramidConfig, PyramidDetector, build_pyramid
from detector.models.zoo import load_detector

CONFIG = PyramidConfig(
    num_classes=4, body="small", first_stage=2, channels=16, hidden=24, min_size=64, max_size=96,
    anchor_sizes=((8.0,), (16.0,), (40.0,)), detection_rule="per_class", box_score=0.01,
)  # fmt: skip
NAMES = ("background", "disc", "star", "ring")
MOBILE = "fasterrcnn_mobilenet_v3_large_320_fpn"


def seeded(build: Callable[[], Any], seed: int = 0) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().eval()


@cache
def pyramid() -> PyramidDetector:
    return seeded(lambda: build_pyramid(CONFIG))


@cache
def default_pyramid() -> PyramidDetector:
    """With the anchors and sizes that a bare state dict is taken to have."""
    return seeded(lambda: build_pyramid(PyramidConfig(num_classes=3, body="small", channels=16, hidden=24)))


@cache
def mobile() -> Any:
    return seeded(lambda: detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=5, min_size=64, max_size=96,
    ))  # fmt: skip


def image(seed: int = 1) -> Tensor:
    return torch.rand(3, 64, 80, generator=torch.Generator().manual_seed(seed))


def assert_same_model(loaded: nn.Module, model: nn.Module) -> None:
    """Same tensors, and bit for bit the same detections."""
    ours, theirs = loaded.state_dict(), model.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not loaded.training
    with torch.no_grad():
        for got, want in zip(loaded([image()])[0].items(), model([image()])[0].items(), strict=True):
            assert got[0] == want[0]
            assert torch.equal(got[1], want[1])


def refusal(path: Path, **hints: Any) -> str:
    with pytest.raises(ValueError) as caught:
        load_detector(path, **hints)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence


def meta_state(name: str, **keywords: Any) -> dict[str, Tensor]:
    """Names and shapes of a model that torchvision itself builds, at no cost."""
    with torch.device("meta"):
        return dict(getattr(detection, name)(weights=None, weights_backbone=None, **keywords).state_dict())
