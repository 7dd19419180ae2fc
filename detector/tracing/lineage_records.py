"""The steps from an anchor to a detection, each with its numbers.

Shapes: `N` anchors, `R` RoIs, `K` categories with background, `M` detections. Every rank counts from 1, and
equal values share the better one. Boxes are xyxy; every IoU is taken in the **image** frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.tracing.filters import DetectionFate, ProposalFate

Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Placed:
    """One box, xyxy, in both frames.

    Args:
        network: as the model sees it.
        image: in the file's own pixels.
    """

    network: Four
    image: Four


@dataclass(frozen=True, slots=True)
class AnchorStep:
    """Where a lineage begins.

    Args:
        index: of the anchor among all N.
        level: of the pyramid, 0 is the finest.
        y, x: row and column of its cell.
        kind: which of the cell's anchors.
        size: side of a square of the same area, px, network frame.
        ratio: height over width, as torchvision counts it.
        box: the anchor itself, not clipped.
    """

    index: int
    level: int
    y: int
    x: int
    kind: int
    size: float
    ratio: float
    box: Placed


@dataclass(frozen=True, slots=True)
class ProposalStep:
    """What the RPN made of the anchor, and what its filter did to that.

    Args:
        objectness: logit.
        probability: its sigmoid.
        level_rank, level_count: place by objectness among all anchors of its level, and how many these are.
        rank, count: the same among all N anchors.
        place: among the proposals that were kept, from 1; None where it is not one of them.
        deltas: (dx, dy, dw, dh) relative to the anchor, as the RPN gives them.
        box: the decoded box, clipped to the image.
        fate: what the RPN filter did to it.
        suppressor: anchor whose box removed it in NMS, else None.
        suppressor_iou: of both boxes, else None.
    """

    objectness: float
    probability: float
    level_rank: int
    level_count: int
    rank: int
    count: int
    place: int | None
    deltas: Four
    box: Placed
    fate: ProposalFate
    suppressor: int | None
    suppressor_iou: float | None


@dataclass(frozen=True, slots=True)
class RoiStep:
    """Where the second stage looked.

    Args:
        index: of the RoI among all R.
        level: of the pyramid, the map that RoIAlign pooled from.
        box: the RoI.
        object: in a training trace the object that was added as this RoI, else None.
    """

    index: int
    level: int
    box: Placed
    object: int | None = None


@dataclass(frozen=True, slots=True)
class SlotStep:
    """One category of a RoI: its score, its box, and what the box filter did to it.

    Args:
        slot: index among all R x (K-1).
        label: its category.
        score: probability of that category.
        deltas: (dx, dy, dw, dh) for it as the head gives them, that is times the box coder's weights.
        before: the RoI.
        after: the refined box, clipped to the image.
        fate: what the box filter did to it.
        suppressor: slot whose box removed it in NMS, else None.
        suppressor_iou: of both boxes, else None.
        top: the five most probable categories of the RoI with their probabilities, background (0) included.
    """

    slot: int
    label: int
    score: float
    deltas: Four
    before: Placed
    after: Placed
    fate: DetectionFate
    suppressor: int | None
    suppressor_iou: float | None
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class TargetStep:
    """How the boxes of a lineage fit one object.

    Args:
        object: index into the ground truth.
        label: its category.
        box: the object.
        anchor_iou: of the anchor; None where there is none.
        proposal_iou: of the RoI, which is the proposal.
        refined_iou: of the refined box.
    """

    object: int
    label: int
    box: Placed
    anchor_iou: float | None
    proposal_iou: float
    refined_iou: float


@dataclass(frozen=True, slots=True)
class Lineage:
    """Detection -> class slot -> RoI -> proposal -> anchor -> pyramid level and cell.

    Args:
        anchor, proposal: None where the RoI came of no anchor: an object added in training, or not known.
        roi, slot: always there.
        detection: place among the kept ones, best first from 0; None where the slot was not kept.
        target: how the boxes fit an object; None without one.
    """

    anchor: AnchorStep | None
    proposal: ProposalStep | None
    roi: RoiStep
    slot: SlotStep
    detection: int | None
    target: TargetStep | None


@dataclass(frozen=True, slots=True)
class Descendants:
    """Everything that came of one anchor.

    Args:
        anchor, proposal: the anchor, and what the RPN made of it.
        suppressed: anchors whose boxes its box removed in the RPN's NMS, rising.
        roi: what the second stage looked at; None where the box was not kept (or not drawn, in training).
        slots: one for each category but background, the most probable first; none without a RoI.
        suppressed_slots: class slots of other RoIs that its slots removed in NMS, rising.
        detections: places of the detections that it led to, rising.
    """

    anchor: AnchorStep
    proposal: ProposalStep
    suppressed: tuple[int, ...]
    roi: RoiStep | None
    slots: tuple[SlotStep, ...]
    suppressed_slots: tuple[int, ...]
    detections: tuple[int, ...]
