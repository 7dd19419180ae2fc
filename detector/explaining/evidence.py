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


@dataclass(frozen=True, slots=True)
class FitEvidence:
    """ANCHOR_FIT: the anchor that came nearest.

    Args:
        anchor: its index.
        iou: with the object.
        anchor_size, object_size: of both.
        shape_iou: best IoU of any anchor shape if it were centred on the object: what size and ratio allow.
        misfit: the object is too `small`, too `large` or too `elongated` for the anchor shapes at this input
            size; or a shape fits, but no cell is near enough (`between cells`).
    """

    anchor: int
    iou: float
    anchor_size: Extent
    object_size: Extent
    shape_iou: float
    misfit: Misfit


@dataclass(frozen=True, slots=True)
class DecodedEvidence:
    """RPN_BOX: the anchor that fits best, and where its deltas (dx, dy, dw, dh) moved it."""

    anchor: int
    anchor_iou: float
    decoded_iou: float
    deltas: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RankEvidence:
    """RPN_RANK, RPN_LIMIT, BOX_LIMIT: the best-ranked candidate is over a limit.

    Args:
        candidate: which.
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
        iou: of both.
        threshold: the IoU over which NMS suppresses.
        score, suppressor_score: of both.
        culprit: what the suppressor shows, by the object that it overlaps most and by the IoU that counts.
        object: that object; None for the background.
    """

    candidate: int
    suppressor: int
    iou: float
    threshold: float
    score: float
    suppressor_score: float
    culprit: Culprit
    object: int | None


@dataclass(frozen=True, slots=True)
class RefinedEvidence:
    """ROI_BOX: the RoI whose refined box of the right class came nearest, and how near it was before."""

    roi: int
    proposal_iou: float
    refined_iou: float


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """ROI_CLASS: the slot of the right class with the highest score among those whose box fits.

    Args:
        slot: which.
        roi: its RoI.
        score: of the right class.
        threshold: that it must exceed.
        winner: category with the highest score of this RoI, 0 for background.
        winner_score: its score.
        cause: `other class` or `background` won this RoI; or the right class won and only the `threshold`, or
            the smallest `size` of a box, is in the way.
    """

    slot: int
    roi: int
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
    """MATCHED_ELSEWHERE: the detection that fits this object and was matched to another one."""

    detection: int
    object: int
    iou: float
    other_iou: float


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
