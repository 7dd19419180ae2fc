"""COCO's average precision as arithmetic on matched detections: of one image, or of images drawn again and again.

Only hits move the curve, so only they are looked at: at each hit precision is known, the best one from there on is
what COCO takes, and it counts for as many of the 101 recalls as the hit is the first to reach.

Shapes: `B` draws, `I` images, `T` IoU thresholds, `D` detections, `H` hits. Draws stand on the last axis: sums over
detections then run over whole rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.judging.coco_numbers import RECALLS

if TYPE_CHECKING:
    from detector.judging.coco_matching import Matched

_ROOM = 4_000_000
_PADDED = np.append(RECALLS, np.inf)


def average_precision(matched: Matched, weights: np.ndarray) -> np.ndarray:
    """COCO's AP (IoU .50 to .95) for each draw of images, float64 [B]; NaN for a draw without objects.

    An image that is drawn twice counts as two images with the same content. That is exact but for ties: where
    detections of one category have equal scores, their order among copies of an image is not that of separate
    images. Boxes are taken to have an area, as every box filter sees to.

    Args:
        matched: of all images.
        weights: int [B, I], how often each draw holds each image.
    """
    counts = np.ascontiguousarray(weights.T, dtype=np.int32)
    totals, known = np.zeros(len(weights)), np.zeros(len(weights), dtype=np.int64)
    for column in range(matched.objects.shape[1]):
        objects = matched.objects[:, column] @ counts
        if not objects.any():
            continue
        values = _of_category(matched, column + 1, counts, objects)
        totals += np.where(objects > 0, values, 0.0)
        known += objects > 0
    return np.divide(totals, known, out=np.full(len(weights), np.nan), where=known > 0)


def _of_category(matched: Matched, label: int, counts: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """AP of one category, mean over the IoU thresholds, float64 [B]; `counts` is int32 [I, B]."""
    own = np.flatnonzero(matched.label == label)
    own = own[np.argsort(-matched.score[own], kind="mergesort")]
    values = np.zeros(counts.shape[1])
    if not matched.hit[:, own].any():
        return values
    step = max(1, _ROOM // len(own))
    for start in range(0, len(values), step):
        part = slice(start, start + step)
        drawn = counts[matched.image[own], part]
        areas = precision_areas(drawn, matched.hit[:, own], matched.ignored[:, own], objects[part])
        values[part] = areas.mean(axis=0)
    return values


def precision_areas(
    drawn: np.ndarray, hit: np.ndarray, ignored: np.ndarray, objects: np.ndarray
) -> np.ndarray:
    """The mean of COCO's precision over the 101 recalls, float64 [T, B]; 0 without hits or objects.

    Args:
        drawn: int32 [D, B], how often each detection of one category counts, by falling score.
        hit: bool [T, D], whether it found an object.
        ignored: bool [T, D], whether it counts neither way.
        objects: int [B], how many there are to find.
    """
    so_far = drawn.cumsum(axis=0, dtype=np.int32)
    areas = np.zeros((len(hit), drawn.shape[1]))
    for level, (hits, neither) in enumerate(zip(hit, ignored, strict=True)):
        places = np.flatnonzero(hits)
        if not len(places):
            continue
        before = so_far[places]
        if neither.any():
            before = before - _before(drawn, np.flatnonzero(neither), places)
        true = drawn[places].cumsum(axis=0, dtype=np.int32)
        precision = np.divide(true, before, out=np.zeros(true.shape), where=before > 0)
        precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        first = np.diff(_reached(true / np.maximum(objects, 1)), axis=0, prepend=0)
        areas[level] = (precision * first).sum(axis=0) / len(RECALLS)
    return areas


def precision_area(hit: np.ndarray, ignored: np.ndarray, objects: int) -> np.ndarray:
    """As `precision_areas` where each detection counts once, float64 [T]; for few detections, all levels at once.

    Args:
        hit, ignored: bool [T, D], by falling score.
        objects: how many there are to find, at least one.
    """
    if not hit.any():
        return np.zeros(len(hit))
    true, counted = hit.cumsum(axis=1), (~ignored).cumsum(axis=1)
    precision = np.where(hit, true / np.maximum(counted, 1), 0.0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    first = np.diff(_reached(true / objects), axis=1, prepend=0)
    return (precision * first).sum(axis=1) / len(RECALLS)


def _before(drawn: np.ndarray, some: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How many of `some` detections come before each of `places`, int32 [H, B]."""
    sums = np.zeros((len(some) + 1, drawn.shape[1]), dtype=np.int32)
    drawn[some].cumsum(axis=0, out=sums[1:])
    return sums[np.searchsorted(some, places)]


def _reached(recall: np.ndarray) -> np.ndarray:
    """How many of COCO's 101 recalls are at most this one, int64: `searchsorted(..., "right")`, but quicker."""
    guess = (recall * (len(RECALLS) - 1)).astype(np.int64)
    # The product may be a hair off on either side.
    return guess + (_PADDED[guess] <= recall) + (_PADDED[guess + 1] <= recall)
