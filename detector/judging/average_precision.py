"""COCO's average precision as arithmetic on matched detections: of one image, or of images drawn again and again.

Only hits move the curve, so only they are looked at: at each hit precision is known, the best one from there on is
what COCO takes, and it counts for as many of the 101 recalls as the hit is the first to reach.

Shapes: `B` draws, `I` images, `T` IoU thresholds, `D` detections, `H` hits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.coco_numbers import IOUS, RECALLS

if TYPE_CHECKING:
    from detector.judging.coco_matching import Matched

_ROOM = 4_000_000


def average_precision(matched: Matched, weights: np.ndarray) -> np.ndarray:
    """COCO's AP (IoU .50 to .95) for each draw of images, float64 [B]; NaN for a draw without objects.

    An image that is drawn twice counts as two images with the same content. That is exact but for ties: where
    detections of one category have equal scores, their order among copies of an image is not that of separate
    images.

    Args:
        matched: of all images.
        weights: int [B, I], how often each draw holds each image.
    """
    totals = np.zeros(len(weights))
    known = np.zeros(len(weights), dtype=np.int64)
    for column in range(matched.objects.shape[1]):
        objects = weights @ matched.objects[:, column]
        if not objects.any():
            continue
        values = _of_category(matched, column + 1, weights, objects)
        totals += np.where(objects > 0, values, 0.0)
        known += objects > 0
    return np.divide(totals, known, out=np.full(len(weights), np.nan), where=known > 0)


def _of_category(matched: Matched, label: int, weights: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """AP of one category, mean over the IoU thresholds, float64 [B]."""
    own = np.flatnonzero(matched.label == label)
    own = own[np.argsort(-matched.score[own], kind="mergesort")]
    values = np.zeros(len(weights))
    if not matched.hit[:, own].any():
        return values
    step = max(1, _ROOM // len(own))
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        drawn = weights[part][:, matched.image[own]]
        values[part] = sum(
            precision_area(drawn, hit, ignored, objects[part])
            for hit, ignored in zip(matched.hit[:, own], matched.ignored[:, own], strict=True)
        )
    return values / len(IOUS)


def precision_area(
    drawn: np.ndarray, hit: np.ndarray, ignored: np.ndarray, objects: np.ndarray
) -> np.ndarray:
    """The mean of COCO's precision over the 101 recalls, float64 [B]; 0 without hits or objects.

    Args:
        drawn: int [B, D], how often each detection counts, by falling score.
        hit: bool [D], whether it found an object.
        ignored: bool [D], whether it counts neither way.
        objects: int [B], how many there are to find.
    """
    places = np.flatnonzero(hit)
    if len(places) == 0:
        return np.zeros(len(drawn))
    counted = drawn * ~ignored if ignored.any() else drawn
    before = counted.cumsum(axis=1)[:, places]
    true = drawn[:, places].cumsum(axis=1)
    precision = np.divide(true, before, out=np.zeros(true.shape), where=before > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = true / np.maximum(objects, 1)[:, None]
    reached = np.searchsorted(RECALLS, recall, side="right")
    first = np.diff(reached, axis=1, prepend=0)
    return (precision * first).sum(axis=1) / len(RECALLS)
