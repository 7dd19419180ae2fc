"""Which anchors come near an object: exact, without comparing every box with every object.

Where the IoU of two boxes is at least `t`, so is the IoU of their intervals along either axis. That bounds all
four sides of a box that may be near an object, and only those few whose sides keep these bounds are compared
exactly. The sides are looked at by NumPy, which compares ten times faster than torch does on a CPU.

Shapes: `N` anchors, `G` objects, `n` anchors near one object. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.data.ground_truth import GroundTruth
from detector.explaining.matching import as_array, iou_of, iou_of_arrays
from detector.tracing.replay import Replay
from detector.tracing.trace import Size

_FIRST_TRY, _LAST_TRY = 0.2, 0.001


@dataclass(frozen=True, slots=True, eq=False)
class NearAnchors:
    """The anchors that fit one object before or after their deltas, on the CPU.

    Args:
        index: int64 [n].
        anchor_iou, decoded_iou: float64 [n], before and after; decoded boxes are clipped to the image.
        nearest: where none fits, the anchor that comes nearest, and its IoU.
        best_decoded: where none fits, the highest IoU of any decoded box; 0 otherwise.
    """

    index: Tensor
    anchor_iou: Tensor
    decoded_iou: Tensor
    nearest: tuple[int, float] | None = None
    best_decoded: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What was found for the anchors of one trace, and for what it holds."""

    anchors: Tensor
    sizes: tuple[Size, Size]
    truth: GroundTruth
    bound: float
    near: tuple[NearAnchors, ...]


# By the RPN's deltas, which live as long as their trace: no threshold moves an anchor or its decoded box.
_KNOWN: MutableMapping[Tensor, _Known] = WeakIdKeyDictionary()


def near_anchors(replay: Replay, truth: GroundTruth, bound: float) -> tuple[NearAnchors, ...]:
    """For each object the anchors that overlap it by `bound` or more, before or after their deltas.

    The last answer for a trace is remembered: moving a threshold changes nothing about it.

    Args:
        replay: any replay of the trace.
        truth: the objects; a crowd region gets no anchors.
        bound: in (0, 1].
    """
    trace, known = replay.trace, _KNOWN.get(replay.trace.rpn.deltas)
    sizes = trace.input.image_size, trace.input.network_size
    if (
        known is None or known.truth is not truth or known.bound != bound
        or known.anchors is not trace.rpn.anchors or known.sizes != sizes
    ):  # fmt: skip
        known = _Known(trace.rpn.anchors, sizes, truth, bound, _find(replay, truth, bound))
        _KNOWN[trace.rpn.deltas] = known
    return known.near


def _find(replay: Replay, truth: GroundTruth, bound: float) -> tuple[NearAnchors, ...]:
    trace = replay.trace
    pair = trace.rpn.anchors.cpu(), replay.proposals.boxes.cpu()
    sides = tuple(map(_sides, pair))
    targets = trace.to_network(truth.boxes).tolist()
    crowd = truth.crowd.tolist()
    some = [
        np.zeros(0, np.int64) if skip else _may_be_near(sides, target, bound)
        for target, skip in zip(targets, crowd, strict=True)
    ]
    counts = [len(part) for part in some]
    index = np.concatenate([np.zeros(0, np.int64), *some])
    boxes = as_array(trace.to_image(torch.stack([one[torch.from_numpy(index)] for one in pair])))
    overlap = iou_of_arrays(boxes, truth.boxes.numpy().repeat(counts, axis=0))
    fits = np.any(overlap >= bound, axis=0)
    found = []
    for place, (end, count) in enumerate(zip(np.cumsum(counts).tolist(), counts, strict=True)):
        own = end - count + np.flatnonzero(fits[end - count : end])
        before, after = torch.from_numpy(overlap[:, own])
        near = NearAnchors(torch.from_numpy(index[own]), before, after)
        if not len(own) and not crowd[place]:
            nearest, best = (
                _nearest(own, boxes, replay, targets[place], truth.boxes[place])
                for own, boxes in zip(sides, pair, strict=True)
            )
            near = replace(near, nearest=nearest, best_decoded=best[1])
        found.append(near)
    return tuple(found)


def _nearest(
    sides: np.ndarray, boxes: Tensor, replay: Replay, target: list[float], object_box: Tensor
) -> tuple[int, float]:
    """The box with the highest IoU with `object_box`, float [4] in the image frame, and this IoU."""
    bound = _FIRST_TRY
    while True:
        every = bound < _LAST_TRY
        some = torch.from_numpy(
            np.arange(len(boxes)) if every else _may_be_near((sides,), target, bound)
        )  # fmt: skip
        iou = iou_of(replay.trace.to_image(boxes[some]), object_box)
        best = float(iou.max()) if len(some) else 0.0
        if best >= bound or every:
            place = int(iou.argmax())
            return int(some[place]), best
        # What was left out may be better than this one, but only by less than the bound that left it out.
        bound = best or bound / 4


def _sides(boxes: Tensor) -> np.ndarray:
    """Boxes float [N, 4] as float [4, N], each side in one piece."""
    return np.ascontiguousarray(as_array(boxes).T)


def _may_be_near(several: Iterable[np.ndarray], target: list[float], bound: float) -> np.ndarray:
    """Indices, int64 and rising, of all boxes whose IoU with one box can be `bound` or more, and of some others.

    Args:
        several: sides, float [4, N] each, of the boxes that an index has; one of them is enough.
        target: x1, y1, x2, y2 of the box.
        bound: above 0.
    """
    limits = [_limits(target, side, bound) for side in range(4)]
    near = None
    for sides in several:
        passes = np.ones(sides.shape[1], dtype=bool)
        for values, (least, most) in zip(sides, limits, strict=True):
            passes &= values >= least
            passes &= values <= most
        near = passes if near is None else near | passes
    assert near is not None
    return np.flatnonzero(near)


def _limits(sides: list[float], side: int, bound: float) -> tuple[float, float]:
    """Least and most that one side of a box may be, whose IoU with a box of these `sides` is `bound` or more.

    Its near end lies up to (1 - t) of the length inside, and up to (1/t - 1) of it outside.
    """
    low, high = sides[side % 2], sides[side % 2 + 2]
    length = high - low
    inside, outside = (1 - bound) * length, (1 / bound - 1) * length
    least, most = (low - outside, low + inside) if side < 2 else (high - inside, high + outside)
    slack = 1e-3 * length + 1e-6 * (abs(least) + abs(most))  # of single precision, and then some
    return least - slack, most + slack
