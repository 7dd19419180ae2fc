"""COCO's greedy matching of all detections of many images at once, kept as flat columns.

What pycocotools decides image by image (`COCOeval.evaluateImg`) is decided here once; average precision of any
part of the images, with any of them counted more than once, is then arithmetic on the columns.

Shapes: `D` detections that COCO counts (the best 100 of a category on an image), `I` images, `T` IoU thresholds,
`K` categories with background, `M` detections and `G` objects of one image.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask

from detector.explaining.matching import inclusive
from detector.judging.coco_metrics import xywh
from detector.judging.coco_numbers import IOUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.judging.coco_metrics import ImageBoxes
    from detector.judging.rows import Found, Truth

MOST = 100
"""Detections of each image and category that COCO looks at, the best ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """All detections that count.

    Args:
        image: int64 [D], place of the image, in ascending order; within an image by category, then by score.
        label: int64 [D].
        score: float64 [D].
        hit: bool [T, D], whether it found an object.
        ignored: bool [T, D], whether it lies in a crowd region and counts neither way.
        objects: int64 [I, K-1], objects of each image and category without crowd regions.
    """

    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray


def match_images(images: Sequence[ImageBoxes], labels: int) -> Matched:
    """Match the detections of every image at COCO's ten IoU thresholds.

    Args:
        images: objects and detections.
        labels: K-1, the number of categories.
    """
    objects = np.zeros((len(images), labels), dtype=np.int64)
    rows: list[tuple[int, int, float]] = []
    hits, ignored = [np.zeros((len(IOUS), 0), dtype=bool)], [np.zeros((len(IOUS), 0), dtype=bool)]
    for place, image in enumerate(images):
        truths, found = _by_label(image.truth), _by_label(image.detections)
        for label, those in truths.items():
            objects[place, label - 1] = sum(not one.crowd for one in those)
        for label in sorted(found):
            ranked = ranked_best(found[label])
            rows += [(place, label, one.score) for one in ranked]
            matched, crowd = _matched(ranked, truths.get(label, []))
            hits.append((matched >= 0) & ~crowd)
            ignored.append(crowd)
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    place, label = columns[0].astype(np.int64), columns[1].astype(np.int64)
    return Matched(place, label, columns[2], np.hstack(hits), np.hstack(ignored), objects)


def ranked_best(found: Sequence[Found]) -> list[Found]:
    """By score, of equal scores the first one first; at most 100."""
    return sorted(found, key=lambda one: -one.score)[:MOST]


def overlaps_of(found: Sequence[Found], truth: Sequence[Truth]) -> np.ndarray:
    """pycocotools' IoU, float64 [M, G]; of a crowd region the share of the detection that lies in it."""
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    boxes, others = ([xywh(one.box) for one in part] for part in (found, truth))
    iou: Any = mask.iou  # its types know masks only
    return np.asarray(iou(boxes, others, [int(one.crowd) for one in truth]))


def greedy(overlaps: np.ndarray, crowd: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The object that each detection takes, int64 [T, M]; -1 for none.

    In order each detection takes the free object that it overlaps most, of equal ones the last, from the bound on;
    a real object is preferred to a crowd region, and a crowd region takes any number of detections.

    Args:
        overlaps: float64 [M, G], detections in order of score.
        crowd: bool [G].
        bounds: float64 [T], IoU from which on a detection may take an object.
    """
    taken = np.full((len(bounds), len(overlaps)), -1, dtype=np.int64)
    if overlaps.size == 0:
        return taken
    bounds = np.array([inclusive(bound) for bound in bounds])[:, None]
    free = np.broadcast_to(~crowd, (len(bounds), len(crowd))).copy()
    levels, last = np.arange(len(bounds)), len(crowd) - 1
    for detection in np.flatnonzero(overlaps.max(axis=1) >= bounds.min()):
        row = overlaps[detection]
        near = row >= bounds
        real, region = near & free, near & crowd
        allowed = np.where(real.any(axis=1, keepdims=True), real, region)
        # The last of the largest ones: argmax of the reversed row.
        best = last - np.where(allowed, row, -1.0)[:, ::-1].argmax(axis=1)
        chosen = np.where(allowed.any(axis=1), best, -1)
        taken[:, detection] = chosen
        some = chosen >= 0
        free[levels[some], chosen[some]] = False
    return taken


def _matched(ranked: Sequence[Found], truth: Sequence[Truth]) -> tuple[np.ndarray, np.ndarray]:
    """(object [T, M] or -1, whether that is a crowd region [T, M]) of one image and category."""
    crowd = np.array([one.crowd for one in truth], dtype=bool)
    if not truth:  # most false positives: there is no object of their category
        none = np.full((len(IOUS), len(ranked)), -1, dtype=np.int64)
        return none, none > 0
    taken = greedy(overlaps_of(ranked, truth), crowd, IOUS)
    return taken, crowd[taken] & (taken >= 0)


def _by_label(boxes: Sequence[Found] | Sequence[Truth]) -> dict[int, list]:
    parts: dict[int, list] = defaultdict(list)
    for one in boxes:
        parts[one.label].append(one)
    return parts
