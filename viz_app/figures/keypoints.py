"""Keypoints of Keypoint R-CNN: where they lie on the image, and the map that each was read from.

Shapes: `M` detections, `J` keypoints. Points are (x, y) in px, **image** frame.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import cv2
import numpy as np

from viz_app.figures.feature_maps import cell_heatmap
from viz_app.figures.masks import captured_place, layered

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from torch import Tensor

    from detector.tracing.replay import Replay

PERSON = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
"""COCO's keypoints of a person, which a model with 17 of them is taken to have."""

_BONES = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
_SIDES = (900, 1600)


def keypoint_names(count: int) -> tuple[str, ...]:
    """Names of J keypoints; numbers unless they are those of COCO's person."""
    return PERSON if count == len(PERSON) else tuple(f"keypoint {index}" for index in range(count))


def keypoints_of(replay: Replay, detection: int) -> Tensor | None:
    """(x, y) [J, 2] of one detection, image frame; None where the capture has none for it."""
    points, place = replay.trace.detections.keypoints, captured_place(replay)[detection]
    return None if points is None or place < 0 else points[place, :, :2]


def keypoint_overlay(replay: Replay, detections: Collection[int] | None = None) -> Tensor | None:
    """Dots and, for a person, bones as a layer over the image, uint8 [h, w, 4] RGBA; None without any.

    Args:
        replay: whose detections.
        detections: which of them; the best by default, as for masks. A colour for each, the best on top.
    """
    points = replay.trace.detections.keypoints
    if points is None:
        return None
    height, width = replay.trace.input.image_size
    longest = max(height, width)
    scale = min(max(longest, _SIDES[0]), _SIDES[1]) / longest
    size = max(1, round(height * scale)), max(1, round(width * scale))
    scaled = points[:, :, :2].detach().cpu().numpy() * scale
    return layered(replay, detections, size, lambda layer, place, color: _draw(layer, scaled[place], color))


def keypoint_figure(replay: Replay, detection: int, joint: int) -> go.Figure | None:
    """The map [56, 56] that one keypoint was read from: logits over the detection's box."""
    logits, place = replay.trace.detections.keypoint_logits, captured_place(replay)[detection]
    if logits is None or place < 0:
        return None
    figure = cell_heatmap(logits[place, joint], height=320, unit="logit")
    return figure.update_traces(xgap=0, ygap=0)


def _draw(layer: np.ndarray, points: np.ndarray, color: str) -> None:
    rgba = [*(int(color[start : start + 2], 16) for start in (1, 3, 5)), 255]
    size = max(2, round(max(layer.shape[:2]) / 260))
    places = [(round(x), round(y)) for x, y in np.nan_to_num(points).clip(-1e5, 1e5).tolist()]
    for first, second in _BONES if len(places) == len(PERSON) else ():
        cv2.line(layer, places[first], places[second], rgba, max(1, size // 2), cv2.LINE_AA)
    for place in places:
        cv2.circle(layer, place, size + 1, (255, 255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(layer, place, size, rgba, -1, cv2.LINE_AA)
