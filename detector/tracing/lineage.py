"""Lineage: from a detection back to the anchor it came of, and from an anchor to everything that came of it.

Shapes: `N` anchors, `R` RoIs, `K` categories with background, `G` objects, `M` detections. Boxes are xyxy.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, SupportsIndex, cast

import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.filters import DetectionFate, ProposalFate
from detector.tracing.lineage_records import (
    AnchorStep,
    Descendants,
    Four,
    Lineage,
    Placed,
    ProposalStep,
    RoiStep,
    SlotStep,
    TargetStep,
)
from detector.tracing.roi_origins import roi_origins

if TYPE_CHECKING:
    from detector.tracing.filters import Ledger
    from detector.tracing.replay import Replay
    from detector.tracing.trace import Trace

TOP = 5
"""How many of the categories of a RoI are told."""


def trace_lineage(replay: Replay, detection: int, target: int | None = None) -> Lineage:
    """Where one detection came from, with every number on the way.

    Args:
        replay: what both filters did.
        detection: its place among the kept ones, the best is 0.
        target: the object that its boxes are compared with; else the object of its category that it overlaps
            most, else one of any category. Crowd regions are never chosen.

    Raises:
        ValueError: there is no such detection or object.
    """
    kept = replay.detections.kept
    place = _must_be_one_of("detection", detection, len(kept))
    return lineage_of_slot(replay, int(kept[place]), target)


def lineage_of_slot(replay: Replay, slot: int, target: int | None = None) -> Lineage:
    """The lineage of any class slot, whether it was kept or not; arguments and errors as `trace_lineage`.

    Args:
        replay: what both filters did.
        slot: index among all R x (K-1) class slots.
        target: as `trace_lineage` takes it.
    """
    slot = _must_be_one_of("slot", slot, len(replay.detections))
    roi = _roi_step(replay, int(replay.roi_of(torch.tensor(slot))))
    anchor = _anchor_of(replay, roi.index)
    step = _slot_steps(replay, roi, [slot])[0]
    kept = (replay.detections.kept == slot).nonzero().flatten()
    start = None if anchor is None else anchor_step(replay.trace, anchor)
    return Lineage(
        anchor=start,
        proposal=None if anchor is None else proposal_step(replay, anchor),
        roi=roi,
        slot=step,
        detection=int(kept[0]) if len(kept) else None,
        target=_target_step(replay.trace, start, step, target),
    )


def descendants_of(replay: Replay, anchor: int) -> Descendants:
    """Everything that came of one anchor: its box, its RoI, the RoI's slots, and what these removed.

    Raises:
        ValueError: there is no such anchor.
    """
    anchor = _must_be_one_of("anchor", anchor, len(replay.proposals))
    found = (_anchors(replay) == anchor).nonzero().flatten()
    roi = _roi_step(replay, int(found[0])) if len(found) else None
    slots = () if roi is None else _all_slots(replay, roi)
    own = torch.tensor([step.slot for step in slots], dtype=torch.int64)
    removed = [replay.detections.suppressed_by(slot) for slot in _shared(own, replay.detections.winners)]
    places = {slot: place for place, slot in enumerate(replay.detections.kept.tolist())}
    return Descendants(
        anchor=anchor_step(replay.trace, anchor),
        proposal=proposal_step(replay, anchor),
        suppressed=tuple(replay.proposals.suppressed_by(anchor).tolist()),
        roi=roi,
        slots=slots,
        suppressed_slots=tuple(sorted(torch.cat(removed).tolist())) if removed else (),
        detections=tuple(sorted(places[slot] for slot in own.tolist() if slot in places)),
    )


def anchor_step(trace: Trace, anchor: int) -> AnchorStep:
    """Place, size and box of one anchor."""
    box = trace.rpn.anchors[anchor]
    level, y, x, kind = trace.rpn.cell_of(torch.tensor(anchor, device=box.device)).tolist()
    width, height = (box[2:] - box[:2]).tolist()
    return AnchorStep(anchor, level, y, x, kind, (width * height) ** 0.5, height / width, placed(trace, box))


def proposal_step(replay: Replay, anchor: int) -> ProposalStep:
    """What the RPN made of one anchor, and what its filter did to that."""
    trace, ledger = replay.trace, replay.proposals
    scores = trace.rpn.objectness
    own = scores[anchor]
    on_level = scores[ledger.labels == ledger.labels[anchor]]
    place = (ledger.kept == anchor).nonzero().flatten()
    suppressor, iou = _suppressor(trace, ledger, anchor)
    return ProposalStep(
        objectness=float(own),
        probability=float(ledger.scores[anchor]),
        level_rank=1 + int((on_level > own).sum()),
        level_count=len(on_level),
        rank=1 + int((scores > own).sum()),
        count=len(scores),
        place=int(place[0]) + 1 if len(place) else None,
        deltas=_four(trace.rpn.deltas[anchor]),
        box=placed(trace, ledger.boxes[anchor]),
        fate=ProposalFate(int(ledger.fate[anchor])),
        suppressor=suppressor,
        suppressor_iou=iou,
    )


def placed(trace: Trace, box: Tensor) -> Placed:
    """A box [4] of the network frame in both frames."""
    return Placed(_four(box), _four(trace.to_image(box)))


def _roi_step(replay: Replay, roi: int) -> RoiStep:
    head, trace = replay.head, replay.trace
    origin = None
    if trace.training is not None:
        origin = int(roi_origins(trace).object[roi])
    return RoiStep(
        roi, int(head.level[roi]), placed(trace, head.boxes[roi]), None if origin in (None, -1) else origin
    )


def _anchors(replay: Replay) -> Tensor:
    """The anchor of each RoI, int64 [R]; -1 where there is none."""
    trace = replay.trace
    return replay.head.anchor if trace.training is None else roi_origins(trace).anchor


def _anchor_of(replay: Replay, roi: int) -> int | None:
    anchor = int(_anchors(replay)[roi])
    return anchor if anchor >= 0 else None


def _all_slots(replay: Replay, roi: RoiStep) -> tuple[SlotStep, ...]:
    """Every class slot of a RoI, the most probable first."""
    scores = replay.class_scores[roi.index, 1:]
    order = scores.argsort(descending=True, stable=True)
    return _slot_steps(replay, roi, (roi.index * len(scores) + order).tolist())


def _slot_steps(replay: Replay, roi: RoiStep, slots: list[int]) -> tuple[SlotStep, ...]:
    """Some class slots of one RoI."""
    trace, ledger = replay.trace, replay.detections
    every = replay.class_scores[roi.index].topk(min(TOP, replay.class_scores.shape[1]))
    top = tuple(zip(every.indices.tolist(), every.values.tolist(), strict=True))
    deltas = replay.head.deltas[roi.index].reshape(-1, 4)
    steps = []
    for slot in slots:
        label = int(ledger.labels[slot])
        suppressor, iou = _suppressor(trace, ledger, slot)
        steps.append(
            SlotStep(
                slot, label, float(ledger.scores[slot]),
                _four(deltas[label if replay.class_boxes.shape[1] > 1 else 0]),
                roi.box, placed(trace, ledger.boxes[slot]), DetectionFate(int(ledger.fate[slot])),
                suppressor, iou, top,
            )
        )  # fmt: skip
    return tuple(steps)


def _suppressor(
    trace: Trace, ledger: Ledger[ProposalFate] | Ledger[DetectionFate], candidate: int
) -> tuple[int | None, float | None]:
    """Who removed a candidate in NMS, and the IoU of both, image frame."""
    by = int(ledger.suppressor_of(torch.tensor([candidate]))[0])
    if by < 0:
        return None, None
    first, second = trace.to_image(ledger.boxes[[candidate, by]])
    return by, _iou(first, second)


def _target_step(
    trace: Trace, anchor: AnchorStep | None, slot: SlotStep, target: int | None
) -> TargetStep | None:
    truth = trace.ground_truth
    if target is not None:
        target = _must_be_one_of("object", target, 0 if truth is None else len(truth))
    if truth is None or (target := _nearest(trace, slot) if target is None else target) is None:
        return None
    box = truth.boxes[target]
    return TargetStep(
        object=target,
        label=int(truth.labels[target]),
        box=Placed(_four(trace.to_network(box)), _four(box)),
        anchor_iou=None if anchor is None else _iou(torch.tensor(anchor.box.image), box),
        proposal_iou=_iou(torch.tensor(slot.before.image), box),
        refined_iou=_iou(torch.tensor(slot.after.image), box),
    )


def _nearest(trace: Trace, slot: SlotStep) -> int | None:
    """The object of the slot's category that its box overlaps most, else of any category; None if none."""
    truth = trace.ground_truth
    assert truth is not None
    found = box_iou(torch.tensor([slot.after.image]).double(), truth.boxes.cpu().double())[0]
    found = found.masked_fill(truth.crowd.cpu(), 0.0)
    for allowed in (truth.labels.cpu() == slot.label, torch.ones_like(truth.crowd.cpu())):
        overlap = found.masked_fill(~allowed, 0.0)
        if len(overlap) and float(overlap.max()) > 0:
            return int(overlap.argmax())
    return None


def _iou(first: Tensor, second: Tensor) -> float:
    first, second = (box.detach().cpu().double()[None] for box in (first, second))
    return float(box_iou(first, second).nan_to_num()[0, 0])


def _four(values: Tensor) -> Four:
    return cast("Four", tuple(values.detach().float().tolist()))


def _shared(some: Tensor, others: Tensor) -> list[int]:
    return some[torch.isin(some, others.cpu())].tolist()


def _must_be_one_of(what: str, index: SupportsIndex, count: int) -> int:
    """The index as a plain number; ValueError where it names none of `count` things."""
    whole = not isinstance(index, bool) and hasattr(index, "__index__")
    if not whole or not 0 <= operator.index(index) < count:
        expected = f"expected 0 to {count - 1}" if count else f"but there is no {what} on this image"
        raise ValueError(f"{what} is {index!r}; {expected}")
    return operator.index(index)
