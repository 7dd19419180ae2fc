"""What the check of a capture computed, kept for the replayer that is made of this trace next.

A capture replays both filters to see whether it is faithful, and mostly somebody replays the trace a moment later.
Only the last capture is remembered, and only as long as its trace lives.

Shapes: `N` anchors, `R` RoIs, `K` categories.
"""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

if TYPE_CHECKING:
    from detector.tracing.filters import DetectionFate, Ledger, ProposalFate
    from detector.tracing.head import DecodedHead
    from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """What both filters see and do under the thresholds of the capture.

    Args:
        decoded: float [N, 4], the anchors moved by their deltas, not clipped, network frame.
        proposals: ledger over all N anchors.
        head: the second stage's output for the captured RoIs, decoded.
        detections: ledger over all R x (K-1) class slots.
    """

    decoded: Tensor
    proposals: Ledger[ProposalFate]
    head: DecodedHead
    detections: Ledger[DetectionFate]


@dataclass(frozen=True, slots=True, eq=False)
class _Parcel:
    """What was computed, and from what: tensors as they were then, and settings."""

    computed: Computed
    tensors: tuple[tuple[weakref.ref[Tensor], int], ...]
    settings: tuple[object, ...]


# By the RPN's deltas, which live as long as their trace. What was computed does not refer to them.
_LAST: MutableMapping[Tensor, _Parcel] = WeakIdKeyDictionary()


def hand_on(trace: Trace, computed: Computed) -> None:
    """Keep what was computed for `trace`; what was kept of another one goes."""
    _LAST.clear()
    tensors = _tensors(trace)
    if any(tensor.is_inference() for tensor in tensors):
        return  # nobody could tell if they are written to
    marks = tuple((weakref.ref(tensor), tensor._version) for tensor in tensors)
    _LAST[trace.rpn.deltas] = _Parcel(computed, marks, _settings(trace))


def handed_on(trace: Trace) -> Computed | None:
    """What was computed for a trace of the same tensors and settings; None where that is not known."""
    parcel = _LAST.get(trace.rpn.deltas)
    if parcel is None or parcel.settings != _settings(trace):
        return None
    pairs = zip(parcel.tensors, _tensors(trace), strict=True)
    same = all(mark() is tensor and version == tensor._version for (mark, version), tensor in pairs)
    return parcel.computed if same and parcel.computed.head.stage is trace.head else None


def _tensors(trace: Trace) -> tuple[Tensor, ...]:
    rpn, head = trace.rpn, trace.head
    return (
        rpn.deltas, rpn.anchors, rpn.objectness, head.boxes, head.anchor, head.class_logits, head.deltas
    )  # fmt: skip


def _settings(trace: Trace) -> tuple[object, ...]:
    return trace.rpn.grid, trace.input.network_size, trace.thresholds, trace.rules, trace.mode, trace.faithful
