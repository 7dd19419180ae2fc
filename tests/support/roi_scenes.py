"""What the tests of the second stage's figures look at, and how they read boxes back."""

from __future__ import annotations

from functools import cache

import torch

from detector import GroundTruth, Replay, Replayer, capture
from support.models import shared_detector

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")


HEIGHT, WIDTH = 150, 210  # neither square nor a multiple of any stride: the network input is padded


OBJECTS = [[20.0, 30.0, 90.0, 110.0], [120.0, 40.0, 150.0, 75.0]]


@cache
def replayed(name: str = "pyramid_per_class") -> Replay:
    detector = shared_detector(name)
    pixels = (
        torch.randint(0, 256, (3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1)).float() / 255
    )
    truth = GroundTruth(torch.tensor(OBJECTS), torch.tensor([1, 3]))
    return Replayer(capture(detector, pixels, truth), detector).replay()
