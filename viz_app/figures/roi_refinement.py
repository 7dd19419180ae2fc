"""RoIs before and after their deltas: as boxes, and as arrows from corner to corner.

Shapes: `n` RoIs. Boxes are in the **image** frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.replay import Replay
from viz_app.figures.fast_rcnn import best_classes, roi_hover
from viz_app.figures.palette import GREY, category_color
from viz_app.figures.picture import BoxGroup
from viz_app.figures.roi_items import roi_items

_ARROW_SIDE = 1400  # px of the longer side of the layer of arrows
_FRACTION_BITS = 4


@dataclass(frozen=True, slots=True)
class Gain:
    """What the deltas did to some RoIs that were not taken for background.

    Args:
        rois: how many.
        before, after: mean IoU with the object that each RoI covers best before its refinement.
    """

    rois: int
    before: float
    after: float


def winning_classes(replay: Replay) -> Tensor:
    """The most probable category of each RoI, int64 [R], the background (0) included."""
    return replay.class_scores.argmax(dim=1)


def drawn_rois(replay: Replay, order: Tensor, count: int, seed: int | None = None) -> Tensor:
    """The first `count` of `order`, int64, or as many drawn at random under a seed."""
    if seed is None:
        return order[:count]
    generator = torch.Generator().manual_seed(seed)
    return order[torch.randperm(len(order), generator=generator)[:count].to(order.device)]


def refined_boxes(replay: Replay, rois: Tensor) -> Tensor:
    """Boxes, float [n, 4], after the deltas of each RoI's most probable category but background."""
    labels = best_classes(replay)[0][rois]
    column = labels if replay.class_boxes.shape[1] > 1 else torch.zeros_like(labels)
    return replay.trace.to_image(replay.class_boxes[rois, column])


def mean_gain(replay: Replay, rois: Tensor) -> Gain | None:
    """What the refinement gave some RoIs, int64 [n]; None without objects, or where all were background."""
    truth, rois = replay.trace.ground_truth, rois[winning_classes(replay)[rois] > 0]
    if truth is None or not bool((~truth.crowd).any()) or len(rois) == 0:
        return None
    objects = truth.boxes[~truth.crowd].float()
    before = box_iou(replay.trace.to_image(replay.head.boxes[rois]).float().cpu(), objects).max(dim=1)
    after = box_iou(refined_boxes(replay, rois).float().cpu(), objects)
    same = after.gather(1, before.indices[:, None])
    return Gain(len(rois), float(before.values.mean()), float(same.mean()))


def refinement_groups(replay: Replay, rois: Tensor, *, before: bool, after: bool) -> list[BoxGroup]:
    """RoIs in the colour of what they were taken for, background dotted grey; and their refined boxes.

    Args:
        replay: the RoIs.
        rois: int64 [n].
        before: draw the RoIs themselves.
        after: draw the refined boxes of those that were not taken for background.
    """
    won, groups = winning_classes(replay)[rois], []
    start = replay.trace.to_image(replay.head.boxes[rois])
    end = refined_boxes(replay, rois)
    for label in won.unique().tolist():
        places = (won == label).nonzero().flatten()
        members, name = rois[places], replay.trace.categories[label]
        rest = {"hover": roi_hover(replay, members), "items": roi_items(replay, members)}
        color = category_color(label - 1) if label else GREY
        if before:
            groups.append(
                BoxGroup(
                    start[places], name, color, dash="solid" if label and not after else "dot",
                    width=1.5 if label else 1, opacity=1 if label else 0.8, **rest,
                )
            )  # fmt: skip
        if after and label:
            groups.append(BoxGroup(end[places], f"{name}, refined", color, width=2, **rest))
    return groups


def arrow_overlay(replay: Replay, rois: Tensor) -> Tensor:
    """Arrows from the top left and bottom right corners of RoIs to those of their refined boxes.

    Two corners say all: where the box went and how it grew. uint8 RGBA [h, w, 4], to be stretched over the
    image.
    """
    height, width = replay.trace.input.image_size
    scale = _ARROW_SIDE / max(height, width)
    canvas = np.zeros((max(round(height * scale), 1), max(round(width * scale), 1), 4), dtype=np.uint8)
    won = winning_classes(replay)[rois].tolist()
    start = replay.trace.to_image(replay.head.boxes[rois]).cpu().numpy() * scale
    end = refined_boxes(replay, rois).cpu().numpy() * scale
    for label, old, new in zip(won, start, end, strict=True):
        color = category_color(label - 1) if label else GREY
        red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
        for corner in (slice(0, 2), slice(2, 4)):
            _arrow(canvas, old[corner], new[corner], (red, green, blue, 255))
    return torch.from_numpy(canvas)


def _arrow(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, color: tuple[int, int, int, int]) -> None:
    """One arrow with a dark rim, in place; nothing for a move too short to be seen."""
    length = float(np.hypot(*(end - start)))
    if not np.isfinite(length) or length < 2:
        return
    unit = 1 << _FRACTION_BITS
    points = [tuple(int(value) for value in np.round(point * unit)) for point in (start, end)]
    tip = min(14.0 / length, 0.5)
    for shade, width in (((0, 0, 0, 130), 6), (color, 3)):
        cv2.arrowedLine(canvas, points[0], points[1], shade, width, cv2.LINE_AA, _FRACTION_BITS, tip)
