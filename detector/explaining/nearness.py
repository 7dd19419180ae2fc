"""Which anchors come near an object: exact, without comparing every box with every object.

Where the IoU of two boxes is at least `t`, so is the IoU of their intervals along either axis. That bounds all
four sides of a box that may be near an object. The boxes are sorted by where they begin, so that an object looks
at a part of them only, and only those few whose sides allow it are compared exactly.

Shapes: `N` anchors, `G` objects, `n` anchors near one object. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.data.ground_truth import GroundTruth
from detector.explaining.matching import iou_of
from detector.tracing.replay import Replay
from detector.tracing.trace import Size

_SLABS = 256
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
    before, after = _BoxIndex(trace.rpn.anchors), _BoxIndex(replay.proposals.boxes)
    targets = trace.to_network(truth.boxes).tolist()
    found = []
    for place, (sides, crowd) in enumerate(zip(targets, truth.crowd.tolist(), strict=True)):
        some = [before.near(sides, bound), after.near(sides, bound)]
        index = torch.cat(some).unique() if not crowd else some[0][:0]
        boxes = torch.stack((trace.rpn.anchors[index], replay.proposals.boxes[index]))
        own, decoded = iou_of(trace.to_image(boxes), truth.boxes[place].to(boxes.device)).cpu()
        fits = (own >= bound) | (decoded >= bound)
        near = NearAnchors(index.cpu()[fits], own[fits], decoded[fits])
        if not len(near.index) and not crowd:
            pairs = ((before, trace.rpn.anchors), (after, replay.proposals.boxes))
            nearest, best = (_nearest(*pair, replay, sides, truth.boxes[place]) for pair in pairs)
            near = replace(near, nearest=nearest, best_decoded=best[1])
        found.append(near)
    return tuple(found)


def _nearest(
    index: _BoxIndex, boxes: Tensor, replay: Replay, sides: list[float], target: Tensor
) -> tuple[int, float]:
    """The box with the highest IoU with `target`, float [4] in the image frame, and this IoU."""
    bound = _FIRST_TRY
    while True:
        every = bound < _LAST_TRY
        some = torch.arange(len(boxes), device=boxes.device) if every else index.near(sides, bound)
        iou = iou_of(replay.trace.to_image(boxes[some]), target.to(boxes.device))
        best = float(iou.max()) if len(some) else 0.0
        if best >= bound or every:
            place = int(iou.argmax())
            return int(some[place]), best
        # What was left out may be better than this one, but only by less than the bound that left it out.
        bound = best or bound / 4


class _BoxIndex:
    """Boxes float [N, 4], sorted into slabs by where they begin along x."""

    def __init__(self, boxes: Tensor) -> None:
        begin = boxes[:, 0].nan_to_num(0.0)
        self._low = float(begin.min()) if len(begin) else 0.0
        self._per_pixel = (_SLABS - 1) / max(float(begin.max()) - self._low, 1.0) if len(begin) else 0.0
        # One byte each: they sort ten times faster than the numbers themselves.
        slab = ((begin - self._low) * self._per_pixel).clamp(0, _SLABS - 1).to(torch.uint8)
        self._order = slab.argsort()
        self._sides = boxes[self._order].T.contiguous()
        counts = torch.bincount(slab, minlength=_SLABS)
        self._starts = [0, *counts.cumsum(0).tolist()]

    def near(self, sides: list[float], bound: float) -> Tensor:
        """Indices, int64, of all boxes whose IoU with one box can be `bound` or more, and of some others.

        Args:
            sides: x1, y1, x2, y2 of the box.
            bound: above 0.
        """
        limits = [_limits(sides, side, bound) for side in range(4)]
        first, last = (self._slab(limit) for limit in limits[0])
        part = slice(self._starts[max(first - 1, 0)], self._starts[min(last + 2, _SLABS)])
        passes = torch.ones(part.stop - part.start, dtype=torch.bool, device=self._order.device)
        for side, (least, most) in enumerate(limits):
            values = self._sides[side, part]
            passes &= (values >= least) & (values <= most)
        return self._order[part][passes]

    def _slab(self, x: float) -> int:
        return int(min(max((x - self._low) * self._per_pixel, 0), _SLABS - 1))


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
