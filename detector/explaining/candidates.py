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

import numpy as np
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.data.ground_truth import GroundTruth
from detector.explaining.matching import as_array, inclusive, iou_of_arrays
from detector.explaining.nearness import near_anchors
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
    """All candidates of one object, one column for each thing known; `UNKNOWN` where it is not.

    The columns are arrays: they are short, and a call of NumPy on them costs a fraction of one of torch.

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
    anchor: np.ndarray
    roi: np.ndarray
    depth: np.ndarray
    anchor_iou: np.ndarray
    decoded_iou: np.ndarray
    refined_iou: np.ndarray
    objectness: np.ndarray
    score: np.ndarray
    most_refined: float
    nearest: tuple[int, float] | None
    best_decoded: float

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def deepest(self) -> Rung | None:
        """The deepest rung that any of them passed; None without candidates."""
        return Rung(int(self.depth.max())) if len(self) else None

    def best(self, column: np.ndarray) -> int:
        """Row with the highest value of `column`, [n], among the deepest candidates."""
        known = np.where(np.isnan(column), UNKNOWN, column)
        return int(np.where(self.depth < self.depth.max(), -np.inf, known).argmax())


@dataclass(frozen=True, slots=True, eq=False)
class _RoiOverlaps:
    """IoU, float64 [R, G] each, of RoIs and objects: of their anchors (`UNKNOWN` without one), of the proposals,
    and of their refined boxes of the object's class."""

    truth: GroundTruth
    anchor: np.ndarray
    proposal: np.ndarray
    refined: np.ndarray


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
        self._source = as_array(replay.head.anchor)
        self._roi_of = np.full(len(replay.proposals), UNKNOWN)
        seen = np.flatnonzero(self._source >= 0)
        self._roi_of[self._source[seen]] = seen
        self._fate, self._objectness = map(as_array, (replay.proposals.fate, replay.proposals.scores))
        self._labels, self._scores = map(as_array, (truth.labels, replay.class_scores))
        slots = as_array(replay.detections.fate).reshape(len(self._source), self._scores.shape[1] - 1)
        self._fits = self._rois.refined >= self.bound
        self._roi_depth = np.where(self._fits, _SLOT_DEPTHS[slots[:, self._labels - 1]], UNKNOWN)

    def of(self, index: int) -> Candidates:
        """The candidates of object `index`; a crowd region has those of its RoIs alone."""
        near, label = self._near[index], int(self._labels[index])
        anchors, decoded_iou = near.index.numpy(), near.decoded_iou.numpy()
        of_anchors, refined = self._roi_of[anchors], self._rois.refined[:, index]
        extra = self._without_near_anchor(of_anchors, index)
        anchor = np.concatenate((anchors, self._source[extra]))
        roi = np.concatenate((of_anchors, extra))
        passed = _PROPOSAL_DEPTHS[self._fate[anchors]]
        depth = np.where(decoded_iou >= self.bound, passed, int(Rung.ANCHOR_FIT))
        depth = np.concatenate((depth, np.full_like(extra, UNKNOWN)))
        return Candidates(
            index, label, anchor, roi,
            depth=np.maximum(depth, _picked(self._roi_depth[:, index], roi)),
            anchor_iou=np.concatenate((near.anchor_iou.numpy(), self._rois.anchor[extra, index])),
            decoded_iou=np.concatenate((decoded_iou, self._rois.proposal[extra, index])),
            refined_iou=_picked(refined, roi),
            objectness=_picked(self._objectness, anchor),
            score=_picked(self._scores[:, label], roi),
            most_refined=float(refined.max()) if len(refined) else 0.0,
            nearest=near.nearest,
            best_decoded=near.best_decoded,
        )  # fmt: skip

    def _without_near_anchor(self, of_anchors: np.ndarray, index: int) -> np.ndarray:
        """RoIs, int64, whose refined box fits and whose anchor is unknown, not near, or another RoI's as well.

        Args:
            of_anchors: int64, the RoI of each anchor that is near, where it has one.
            index: of the object.
        """
        fits = self._fits[:, index].copy()
        fits[of_anchors[of_anchors >= 0]] = False
        return np.flatnonzero(fits)


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
    labels, targets = truth.labels.to(boxes.device), truth.boxes.numpy()
    per_class = boxes[:, labels] if boxes.shape[1] > 1 else boxes.expand(-1, len(truth), -1)
    anchors = trace.rpn.anchors[source.clamp(min=0)]
    before, proposals, refined = (
        iou_of_arrays(as_array(trace.to_image(one)), targets)
        for one in (anchors[:, None], replay.head.boxes[:, None], per_class)
    )
    before[as_array(source) < 0] = UNKNOWN
    known = _RoiOverlaps(truth, before, proposals, refined)
    _KNOWN[boxes] = known
    return known


def _picked(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values of `column` at `rows`, `UNKNOWN` where a row is."""
    if len(column) == 0:
        return np.full(rows.shape, UNKNOWN, dtype=column.dtype)
    values = column[rows]  # row -1 is the last one: overwritten
    values[rows < 0] = UNKNOWN
    return values


Fate = TypeVar("Fate", ProposalFate, DetectionFate)


def _by_number(depths: dict[Fate, Rung]) -> np.ndarray:
    """The rung of each fate, int64, by the fate's number."""
    return np.array([int(depths[fate]) for fate in sorted(depths)])


_PROPOSAL_DEPTHS, _SLOT_DEPTHS = _by_number(_PROPOSAL_DEPTH), _by_number(_SLOT_DEPTH)
