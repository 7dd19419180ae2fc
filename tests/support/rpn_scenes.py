"""What the tests of the RPN's figures look at, and the same numbers by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import plotly.graph_objects as go
import torch

from detector import GroundTruth, Replay, Replayer, capture
from support.models import shared_detector

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")


HEIGHT, WIDTH = 150, 210  # neither square nor a multiple of any stride: the network input is padded


OBJECTS = [[20.0, 30.0, 90.0, 110.0], [120.0, 40.0, 150.0, 75.0], [0.0, 0.0, 9.0, 9.0]]


@cache
def replayer_of(name: str = "pyramid_per_class") -> Replayer:
    detector = shared_detector(name)
    pixels = (
        torch.randint(0, 256, (3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1)).float() / 255
    )
    # The last object is a crowd region: nothing has to cover it.
    truth = GroundTruth(torch.tensor(OBJECTS), torch.tensor([1, 3, 1]), torch.tensor([False, False, True]))
    return Replayer(capture(detector, pixels, truth), detector)


@cache
def replayed(name: str = "pyramid_per_class") -> Replay:
    return replayer_of(name).replay()


def truth_of(replay: Replay) -> GroundTruth:
    assert replay.trace.ground_truth is not None
    return replay.trace.ground_truth


def drawn_boxes(figure: go.Figure, name: str) -> np.ndarray:
    """Boxes [n, 4] read back from the line trace called `name`."""
    trace = next(trace for trace in figure.data if trace.name == name)
    xs, ys = (np.asarray(values).reshape(-1, 6) for values in (trace.x, trace.y))
    return np.stack((xs[:, :5].min(1), ys[:, :5].min(1), xs[:, :5].max(1), ys[:, :5].max(1)), axis=1)


def decoded_by_hand(replay: Replay, anchor: int, *, clipped: bool = True) -> list[float]:
    """The box of one anchor, image frame, in plain arithmetic."""
    trace = replay.trace
    x1, y1, x2, y2 = trace.rpn.anchors[anchor].double().tolist()
    dx, dy, dw, dh = trace.rpn.deltas[anchor].double().tolist()
    width, height = x2 - x1, y2 - y1
    cx, cy = (x1 + x2) / 2 + dx * width, (y1 + y2) / 2 + dy * height
    w, h = width * np.exp(min(dw, 4.135166556742356)), height * np.exp(min(dh, 4.135166556742356))
    high, wide = trace.input.network_size
    xs, ys = [cx - w / 2, cx + w / 2], [cy - h / 2, cy + h / 2]
    if clipped:
        xs, ys = [min(max(x, 0), wide) for x in xs], [min(max(y, 0), high) for y in ys]
    return [xs[0] * WIDTH / wide, ys[0] * HEIGHT / high, xs[1] * WIDTH / wide, ys[1] * HEIGHT / high]
