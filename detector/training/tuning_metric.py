"""COCO's averages of many images at once, for a study that asks for them hundreds of times.

What pycocotools computes object by object is done here for all images together, with its arithmetic and its order,
so that the numbers agree to the last digits; of its four ranges of area only the whole one. Tests compare both.

Shapes: `I` images, `G` objects of the image with most, `D` detections, `T` = 10 IoU thresholds. Boxes are xyxy in
the image frame, labels 1..K-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.judging.coco_matching import MOST
from detector.judging.coco_numbers import IOUS, RECALLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.ground_truth import GroundTruth


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """Detections of all images in a row, those of an image in the model's order.

    Args:
        image: int64 [D], place of the image.
        boxes: float64 [D, 4].
        scores: float64 [D].
        labels: int64 [D].
    """

    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Averages:
    """What COCO says of all sizes together, and how good the detections are as they stand.

    Args:
        AP, AP50, AP75: average precision over IoU .50 to .95, at .50 and at .75.
        AR: average recall over IoU .50 to .95, 100 detections.
        F1: of all detections at IoU .50, whatever their score: 2 TP / (2 TP + FP + FN).
        detections: how many there are.
    """

    AP: float
    AP50: float
    AP75: float
    AR: float
    F1: float
    detections: int


class Judge:
    """The objects of all images, laid side by side once.

    Args:
        truths: of each image; at least one object that is no crowd region among them.
        labels: K-1, the number of categories.

    Raises:
        ValueError: no object at all.
    """

    def __init__(self, truths: Sequence[GroundTruth], labels: int) -> None:
        self._labels, self._images = labels, len(truths)
        most = max((len(truth) for truth in truths), default=0)
        self._boxes = np.zeros((len(truths), most, 4))
        self._of = np.zeros((len(truths), most), dtype=np.int64)
        self._crowd = np.zeros((len(truths), most), dtype=bool)
        for row, truth in enumerate(truths):
            count = len(truth)
            self._boxes[row, :count] = truth.boxes.double().numpy()
            self._of[row, :count] = truth.labels.numpy()
            self._crowd[row, :count] = truth.crowd.numpy()
        wanted = self._of[(self._of > 0) & ~self._crowd]
        self._objects = np.bincount(wanted, minlength=labels + 1)
        if not len(wanted):
            raise ValueError("the images hold no objects: there is nothing to tune for")

    def averages(self, found: Detected) -> Averages:
        """What COCO says of these detections."""
        found, rank = self._in_order(found)
        matched, ignored = self._match(found, rank)
        precision = np.full((len(IOUS), len(RECALLS), self._labels), -1.0)
        recall = np.full((len(IOUS), self._labels), -1.0)
        for label in np.flatnonzero(self._objects):
            of = np.flatnonzero(found.labels == label)
            of = of[np.argsort(-found.scores[of], kind="stable")]
            hit, counted = matched[of].T, ~ignored[of].T
            curves = _curves(hit & counted, ~hit & counted, int(self._objects[label]))
            precision[:, :, label - 1], recall[:, label - 1] = curves
        true = int((matched[:, 0] & ~ignored[:, 0]).sum())
        false = int((~matched[:, 0] & ~ignored[:, 0]).sum())
        return Averages(
            _mean(precision), _mean(precision[0]), _mean(precision[5]), _mean(recall),
            2 * true / (true + false + int(self._objects.sum())), len(found.scores),
        )  # fmt: skip

    def _in_order(self, found: Detected) -> tuple[Detected, np.ndarray]:
        """Best first within each image and category, the best `MOST` of them, and their rank in it."""
        group = found.image * (self._labels + 1) + found.labels
        order = np.lexsort((np.arange(len(group)), -found.scores, group))
        group = group[order]
        first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
        rank = np.arange(len(group)) - np.repeat(first, np.diff(np.r_[first, len(group)]))
        good = rank < MOST
        order = order[good]
        chosen = Detected(found.image[order], found.boxes[order], found.scores[order], found.labels[order])
        return chosen, rank[good]

    def _match(self, found: Detected, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each detection takes an object, and whether it is ignored, bool [D, T]: COCO's greedy rule.

        The detections of one rank, at most one of each image and category, are matched at once.
        """
        matched = np.zeros((len(rank), len(IOUS)), dtype=bool)
        ignored = np.zeros_like(matched)
        near = self._overlaps(found)
        places = np.flatnonzero(near.max(axis=1, initial=0.0) >= IOUS[0])
        objects, crowds = (self._of > 0) & ~self._crowd, (self._of > 0) & self._crowd
        taken = np.zeros((self._images, len(IOUS), self._of.shape[1]), dtype=bool)
        for number in np.unique(rank[places]):
            rows = places[rank[places] == number]
            image = found.image[rows]
            over = near[rows][:, None, :] >= IOUS[None, :, None]
            best = np.where(over & objects[image][:, None] & ~taken[image], near[rows][:, None, :], -1.0)
            which, hit = _last_best(best)
            # Rows of one rank may share an image, but then not a category, and so never an object.
            row, level = np.nonzero(hit)
            taken[image[row], level, which[row, level]] = True
            crowd = (over & crowds[image][:, None]).any(axis=2) & ~hit
            matched[rows], ignored[rows] = hit | crowd, crowd
        return matched, ignored

    def _overlaps(self, found: Detected) -> np.ndarray:
        """IoU, float64 [D, G], with the objects of the same image and category; as pycocotools' C code has it."""
        objects, crowd = self._boxes[found.image], self._crowd[found.image]
        x, y, w, h = _corner_and_side(found.boxes[:, None, :])
        ox, oy, ow, oh = _corner_and_side(objects)
        across = np.minimum(x + w, ox + ow) - np.maximum(x, ox)
        down = np.minimum(y + h, oy + oh) - np.maximum(y, oy)
        shared = np.where((across > 0) & (down > 0), across * down, 0.0)
        area, object_area = w * h, ow * oh
        union = np.where(crowd, np.broadcast_to(area, shared.shape), area + object_area - shared)
        same = self._of[found.image] == found.labels[:, None]
        return np.divide(shared, union, out=np.zeros_like(shared), where=same & (union > 0))


def _corner_and_side(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    return boxes[..., 0], boxes[..., 1], boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]


def _last_best(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of the largest value along the last axis, the last one among equals, and whether it is above -1."""
    if values.shape[2] == 0:
        return np.zeros(values.shape[:2], dtype=np.int64), np.zeros(values.shape[:2], dtype=bool)
    place = values.shape[2] - 1 - values[:, :, ::-1].argmax(axis=2)
    return place, np.take_along_axis(values, place[:, :, None], axis=2)[:, :, 0] > -1


def _curves(true: np.ndarray, false: np.ndarray, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision [T, 101] at each recall, made monotone, and the last recall [T], from bool [T, D] in order."""
    precision, last = np.zeros((len(true), len(RECALLS))), np.zeros(len(true))
    if not true.shape[1]:
        return precision, last
    hits, misses = np.cumsum(true, axis=1).astype(float), np.cumsum(false, axis=1).astype(float)
    recall, share = hits / objects, hits / (misses + hits + np.spacing(1))
    share = np.maximum.accumulate(share[:, ::-1], axis=1)[:, ::-1]
    for level in range(len(true)):
        place = np.searchsorted(recall[level], RECALLS, side="left")
        reached = place < true.shape[1]
        precision[level, reached] = share[level, place[reached]]
    return precision, recall[:, -1]


def _mean(values: np.ndarray) -> float:
    """As pycocotools averages: over what is not -1."""
    return float(values[values > -1].mean())
