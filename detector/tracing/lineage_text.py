"""A lineage as plain text with aligned columns, for a terminal and for copying.

Shapes: `K` categories with background. Boxes are xyxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

Rows = list[tuple[str, str]]
_MOST_NAMED, _ON_A_LINE = 8, 3


def lineage_text(lineage: Lineage, categories: Sequence[str]) -> str:
    """Every step of a lineage from the anchor to the detection, a few lines each.

    Args:
        lineage: of a class slot.
        categories: K names, index 0 is background.
    """
    rows: Rows = []
    if lineage.anchor is not None and lineage.proposal is not None:
        rows += [*_anchor_rows(lineage.anchor), *_proposal_rows(lineage.proposal)]
    rows += [*_roi_rows(lineage.roi), *_slot_rows(lineage.slot, categories)]
    rows.append(("detection", _detection_words(lineage)))
    if lineage.target is not None:
        rows += _target_rows(lineage.target, categories)
    return _aligned(rows)


def descendants_text(descendants: Descendants, categories: Sequence[str]) -> str:
    """What came of one anchor: its box, its RoI, the most probable slots, and what these removed.

    Args:
        descendants: of the anchor.
        categories: K names, index 0 is background.
    """
    rows = [*_anchor_rows(descendants.anchor), *_proposal_rows(descendants.proposal)]
    rows.append(("", f"removed in NMS: {_named(descendants.suppressed, 'anchor')}"))
    if descendants.roi is None:
        rows.append(("RoI", "none: the box did not reach the second stage"))
        return _aligned(rows)
    rows += _roi_rows(descendants.roi)
    for place, slot in enumerate(descendants.slots[:_MOST_NAMED]):
        said = f"{categories[slot.label]} {slot.score:.3f}, {fate_phrase(slot.fate)}"
        rows.append(("slots" if place == 0 else "", said))
    rows.append(("", f"removed in NMS: {_named(descendants.suppressed_slots, 'slot')}"))
    rows.append(("detections", _named(descendants.detections, "detection")))
    return _aligned(rows)


def fate_phrase(fate: ProposalFate | DetectionFate) -> str:
    """The name of a fate for people, such as `below top-n`."""
    return fate.name.lower().replace("_", " ").replace("top n", "top-n")


def _anchor_rows(anchor: AnchorStep) -> Rows:
    return [
        ("anchor", f"{anchor.index:,}"),
        ("", f"level {anchor.level}, cell row {anchor.y} column {anchor.x}, kind {anchor.kind}"),
        ("", f"side {anchor.size:.0f} px (network), height/width {anchor.ratio:.2f}"),
        *_box_rows(anchor.box),
    ]  # fmt: skip


def _proposal_rows(step: ProposalStep) -> Rows:
    place = "" if step.place is None else f" as proposal {step.place:,}"
    by = (
        ""
        if step.suppressor is None
        else f" by anchor {step.suppressor:,} (IoU {step.suppressor_iou or 0:.2f})"
    )
    return [
        ("proposal", f"objectness {step.probability:.3f} (logit {step.objectness:+.2f})"),
        ("", f"rank {step.level_rank:,} of {step.level_count:,} on its level"),
        ("", f"rank {step.rank:,} of {step.count:,} overall"),
        ("", _deltas(step.deltas)),
        *_box_rows(step.box),
        ("", f"{fate_phrase(step.fate)}{place}{by}"),
    ]  # fmt: skip


def _roi_rows(roi: RoiStep) -> Rows:
    origin = "" if roi.object is None else f", object #{roi.object} added in training"
    return [("RoI", f"{roi.index:,}: pooled from level {roi.level}{origin}"), *_box_rows(roi.box)]


def _slot_rows(slot: SlotStep, categories: Sequence[str]) -> Rows:
    by = (
        ""
        if slot.suppressor is None
        else f" by slot {slot.suppressor:,} (IoU {slot.suppressor_iou or 0:.2f})"
    )
    top = [f"{categories[label]} {score:.3f}" for label, score in slot.top]
    return [
        ("class slot", f"{slot.slot:,}: {categories[slot.label]} {slot.score:.3f}"),
        ("", f"best: {', '.join(top[:_ON_A_LINE])}"),
        *[("", f"then: {', '.join(rest)}") for rest in (top[_ON_A_LINE:],) if rest],
        ("", f"{_deltas(slot.deltas)} (times the coder's weights)"),
        *_box_rows(slot.after),
        ("", f"{fate_phrase(slot.fate)}{by}"),
    ]


def _detection_words(lineage: Lineage) -> str:
    return "none" if lineage.detection is None else f"number {lineage.detection} by score, from 0"


def _target_rows(target: TargetStep, categories: Sequence[str]) -> Rows:
    start = "" if target.anchor_iou is None else f"anchor {target.anchor_iou:.3f}, "
    ious = f"{start}proposal {target.proposal_iou:.3f}, refined {target.refined_iou:.3f}"
    return [("object", f"#{target.object} {categories[target.label]}"), ("IoU with it", ious)]


def _box_rows(box: Placed) -> Rows:
    return [("", f"network {_box(box.network)}"), ("", f"image   {_box(box.image)}")]


def _box(corners: Four) -> str:
    x1, y1, x2, y2 = (f"{value:.1f}" for value in corners)
    return f"{x1}, {y1} to {x2}, {y2}"


def _deltas(deltas: Four) -> str:
    return "deltas " + ", ".join(
        f"{name} {value:+.3f}" for name, value in zip(("dx", "dy", "dw", "dh"), deltas, strict=True)
    )


def _named(members: Sequence[int], noun: str) -> str:
    """A count and the first few numbers, such as `2 slots: 11, 41`."""
    if not members:
        return f"no {noun}"
    rest = ", ..." if len(members) > _MOST_NAMED else ""
    some = ", ".join(f"{member:,}" for member in members[:_MOST_NAMED])
    return f"{len(members):,} {noun}{'s' if len(members) > 1 else ''}: {some}{rest}"


def _aligned(rows: Rows) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}".rstrip() for name, text in rows)
