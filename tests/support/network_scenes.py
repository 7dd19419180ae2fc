"""What the tests of the Full network's figures look at, and how they read them back."""

from __future__ import annotations

from functools import cache
from typing import Any

import plotly.graph_objects as go
import torch

from detector import Detector, GroundTruth, Replayer, capture
from detector.explaining.ladder import diagnose
from detector.explaining.verdicts import Diagnosis
from support.models import random_image, shared_detector, single_map_detector

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")


SIZE = (144, 208)  # resized to no multiple of any stride: the network input is padded


@cache
def replayer_of(name: str) -> Replayer:
    """Objects beside some of the model's own detections, one of them a crowd region, one far from all."""
    detector: Detector = single_map_detector() if name == "single map" else shared_detector(name)
    # In whole steps of 1/255, as a file holds them: a second forward sees the same values.
    image = (random_image(5, SIZE) * 255).round() / 255
    found = Replayer(capture(detector, image), detector).replay()
    chosen = torch.arange(0, len(found.labels), 4)[:5]
    boxes = torch.cat(
        (found.boxes[chosen] + torch.tensor([1.0, 0.0, 1.0, 2.0]), torch.tensor([[1.0, 1, 4, 4]]))
    )
    labels = torch.cat((found.labels[chosen], torch.tensor([1])))
    crowd = torch.zeros(len(boxes), dtype=torch.bool)
    crowd[1] = True
    return Replayer(capture(detector, image, GroundTruth(boxes, labels, crowd)), detector)


def diagnosed(name: str = "pyramid_per_class", **thresholds: float) -> Diagnosis:
    replayer = replayer_of(name)
    truth = replayer.trace.ground_truth
    assert truth is not None
    return diagnose(replayer.replay(replayer.trace.thresholds.replace(**thresholds)), truth)


def named(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)
