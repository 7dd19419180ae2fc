"""Which anchors come near an object: exact, without comparing every box with every object in double precision.

Where the IoU of two boxes is at least `t`, so is the IoU of their intervals along either axis. That bounds all
four sides of a box that may be near an object. Comparing sides costs a few passes over N numbers for an object,
and only the few boxes that pass are compared exactly.

Shapes: `N` anchors, `G` objects, `P` pairs of an anchor and an object. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.data.ground_truth import GroundTruth
from detector.explaining.matching import iou_of
from detector.tracing.replay import Replay
from detector.tracing.trace import Size

# Bounds that are tried in turn for an object that nothing fits; the last one lets every box pass.
_LOOSER = (0.2, 0.05, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class NearAnchors:
    """The anchors that fit one object before or after their deltas.

    Args:
        index: int64 [n], rising.
        anchor_iou, decoded_iou: float64 [n], before and after; decoded boxes are clipped to the image.
    """

    index: Tensor
    anchor_iou: Tensor
    decoded_iou: Tensor


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


def nearest_box(replay: Replay, boxes: Tensor, truth: GroundTruth, index: int) -> tuple[int, float]:
    """The box of `boxes`, float [N, 4] in the network frame, with the highest IoU with one object, and the IoU."""
    trace, columns = replay.trace, boxes.T.contiguous()
    sides = trace.to_network(truth.boxes[index]).tolist()
    for bound in _LOOSER:
        some = _may_be_near(columns, sides, bound) if bound else torch.arange(len(boxes), device=boxes.device)
        iou = iou_of(trace.to_image(boxes[some]), truth.boxes[index].to(boxes.device))
        if len(some) and float(iou.max()) >= bound:
            best = iou.argmax()
            return int(some[best]), float(iou[best])
    raise ValueError("there are no boxes to look for the nearest among")


def _find(replay: Replay, truth: GroundTruth, bound: float) -> tuple[NearAnchors, ...]:
    trace, anchors, decoded = replay.trace, replay.trace.rpn.anchors, replay.proposals.boxes
    columns = anchors.T.contiguous(), decoded.T.contiguous()
    targets = trace.to_network(truth.boxes).tolist()
    nothing = torch.zeros(0, dtype=torch.int64, device=anchors.device)
    some = [
        nothing if crowd else torch.cat([_may_be_near(part, sides, bound) for part in columns]).unique()
        for sides, crowd in zip(targets, truth.crowd.tolist(), strict=True)
    ]
    # All pairs at once from here on: P is small, and a call costs more than a row.
    index = torch.cat((nothing, *some))
    counts = torch.tensor([len(part) for part in some], dtype=torch.int64)
    owner = torch.arange(len(truth)).repeat_interleave(counts)
    boxes = truth.boxes[owner].to(anchors.device)
    before, after = (iou_of(trace.to_image(part[index]), boxes).cpu() for part in (anchors, decoded))
    fits = (before >= bound) | (after >= bound)
    counts = torch.bincount(owner[fits], minlength=len(truth)).tolist()
    parts = (column[fits].split(counts) for column in (index.cpu(), before, after))
    return tuple(NearAnchors(*columns) for columns in zip(*parts, strict=True))


def _may_be_near(columns: Tensor, sides: list[float], bound: float) -> Tensor:
    """Indices, int64, of all boxes whose IoU with one box can be `bound` or more, and of some others.

    Args:
        columns: float [4, N], one row for each side.
        sides: x1, y1, x2, y2 of the box.
        bound: above 0.
    """
    alive: Tensor | None = None
    for side in range(4):
        low, high = sides[side % 2], sides[side % 2 + 2]
        length = high - low
        # The near end lies up to (1 - t) of the length inside, and up to (1/t - 1) of it outside.
        inside, outside = (1 - bound) * length, (1 / bound - 1) * length
        least, most = (low - outside, low + inside) if side < 2 else (high - inside, high + outside)
        slack = 1e-3 * length + 1e-6 * (abs(least) + abs(most))  # of single precision, and then some
        values = columns[side] if alive is None else columns[side][alive]
        passes = ((values >= least - slack) & (values <= most + slack)).nonzero().flatten()
        alive = passes if alive is None else alive[passes]
    assert alive is not None
    return alive
