"""What shows why an object got no further: one record for each kind of rung.

Sizes are (height, width) in pixels of the **network** frame, where the anchors live; every IoU is taken in the
**image** frame. A candidate is an anchor's index at the rungs of the RPN, and a class slot's at those of the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Extent = tuple[float, float]
Misfit = Literal["small", "large", "elongated", "between cells"]
Culprit = Literal["same object", "other object", "background"]

BACKGROUND_IOU = 0.1
"""A box that overlaps every object by less shows background: TIDE's bound (Bolya et al. 2020)."""


@dataclass(frozen=True, slots=True)
class FitEvidence:
    """ANCHOR_FIT: the anchor that came nearest.

    Args:
        anchor: its index.
        iou: with the object.
        anchor_size, object_size: of both.
        shape_iou: best IoU of any anchor shape if it were centred on the object: what size and ratio allow.
        misfit: `between cells` where that is enough and only the place is wrong; `elongated` where no anchor of
            these ratios would fit at any size; else the object is too `small` or too `large` for the anchor
            shape that comes nearest to it.
    """

    anchor: int
    iou: float
    anchor_size: Extent
    object_size: Extent
    shape_iou: float
    misfit: Misfit


@dataclass(frozen=True, slots=True)
class DecodedEvidence:
    """RPN_BOX: the anchor that fits best, and where its deltas moved it.

    Args:
        anchor: its index.
        anchor_iou, decoded_iou: with the object, before and after.
        deltas: (dx, dy, dw, dh) relative to the anchor.
    """

    anchor: int
    anchor_iou: float
    decoded_iou: float
    deltas: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RankEvidence:
    """RPN_RANK, RPN_LIMIT, BOX_LIMIT: the best-ranked candidate is over a limit.

    Args:
        candidate: the one that needs the least: with the lowest rank of all that got this deep.
        rank: from 1; on its own level at RPN_RANK, else among all that NMS left.
        cut: the limit: the last rank that passes.
        score: of the candidate.
        score_at_cut: of the last one that passed.
        level: pyramid level of an anchor; None for a class slot.
    """

    candidate: int
    rank: int
    cut: int
    score: float
    score_at_cut: float
    level: int | None


@dataclass(frozen=True, slots=True)
class FloorEvidence:
    """RPN_SCORE: objectness under the floor, or a box that is too small.

    Args:
        anchor: the candidate.
        score: its objectness, a probability.
        floor: the threshold, inclusive.
        side: shorter side of its decoded box, network px.
        smallest: side that a box must have, network px.
        cause: which of both it failed.
    """

    anchor: int
    score: float
    floor: float
    side: float
    smallest: float
    cause: Literal["score", "size"]


@dataclass(frozen=True, slots=True)
class SuppressionEvidence:
    """RPN_NMS, BOX_NMS: who suppressed the best candidate.

    Args:
        candidate: the suppressed one.
        suppressor: the one that removed it.
        iou: of both. NMS compares float32 boxes, shifted apart by label: near the threshold it may see another.
        threshold: the IoU over which NMS suppresses.
        score, suppressor_score: of both.
        culprit: what the suppressor shows: the object that it overlaps most, if by `BACKGROUND_IOU` or more.
            `same object` is a poorer box of the object itself: one that fits would have been a candidate, and
            the object would not have been lost here.
        object: the object it shows; None for the background.
        object_iou: IoU of the suppressor and that object; 0 without one.
    """

    candidate: int
    suppressor: int
    iou: float
    threshold: float
    score: float
    suppressor_score: float
    culprit: Culprit
    object: int | None
    object_iou: float


@dataclass(frozen=True, slots=True)
class RefinedEvidence:
    """ROI_BOX: the RoI whose refined box of the right class came nearest, and how near it was before.

    Args:
        roi: which, of those whose proposal fits the object.
        proposal_iou, refined_iou: with the object, before and after.
    """

    roi: int
    proposal_iou: float
    refined_iou: float


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """ROI_CLASS: the slot of the right class with the highest score among those whose box fits.

    Args:
        slot: which.
        roi: its RoI.
        iou: of its refined box and the object.
        score: of the right class.
        threshold: that it must exceed.
        winner: category with the highest score of this RoI, 0 for background.
        winner_score: its score.
        cause: `other class` or `background` won this RoI; or the right class won and only the `threshold`, or
            the smallest `size` of a box, is in the way.
    """

    slot: int
    roi: int
    iou: float
    score: float
    threshold: float
    winner: int
    winner_score: float
    cause: Literal["other class", "background", "threshold", "size"]

    @property
    def margin(self) -> float:
        """By how much the winner's score is higher; 0 where the right class won."""
        return self.winner_score - self.score


@dataclass(frozen=True, slots=True)
class MatchEvidence:
    """MATCHED_ELSEWHERE: the detection that fits this object and was matched to another one.

    Args:
        detection: its place among the kept ones; the one with the highest score of those that fit.
        object: the one it was matched to.
        iou: with this object.
        other_iou: with the other one.
        score: of the detection.
    """

    detection: int
    object: int
    iou: float
    other_iou: float
    score: float


Evidence = (
    FitEvidence
    | DecodedEvidence
    | RankEvidence
    | FloorEvidence
    | SuppressionEvidence
    | RefinedEvidence
    | ClassEvidence
    | MatchEvidence
)
