"""Finds what shows why an object got no further than its rung.

The evidence is about the candidate that stands for the object: of the deepest ones the one with the highest
score, where boxes decide the one with the highest IoU, and where a limit decides the one with the lowest rank.

Shapes: `N` anchors, `K` categories with background, `n` candidates of the object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from detector.explaining.anchor_fit import extents, fit_evidence
from detector.explaining.evidence import (
    BACKGROUND_IOU,
    ClassEvidence,
    Culprit,
    DecodedEvidence,
    Evidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.matching import Matches, iou_of
from detector.explaining.rungs import Rung
from detector.tracing.filters import DetectionFate, ProposalFate

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.explaining.candidates import Candidates
    from detector.tracing.filters import Ledger
    from detector.tracing.replay import Replay


def evidence_for(
    rung: Rung, candidates: Candidates, replay: Replay, truth: GroundTruth, iou: float, matches: Matches
) -> Evidence | None:
    """What shows why an object was lost at `rung`; None for a found one.

    Args:
        rung: of its verdict.
        candidates: of the object.
        replay: what both filters did.
        truth: the objects.
        iou: the overlap that counts.
        matches: of the kept detections.
    """
    match rung:
        case Rung.ANCHOR_FIT:
            assert candidates.nearest is not None
            return fit_evidence(candidates.nearest, candidates.object, replay, truth, iou)
        case Rung.RPN_BOX:
            return _decoded(candidates, replay)
        case Rung.RPN_RANK:
            return _rank_on_level(candidates, replay)
        case Rung.RPN_SCORE:
            return _floor(candidates, replay)
        case Rung.RPN_NMS:
            anchor = int(candidates.anchor[candidates.best(candidates.objectness)])
            return _suppression(anchor, candidates.object, replay.proposals, replay, truth)
        case Rung.RPN_LIMIT:
            anchors = torch.from_numpy(candidates.anchor[candidates.depth == int(Rung.RPN_NMS)])
            level = replay.proposals.labels
            return _rank_after_nms(anchors, replay.proposals, replay.thresholds.rpn_post_nms_top_n, level)
        case Rung.ROI_BOX:
            return _refined(candidates)
        case Rung.ROI_CLASS:
            return _class(candidates, replay)
        case Rung.BOX_NMS:
            slot = best_slot(candidates, replay)
            return _suppression(slot, candidates.object, replay.detections, replay, truth)
        case Rung.BOX_LIMIT:
            slots = slots_of(candidates, replay)[candidates.depth == int(Rung.BOX_NMS)]
            return _rank_after_nms(torch.from_numpy(slots), replay.detections, replay.thresholds.box_limit)
        case Rung.MATCHED_ELSEWHERE:
            return _match(candidates, replay, truth, matches)
        case Rung.FOUND:
            return None


def slots_of(candidates: Candidates, replay: Replay) -> np.ndarray:
    """The class slot, int64 [n], of each candidate; without meaning where it has no RoI."""
    return candidates.roi * (replay.class_scores.shape[1] - 1) + candidates.label - 1


def best_slot(candidates: Candidates, replay: Replay) -> int:
    """The class slot of the deepest candidate with the highest score of the object's class."""
    return int(slots_of(candidates, replay)[candidates.best(candidates.score)])


def _decoded(candidates: Candidates, replay: Replay) -> DecodedEvidence:
    row = candidates.best(candidates.anchor_iou)
    anchor = int(candidates.anchor[row])
    dx, dy, dw, dh = replay.trace.rpn.deltas[anchor].tolist()
    before, after = float(candidates.anchor_iou[row]), float(candidates.decoded_iou[row])
    return DecodedEvidence(anchor, before, after, (dx, dy, dw, dh))


def _rank_on_level(candidates: Candidates, replay: Replay) -> RankEvidence:
    """Ranks count the logits, as the model's top-n does; whoever got in stands before."""
    ledger, rpn = replay.proposals, replay.trace.rpn
    lost = torch.from_numpy(candidates.anchor[candidates.depth == int(Rung.RPN_BOX)])
    anchors = lost.to(rpn.anchors.device)
    levels, logits = ledger.labels[anchors], rpn.objectness[anchors]
    passed = ledger.fate != int(ProposalFate.BELOW_TOP_N)
    ranks = []
    for level in levels.unique().tolist():
        anchor = int(anchors[logits.masked_fill(levels != level, -torch.inf).argmax()])
        start = sum(rpn.per_level[:level])
        part = slice(start, start + rpn.per_level[level])
        before = passed[part] | (rpn.objectness[part] > rpn.objectness[anchor])
        ranks.append((int(before.sum()) + 1, anchor, level))
    rank, anchor, level = min(ranks)
    return RankEvidence(
        anchor, rank, replay.thresholds.rpn_pre_nms_top_n, float(ledger.scores[anchor]),
        float(ledger.scores[passed & (ledger.labels == level)].min()), level,
    )  # fmt: skip


def _rank_after_nms(
    over: Tensor, ledger: Ledger, cut: int, level: Tensor | None = None
) -> RankEvidence:  # fmt: skip
    """The first of `over`, int64 candidates of a ledger, among all that NMS left."""
    rank = int(torch.isin(ledger.winners, over.to(ledger.winners.device)).int().argmax())
    candidate = int(ledger.winners[rank])
    score, at_cut = (float(ledger.scores[one]) for one in (candidate, ledger.winners[cut - 1]))
    return RankEvidence(
        candidate, rank + 1, cut, score, at_cut, None if level is None else int(level[candidate])
    )


def _floor(candidates: Candidates, replay: Replay) -> FloorEvidence:
    anchor = int(candidates.anchor[candidates.best(candidates.objectness)])
    ledger = replay.proposals
    small = int(ledger.fate[anchor]) == int(ProposalFate.TOO_SMALL)
    return FloorEvidence(
        anchor, float(ledger.scores[anchor]), replay.thresholds.rpn_score,
        float(extents(ledger.boxes[anchor]).min()), replay.trace.rules.rpn_min_size,
        "size" if small else "score",
    )  # fmt: skip


def _suppression(
    candidate: int, index: int, ledger: Ledger, replay: Replay, truth: GroundTruth
) -> SuppressionEvidence:
    suppressor = int(ledger.suppressor_of(torch.tensor([candidate]))[0])
    both = ledger.boxes[[candidate, suppressor]]
    shown = iou_of(replay.trace.to_image(both[1:]).cpu(), truth.boxes, truth.crowd)
    # A crowd region is what a box shows only where it shows no object.
    real = shown.masked_fill(truth.crowd, 0.0)
    seen = int((real if float(real.max()) >= BACKGROUND_IOU else shown).argmax())
    object_iou, culprit = float(shown[seen]), _culprit(seen, index)
    if object_iou < BACKGROUND_IOU:
        object_iou, culprit = 0.0, "background"
    return SuppressionEvidence(
        candidate, suppressor, float(iou_of(both[0], both[1])), ledger.nms_iou,
        float(ledger.scores[candidate]), float(ledger.scores[suppressor]),
        culprit, None if culprit == "background" else seen, object_iou,
    )  # fmt: skip


def _culprit(seen: int, index: int) -> Culprit:
    return "same object" if seen == index else "other object"


def _refined(candidates: Candidates) -> RefinedEvidence | None:
    """None where the second stage saw none of them: a training step samples some proposals only."""
    row = candidates.best(candidates.refined_iou)
    if int(candidates.roi[row]) < 0:
        return None
    proposal, refined = float(candidates.decoded_iou[row]), float(candidates.refined_iou[row])
    return RefinedEvidence(int(candidates.roi[row]), proposal, refined)


def _class(candidates: Candidates, replay: Replay) -> ClassEvidence:
    row, slot = candidates.best(candidates.score), best_slot(candidates, replay)
    roi = int(candidates.roi[row])
    scores = replay.class_scores[roi]
    winner = int(scores.argmax())
    cause = "threshold" if winner == candidates.label else "other class" if winner else "background"
    if int(replay.detections.fate[slot]) == int(DetectionFate.TOO_SMALL):
        cause = "size"
    return ClassEvidence(
        slot, roi, float(candidates.refined_iou[row]), float(scores[candidates.label]),
        replay.thresholds.box_score, winner, float(scores[winner]), cause,
    )  # fmt: skip


def _match(candidates: Candidates, replay: Replay, truth: GroundTruth, matches: Matches) -> MatchEvidence:
    slot = best_slot(candidates, replay)
    detection = int((replay.detections.kept == slot).int().argmax())
    other = int(matches.object_of[detection])
    pair = truth.boxes[[candidates.object, other]].to(replay.boxes.device)
    own, others = iou_of(replay.boxes[detection], pair).tolist()
    return MatchEvidence(detection, other, own, others, float(replay.scores[detection]))
