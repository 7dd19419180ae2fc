"""Small pyramid detectors and objects to train them on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from detector.models.pyramid import PyramidConfig, build_pyramid

BODIES = ("small", "resnet18", "resnet34", "resnet50")
TINY = PyramidConfig(num_classes=4, body="small", channels=8, hidden=12, min_size=64, max_size=64)


def seeded(config: PyramidConfig, seed: int = 0) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_pyramid(config)


def targets(seed: int, size: int, count: int = 5, classes: int = 4) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((2, count, 2), generator=generator) * size * 0.6
    side = size * (0.1 + 0.3 * torch.rand((2, count, 2), generator=generator))
    labels = torch.randint(1, classes, (2, count), generator=generator)
    boxes = torch.cat((corner, corner + side), dim=2)
    return [{"boxes": b, "labels": label} for b, label in zip(boxes, labels, strict=True)]
