"""How near the RoIs come to one object, as heat over the image. Boxes are in the **image** frame."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.replay import Replay
from viz_app.figures.feature_maps import colorize

_LONGEST = 512


def object_ious(replay: Replay, index: int) -> Tensor:
    """IoU, float [R], of each RoI with object `index`."""
    truth = replay.trace.ground_truth
    boxes = replay.trace.to_image(replay.head.boxes).float()
    if truth is None or len(boxes) == 0:
        return boxes.new_zeros(len(boxes))
    return box_iou(boxes, truth.boxes[[index]].to(boxes))[:, 0]


def iou_map(replay: Replay, index: int) -> Tensor:
    """For each pixel the highest IoU with object `index` of any RoI over it, float [h, w]; NaN under none.

    Large images are halved until the longer side is 512 or less.
    """
    height, width = replay.trace.input.image_size
    scale = 2.0 ** -max(0, math.ceil(math.log2(max(height, width) / _LONGEST)))
    values = np.full((max(round(height * scale), 1), max(round(width * scale), 1)), np.nan, dtype=np.float32)
    ious = object_ious(replay, index).cpu().numpy()
    boxes = replay.trace.to_image(replay.head.boxes).cpu().double().numpy() * scale
    # The best are painted last; a pixel belongs to a box that holds its centre.
    for roi in ious.argsort(kind="stable").tolist():
        x1, y1, x2, y2 = np.ceil(boxes[roi] - 0.5).clip(min=0).astype(int).tolist()
        values[y1:y2, x1:x2] = ious[roi]
    return torch.from_numpy(values)


def iou_overlay(replay: Replay, index: int, opacity: float = 0.75) -> Tensor:
    """`iou_map` in colours from 0 to 1, clearer where the IoU is low; uint8 RGBA [h, w, 4]."""
    values = iou_map(replay, index)
    known = ~values.isnan()
    filled = torch.where(known, values, 0.0)
    alpha = (255 * opacity * (0.2 + 0.8 * filled) * known).round().to(torch.uint8)
    colors = torch.from_numpy(colorize(filled, 0, 1))
    return torch.cat((colors, alpha[..., None]), dim=2)
