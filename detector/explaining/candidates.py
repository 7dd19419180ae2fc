"""The candidates of an object, and how deep each of them got.

A candidate is a chain anchor -> decoded box -> proposal -> RoI -> slot of the object's class. It belongs to the
object when its anchor, its decoded box or its refined box fits, and it gets as deep as its boxes fit and the
filters let it.

Shapes: `N` anchors, `R` RoIs, `K` categories with background, `G` objects, `n` candidates of one object.
Overlaps are float64 and taken in the image frame; scores are as both filters saw them.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.data.ground_truth import GroundTruth
from detector.explaining.matching import inclusive, iou_of
from detector.explaining.nearness import NearAnchors, near_anchors
from detector.explaining.rungs import Rung
from detector.tracing.filters import DetectionFate, ProposalFate
from detector.tracing.replay import Replay

# The last rung that a candidate with this fate has passed, by the fate's number.
_PROPOSAL_DEPTH = {
    ProposalFate.KEPT: Rung.RPN_LIMIT,
    ProposalFate.BELOW_TOP_N: Rung.RPN_BOX,
    ProposalFate.TOO_SMALL: Rung.RPN_RANK,
    ProposalFate.LOW_SCORE: Rung.RPN_RANK,
    ProposalFate.SUPPRESSED: Rung.RPN_SCORE,
    ProposalFate.OVER_LIMIT: Rung.RPN_NMS,
}
_SLOT_DEPTH = {
    DetectionFate.KEPT: Rung.BOX_LIMIT,
    DetectionFate.OTHER_CLASS: Rung.ROI_BOX,
    DetectionFate.LOW_SCORE: Rung.ROI_BOX,
    DetectionFate.TOO_SMALL: Rung.ROI_BOX,
    DetectionFate.SUPPRESSED: Rung.ROI_CLASS,
    DetectionFate.OVER_LIMIT: Rung.BOX_NMS,
}
UNKNOWN = -1
"""In a column: no anchor, no RoI, no overlap or no score is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """All candidates of one object, on the CPU, one column for each thing known; `UNKNOWN` where it is not.

    Args:
        object: index into the ground truth.
        label: its category.
        anchor: int64 [n].
        roi: int64 [n]; unknown where the second stage did not see it.
        depth: int64 [n], the last rung that it passed.
        anchor_iou, decoded_iou, refined_iou: float64 [n], of its boxes with the object; the refined box is that
            of the object's class.
        objectness: float [n], probability.
        score: float [n], probability of the object's class.
        most_refined: highest IoU of any RoI's refined box of the class; 0 without RoIs.
        nearest: where no anchor fits before or after its deltas, the nearest one, and its IoU.
        best_decoded: then the highest IoU of any decoded box; 0 otherwise.
    """

    object: int
    label: int
    anchor: Tensor
    roi: Tensor
    depth: Tensor
    anchor_iou: Tensor
    decoded_iou: Tensor
    refined_iou: Tensor
    objectness: Tensor
    score: Tensor
    most_refined: float
    nearest: tuple[int, float] | None
    best_decoded: float

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def deepest(self) -> Rung | None:
        """The deepest rung that any of them passed; None without candidates."""
        return Rung(int(self.depth.max())) if len(self) else None

    def best(self, column: Tensor) -> int:
        """Row with the highest value of `column`, [n], among the deepest candidates."""
        return int(column.nan_to_num(UNKNOWN).masked_fill(self.depth < self.depth.max(), -torch.inf).argmax())


@dataclass(frozen=True, slots=True, eq=False)
class _RoiOverlaps:
    """IoU, float64 [R, G] each, of RoIs and objects: of their anchors (`UNKNOWN` without one), of the proposals,
    and of their refined boxes of the object's class."""

    truth: GroundTruth
    anchor: Tensor
    proposal: Tensor
    refined: Tensor


# By the boxes of the second stage, which live as long as anyone can ask: moving the box filter leaves them alone.
_KNOWN: MutableMapping[Tensor, _RoiOverlaps] = WeakIdKeyDictionary()


class Gathering:
    """Gathers the candidates of every object of one replay.

    Args:
        replay: what both filters did.
        truth: the objects.
        iou: the overlap that counts, inclusive.

    Raises:
        ValueError: an object of a category that the detector does not have.
    """

    def __init__(self, replay: Replay, truth: GroundTruth, iou: float) -> None:
        _refuse_foreign_labels(replay, truth)
        self.replay, self.truth, self.bound = replay, truth, inclusive(iou)
        self._near = near_anchors(replay, truth, self.bound)
        self._rois = _roi_overlaps(replay, truth)
        self._source = replay.head.anchor.cpu()
        self._roi_of = torch.full((len(replay.proposals),), UNKNOWN)
        seen = (self._source >= 0).nonzero().flatten()
        self._roi_of[self._source[seen]] = seen
        self._passed = _by_number(_PROPOSAL_DEPTH)
        slots = replay.detections.fate.cpu().long()
        self._slot_depth = _by_number(_SLOT_DEPTH)[slots].reshape(
            len(self._source), replay.class_scores.shape[1] - 1
        )
        self._fate, self._scores = replay.proposals.fate.cpu(), replay.class_scores.cpu()

    def of(self, index: int) -> Candidates:
        """The candidates of object `index`; a crowd region has those of its RoIs alone."""
        near, label = self._near[index], int(self.truth.labels[index])
        refined, extra = self._rois.refined[:, index], self._without_near_anchor(near, index)
        anchor = torch.cat((near.index, self._source[extra]))
        roi = torch.cat((self._roi_of[near.index], extra))
        of_roi = torch.where(refined >= self.bound, self._slot_depth[:, label - 1], UNKNOWN)
        decoded_iou = torch.cat((near.decoded_iou, self._rois.proposal[extra, index]))
        depth = self._depth_before_the_head(near)
        depth = torch.maximum(torch.cat((depth, torch.full_like(extra, UNKNOWN))), _picked(of_roi, roi))
        return Candidates(
            index, label, anchor, roi, depth,
            anchor_iou=torch.cat((near.anchor_iou, self._rois.anchor[extra, index])),
            decoded_iou=decoded_iou,
            refined_iou=_picked(refined, roi),
            objectness=_picked(self.replay.proposals.scores, anchor),
            score=_picked(self._scores[:, label], roi),
            most_refined=float(refined.max()) if len(refined) else 0.0,
            nearest=near.nearest,
            best_decoded=near.best_decoded,
        )  # fmt: skip

    def _depth_before_the_head(self, near: NearAnchors) -> Tensor:
        passed = self._passed[self._fate[near.index].long()]
        return torch.where(near.decoded_iou >= self.bound, passed, int(Rung.ANCHOR_FIT))

    def _without_near_anchor(self, near: NearAnchors, index: int) -> Tensor:
        """RoIs, int64, whose refined box fits and whose anchor is unknown, not near, or another RoI's as well."""
        fits = (self._rois.refined[:, index] >= self.bound).nonzero().flatten()
        source = self._source[fits]
        own = (source >= 0) & (self._roi_of[source] == fits) & torch.isin(source, near.index)
        return fits[~own]


def _refuse_foreign_labels(replay: Replay, truth: GroundTruth) -> None:
    foreign = (truth.labels >= replay.class_scores.shape[1]).nonzero().flatten()
    if len(foreign):
        first, last = int(foreign[0]), replay.class_scores.shape[1] - 1
        raise ValueError(
            f"ground-truth object {first} has category {int(truth.labels[first])}, "
            f"but this detector knows the categories 1 to {last}"
        )


def _roi_overlaps(replay: Replay, truth: GroundTruth) -> _RoiOverlaps:
    known = _KNOWN.get(replay.class_boxes)
    if known is not None and known.truth is truth:
        return known
    trace, source, boxes = replay.trace, replay.head.anchor, replay.class_boxes
    targets, labels = truth.boxes.to(boxes.device), truth.labels.to(boxes.device)
    per_class = boxes[:, labels] if boxes.shape[1] > 1 else boxes.expand(-1, len(truth), -1)
    anchors = iou_of(trace.to_image(trace.rpn.anchors[source.clamp(min=0)])[:, None], targets)
    known = _RoiOverlaps(
        truth,
        anchors.masked_fill((source < 0)[:, None], UNKNOWN).cpu(),
        iou_of(trace.to_image(replay.head.boxes)[:, None], targets).cpu(),
        iou_of(trace.to_image(per_class), targets).cpu(),
    )
    _KNOWN[boxes] = known
    return known


def _picked(column: Tensor, rows: Tensor) -> Tensor:
    """Values of `column` at `rows`, `UNKNOWN` where a row is; on the CPU."""
    if len(column) == 0:
        return torch.full(rows.shape, UNKNOWN, dtype=column.dtype)
    values = column[rows.clamp(min=0).to(column.device)].cpu()
    return values.masked_fill_(rows < 0, UNKNOWN)


Fate = TypeVar("Fate", ProposalFate, DetectionFate)


def _by_number(depths: dict[Fate, Rung]) -> Tensor:
    """The rung of each fate, int64, by the fate's number."""
    return torch.tensor([int(depths[fate]) for fate in sorted(depths)])
