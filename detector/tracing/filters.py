"""Both filters of a two-stage detector as ledgers: a fate for every candidate, not only the survivors.

The same torchvision operators in the same order on the same tensors as `RegionProposalNetwork.filter_proposals`
and `RoIHeads.postprocess_detections`, so that what is kept equals the model's own choice bit for bit; but every
step works on indices.

Shapes: `N` anchors, `R` RoIs, `K` categories with background, `S` candidates of either filter
(N anchors, or R x (K-1) class slots; slot `r * (K-1) + (label-1)`). Boxes are xyxy in the network frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torchvision.ops import boxes as box_ops

from detector.tracing.thresholds import Thresholds
from detector.tracing.trace import FilterRules, RpnStage, Size

_NMS_CHUNK = 4096


class ProposalFate(IntEnum):
    """What the RPN filter did to one anchor's decoded box, in the order of its steps."""

    KEPT = 0
    BELOW_TOP_N = 1
    TOO_SMALL = 2
    LOW_SCORE = 3
    SUPPRESSED = 4
    OVER_LIMIT = 5


class DetectionFate(IntEnum):
    """What the box filter did to one class slot, in the order of its steps.

    OTHER_CLASS happens only under the best-class rule: another class, or the background, won this RoI.
    """

    KEPT = 0
    OTHER_CLASS = 1
    LOW_SCORE = 2
    TOO_SMALL = 3
    SUPPRESSED = 4
    OVER_LIMIT = 5


Fate = TypeVar("Fate", ProposalFate, DetectionFate)


@dataclass(frozen=True, slots=True, eq=False)
class Ledger(Generic[Fate]):
    """One fate for each of the S candidates of a filter.

    Args:
        fates: the enumeration that `fate` indexes.
        fate: uint8 [S].
        kept: int64 [M], candidates that passed, in the model's own order (by score).
        boxes: float [S, 4], network frame, clipped to the image.
        scores: float [S], probabilities.
        labels: int64 [S], what NMS separates: the pyramid level of a proposal, the category of a class slot.
        winners: int64 [V], all candidates that NMS kept, in order; `kept` is its beginning.
        nms_iou: the IoU threshold that was applied.
        entrants: int64 [E], the candidates that entered NMS, in the order they did.
    """

    fates: type[Fate]
    fate: Tensor
    kept: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor
    winners: Tensor
    nms_iou: float
    entrants: Tensor

    def __len__(self) -> int:
        return len(self.fate)

    def with_fate(self, fate: Fate) -> Tensor:
        """Candidates, int64, that met this fate, in order of their index."""
        return (self.fate == int(fate)).nonzero().flatten()

    def counts(self) -> dict[Fate, int]:
        """How many candidates met each fate; the numbers add up to S."""
        counts = torch.bincount(self.fate.long(), minlength=len(self.fates)).tolist()
        return {fate: counts[fate] for fate in self.fates}

    def compared_boxes(self) -> Tensor:
        """The coordinates, float [E, 4], that NMS compared: those of `entrants`, in their order.

        torchvision's `batched_nms` shifts boxes of different labels apart when there are few.
        """
        return _nms_coordinates(self.boxes[self.entrants], self.labels[self.entrants])

    def suppressor_of(self, candidates: Tensor) -> Tensor:
        """For each candidate the one that removed it in NMS, int64; -1 for those that NMS did not remove.

        The first of `winners` with the same label and an IoU over the threshold, on the very coordinates that
        NMS compared. The remover is a winner of NMS; the limit may have dropped it afterwards.
        """
        candidates = torch.as_tensor(candidates, device=self.fate.device, dtype=torch.int64).reshape(-1)
        found = torch.full_like(candidates, -1)
        asked = (self.fate[candidates] == int(self.fates.SUPPRESSED)).nonzero().flatten()
        if len(asked) == 0:
            return found
        order = torch.full((len(self),), -1, device=candidates.device)
        order[self.entrants] = torch.arange(len(self.entrants), device=candidates.device)
        compared = self.compared_boxes()
        for label in self.labels[candidates[asked]].unique().tolist():
            lost = asked[self.labels[candidates[asked]] == label]
            winners = self.winners[self.labels[self.winners] == label]
            for part in lost.split(_NMS_CHUNK):
                pairs = compared[order[candidates[part]]], compared[order[winners]]
                first = _first_over(box_ops.box_iou(*pairs), self.nms_iou)
                found[part] = winners[first]
        return found

    def suppressed_by(self, winner: int) -> Tensor:
        """Candidates, int64, that `winner` removed in NMS: the reverse of `suppressor_of`."""
        lost = self.with_fate(self.fates.SUPPRESSED)
        lost = lost[self.labels[lost] == self.labels[winner]]
        return lost[self.suppressor_of(lost) == winner]


def _first_over(overlaps: Tensor, threshold: float) -> Tensor:
    """Column of the first overlap over the threshold in each row; where rounding hides it, the largest."""
    over = overlaps > threshold
    return torch.where(over.any(dim=1), over.to(torch.uint8).argmax(dim=1), overlaps.argmax(dim=1))


def _nms_coordinates(boxes: Tensor, labels: Tensor) -> Tensor:
    """The coordinates that `torchvision.ops.batched_nms` compares for these boxes."""
    limit = 4_000 if boxes.device.type == "cpu" else 100_000
    if boxes.numel() > limit or boxes.numel() == 0:
        return boxes
    return boxes + (labels.to(boxes) * (boxes.max() + 1))[:, None]


def filter_proposals(
    rpn: RpnStage, decoded: Tensor, size: Size, thresholds: Thresholds, rules: FilterRules
) -> Ledger[ProposalFate]:
    """The RPN filter over all N anchors (torchvision's `RegionProposalNetwork.filter_proposals`).

    Args:
        rpn: the RPN's output.
        decoded: float [N, 4], the anchors moved by their deltas, not clipped, network frame.
        size: (h, w) of the network frame, without padding.
        thresholds: the knobs.
        rules: smallest side.
    """
    top_n = thresholds.rpn_pre_nms_top_n
    starts = [sum(rpn.per_level[:level]) for level in range(len(rpn.per_level))]
    top = torch.cat(
        [
            part.topk(min(top_n, len(part)), dim=0).indices + start
            for part, start in zip(rpn.objectness.split(rpn.per_level), starts, strict=True)
        ]
    )
    levels = torch.cat(
        [torch.full((n,), level, device=decoded.device) for level, n in enumerate(rpn.per_level)]
    )
    boxes = _clipped(decoded, size)
    scores = torch.sigmoid(rpn.objectness)
    # The model takes the sigmoid after the top-n, on a shorter tensor; the last bit may depend on the place.
    scores = scores.index_copy(0, top, torch.sigmoid(rpn.objectness[top]))
    fate = torch.full((len(boxes),), int(ProposalFate.BELOW_TOP_N), dtype=torch.uint8, device=boxes.device)
    alive = _drop(
        fate, top, box_ops.remove_small_boxes(boxes[top], rules.rpn_min_size), ProposalFate.TOO_SMALL
    )
    passed = torch.where(scores[alive] >= thresholds.rpn_score)[0]
    alive = _drop(fate, alive, passed, ProposalFate.LOW_SCORE)
    ledger = Ledger(ProposalFate, fate, alive, boxes, scores, levels, alive, thresholds.rpn_nms, alive)
    return _suppress_and_limit(ledger, thresholds.rpn_post_nms_top_n)


def _clipped(boxes: Tensor, size: Size) -> Tensor:
    """torchvision's `clip_boxes_to_image` of boxes [N, 4], bit for bit, in half the time: all sides at once."""
    height, width = size
    return boxes.clamp(boxes.new_zeros(4), boxes.new_tensor((width, height, width, height)))


def filter_detections(
    boxes: Tensor, scores: Tensor, thresholds: Thresholds, rules: FilterRules
) -> Ledger[DetectionFate]:
    """The box filter over all R x (K-1) class slots (torchvision's `RoIHeads.postprocess_detections`).

    Args:
        boxes: float [R, K, 4], or [R, 1, 4] where boxes do not depend on the class; decoded and clipped.
        scores: float [R, K], class probabilities with the background at index 0.
        thresholds: the knobs.
        rules: smallest side, and the final rule.
    """
    rois, classes = scores.shape
    shared = boxes.shape[1] == 1
    slots = (boxes.expand(rois, classes - 1, 4) if shared else boxes[:, 1:]).reshape(-1, 4)
    flat = scores[:, 1:].reshape(-1)
    labels = torch.arange(1, classes, device=scores.device).repeat(rois)
    fate = torch.full((len(flat),), int(DetectionFate.LOW_SCORE), dtype=torch.uint8, device=scores.device)
    passes = flat > thresholds.box_score
    if rules.detection_rule == "best_class":
        lost = labels != scores.argmax(dim=1).repeat_interleave(classes - 1)
        fate[lost] = int(DetectionFate.OTHER_CLASS)
        passes &= ~lost
    alive = torch.where(passes)[0]
    large = box_ops.remove_small_boxes(slots[alive], rules.box_min_size)
    alive = _drop(fate, alive, large, DetectionFate.TOO_SMALL)
    ledger = Ledger(DetectionFate, fate, alive, slots, flat, labels, alive, thresholds.box_nms, alive)
    return _suppress_and_limit(ledger, thresholds.box_limit)


def _drop(fate: Tensor, alive: Tensor, keep: Tensor, reason: ProposalFate | DetectionFate) -> Tensor:
    """Write `reason` for all alive candidates but those at places `keep`, in place; return who is left."""
    fate[alive] = int(reason)
    return alive[keep]


def _suppress_and_limit(ledger: Ledger[Fate], limit: int) -> Ledger[Fate]:
    """NMS over the entrants, then the limit; writes the last three fates.

    Raises:
        ValueError: they are of half precision, on a device that has no NMS for it.
    """
    entrants, fate = ledger.entrants, ledger.fate
    boxes, scores, labels = ledger.boxes[entrants], ledger.scores[entrants], ledger.labels[entrants]
    try:
        winners = entrants[box_ops.batched_nms(boxes, scores, labels, ledger.nms_iou)]
    except RuntimeError as error:
        if not {boxes.dtype, scores.dtype} & {torch.float16, torch.bfloat16}:
            raise
        raise ValueError(
            "what was recorded in half precision cannot be filtered anew on a CPU, which has no NMS for it; record "
            "it in float32"
        ) from error
    fate[entrants] = int(ledger.fates.SUPPRESSED)
    fate[winners] = int(ledger.fates.OVER_LIMIT)
    fate[winners[:limit]] = int(ledger.fates.KEPT)
    return replace(ledger, kept=winners[:limit], winners=winners)
