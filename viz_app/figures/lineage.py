"""Y2: the lineage of one detection as a row of small pictures, from its anchor to its end.

All pictures of a row show the same part of the image, so that one sees the box move from step to step. Boxes
are in the **image** frame; a thumbnail is uint8 RGB [h, w, 3].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.tracing.filters import DetectionFate
from viz_app.figures.lettering import Lettering
from viz_app.figures.lineage_window import Painter, box_group, box_row
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    GROUND_TRUTH,
    LIGHT_HALO,
    PURPLE,
    SKY,
    fate_color,
    fate_words,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.strip import Stage
from viz_app.figures.words import size_words
from viz_app.links import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.tracing.lineage_records import Lineage
    from detector.tracing.replay import Replay
    from detector.tracing.trace import Trace

_GAP, _TITLE = 10, 15
_ROI_COLOR = SKY


@dataclass(frozen=True, slots=True, eq=False)
class LineageStep:
    """One step of a lineage.

    Args:
        title: its name.
        thumbnail: uint8 RGB [h, w, 3].
        headline: the number that matters most.
        notes: the other numbers, a line each.
        iou: with the object of the lineage; None without one, or where the box is the one before.
        item: what stands for it in the whole app, None where nothing does.
        stage: of the strip, whose page is about it.
    """

    title: str
    thumbnail: np.ndarray
    headline: str
    notes: tuple[str, ...]
    iou: float | None
    item: Selected | None
    stage: Stage


def lineage_steps(replay: Replay, lineage: Lineage) -> tuple[LineageStep, ...]:
    """Anchor, proposal, RoI, class slot and detection; the first two are missing where no anchor is known."""
    painter = Painter(replay.trace, lineage)
    first = (_anchor_step(lineage, painter), _proposal_step(lineage, painter))
    known = tuple(step for step in first if step is not None)
    return (
        *known,
        _roi_step(lineage, painter),
        _slot_step(replay, lineage, painter),
        _end_step(replay, lineage, painter),
    )


def lineage_groups(trace: Trace, lineage: Lineage) -> list[BoxGroup]:
    """The boxes of a lineage on the whole image: anchor dotted, proposal dashed, refined box solid, its object."""
    name = f"{trace.categories[lineage.slot.label]} {lineage.slot.score:.2f}"
    start = [] if lineage.anchor is None else [box_group(lineage.anchor.box, "anchor", PURPLE, "dot")]
    boxes = [*start, box_group(lineage.roi.box, "proposal" if start else "RoI", _ROI_COLOR, "dash")]
    boxes.append(box_group(lineage.slot.after, "refined box", ACCENT, label=name, item=_slot_item(lineage)))
    if lineage.target is None:
        return boxes
    wanted = BoxGroup(
        box_row(lineage.target.box), f"object #{lineage.target.object}", GROUND_TRUTH, dash="dash", halo=DARK_HALO,
        counted=False, items=(Selected("object", lineage.target.object),),
    )  # fmt: skip
    return [wanted, *boxes]


def lineage_row(steps: Sequence[LineageStep]) -> np.ndarray:
    """The pictures of all steps side by side with their titles, uint8 RGB [h, w, 3]: the row as one picture."""
    letters = Lettering(_TITLE, bold=True)
    height = max(step.thumbnail.shape[0] for step in steps)
    parts = []
    for step in steps:
        rows, columns = step.thumbnail.shape[:2]
        part = np.full((height + letters.line + 6, columns + _GAP, 3), 255, dtype=np.uint8)
        part[letters.line + 6 : letters.line + 6 + rows, :columns] = step.thumbnail
        letters.write(part, step.title, (0, 2))
        parts.append(part)
    return np.hstack(parts)[:, :-_GAP]


def _anchor_step(lineage: Lineage, painter: Painter) -> LineageStep | None:
    anchor = lineage.anchor
    if anchor is None:
        return None
    return LineageStep(
        "Anchor", painter.draw(box_group(anchor.box, "anchor", PURPLE)), f"number {anchor.index:,}",
        (
            f"level {anchor.level}, row {anchor.y}, column {anchor.x}",
            f"kind {anchor.kind}: side {anchor.size:.0f} px", f"height/width {anchor.ratio:.2f}",
        ),
        None if lineage.target is None else lineage.target.anchor_iou,
        Selected("anchor", anchor.index), Stage.ANCHORS,
    )  # fmt: skip


def _proposal_step(lineage: Lineage, painter: Painter) -> LineageStep | None:
    anchor, step = lineage.anchor, lineage.proposal
    if anchor is None or step is None:
        return None
    kept = fate_words(step.fate) if step.place is None else f"proposal {step.place:,}"
    return LineageStep(
        "Proposal",
        painter.draw(box_group(anchor.box, "anchor", PURPLE, "dot"), box_group(step.box, "proposal", _ROI_COLOR)),
        f"objectness {step.probability:.3f}",
        (
            f"rank {step.level_rank:,} of {step.level_count:,} on level {anchor.level}",
            f"rank {step.rank:,} of {step.count:,} overall", *_delta_words(step.deltas),
            f"logit {_signed(step.objectness)}, {kept}",
        ),
        None if lineage.target is None else lineage.target.proposal_iou,
        Selected("anchor", anchor.index), Stage.PROPOSALS,
    )  # fmt: skip


def _roi_step(lineage: Lineage, painter: Painter) -> LineageStep:
    roi = lineage.roi
    origin = () if roi.object is None else (f"object #{roi.object}, added in training",)
    iou = None if lineage.target is None or lineage.anchor is not None else lineage.target.proposal_iou
    return LineageStep(
        "RoI", painter.crop(roi.box), f"number {roi.index:,}",
        (f"pooled from level {roi.level}", f"{size_words(roi.box.network)} px, network", *origin),
        iou, None if lineage.anchor is None else Selected("anchor", lineage.anchor.index), Stage.CLASS_SLOTS,
    )  # fmt: skip


def _slot_step(replay: Replay, lineage: Lineage, painter: Painter) -> LineageStep:
    slot, names = lineage.slot, replay.trace.categories
    others = [f"{names[label]} {score:.3f}" for label, score in slot.top if label != slot.label]
    refined = box_group(slot.after, "refined", ACCENT)
    return LineageStep(
        "Class slot", painter.draw(box_group(slot.before, "RoI", _ROI_COLOR, "dot"), refined),
        f"{names[slot.label]} {slot.score:.3f}",
        (", ".join(others[:2]), ", ".join(others[2:4]), *_delta_words(slot.deltas)),
        None if lineage.target is None else lineage.target.refined_iou, _slot_item(lineage), Stage.CLASS_SLOTS,
    )  # fmt: skip


def _end_step(replay: Replay, lineage: Lineage, painter: Painter) -> LineageStep:
    slot = lineage.slot
    own = box_group(slot.after, "refined", fate_color(slot.fate))
    if slot.suppressor is not None:
        other = replay.trace.to_image(replay.detections.boxes[[slot.suppressor]])
        removed_by = BoxGroup(other, "removed by", ACCENT, width=2.5, halo=LIGHT_HALO)
        notes = (f"by {slot_words(replay, slot.suppressor)}", f"IoU of both {slot.suppressor_iou or 0:.2f}")
        drawn = painter.draw(removed_by, own)
    else:
        notes = (f"{size_words(slot.after.image)} px, image",)
        drawn = painter.draw(own)
    kept = slot.fate is DetectionFate.KEPT
    return LineageStep(
        "Detection" if kept else "Removed", drawn,
        f"number {lineage.detection}" if kept else fate_words(slot.fate), notes, None,
        _slot_item(lineage), Stage.DETECTIONS,
    )  # fmt: skip


def _slot_item(lineage: Lineage) -> Selected | None:
    return None if lineage.anchor is None else Selected("detection", lineage.anchor.index, lineage.slot.label)


def slot_words(replay: Replay, slot: int) -> str:
    """A class slot by its category and score, such as `star 0.98`."""
    ledger = replay.detections
    return f"{replay.trace.categories[int(ledger.labels[slot])]} {float(ledger.scores[slot]):.2f}"


def _delta_words(deltas: tuple[float, float, float, float]) -> tuple[str, str]:
    """How far the centre moves, and how much the sides grow."""
    dx, dy, dw, dh = deltas
    return f"dx {_signed(dx)}, dy {_signed(dy)}", f"dw {_signed(dw)}, dh {_signed(dh)}"


def _signed(value: float) -> str:
    """With a sign as wide as a digit, such as `−0.12`."""
    return f"{value:+.2f}".replace("-", "\u2212")
