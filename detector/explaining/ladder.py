"""The ladder: for every object the rung where it was lost, or that it was found.

A candidate of an object is a chain anchor -> decoded box -> proposal -> RoI -> slot of the object's class. It
counts when its anchor, its decoded box or its refined box overlaps the object by `iou` or more, and it gets as
deep as its boxes fit and the filters let it. A verdict names the first rung after the deepest one that any
candidate passed. Miller et al. 2022 ("What's in the black box?") split misses into five mechanisms; their first
is the first six rungs here.

Shapes: `N` anchors, `R` RoIs, `G` objects. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from detector.data.ground_truth import GroundTruth
from detector.explaining.matching import Matches, match_detections, overlaps
from detector.explaining.reasons import reason_for
from detector.explaining.rungs import Rung
from detector.tracing.filters import DetectionFate, ProposalFate
from detector.tracing.replay import Replay, Replayer

# The last rung that a candidate with this fate has passed.
_PROPOSAL_DEPTH = {
    ProposalFate.BELOW_TOP_N: Rung.RPN_BOX,
    ProposalFate.TOO_SMALL: Rung.RPN_RANK,
    ProposalFate.LOW_SCORE: Rung.RPN_RANK,
    ProposalFate.SUPPRESSED: Rung.RPN_SCORE,
    ProposalFate.OVER_LIMIT: Rung.RPN_NMS,
    ProposalFate.KEPT: Rung.RPN_LIMIT,
}
_SLOT_DEPTH = {
    DetectionFate.OTHER_CLASS: Rung.ROI_BOX,
    DetectionFate.LOW_SCORE: Rung.ROI_BOX,
    DetectionFate.TOO_SMALL: Rung.ROI_BOX,
    DetectionFate.SUPPRESSED: Rung.ROI_CLASS,
    DetectionFate.OVER_LIMIT: Rung.BOX_NMS,
    DetectionFate.KEPT: Rung.BOX_LIMIT,
}
_NO_RUNG = -1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one object was lost.

    Args:
        object: index into the ground truth.
        rung: the first rung that none of its candidates passed, or FOUND.
        survivors: for each rung before FOUND, how many candidates passed it; never rising.
        best_iou: highest IoU of the boxes of the stage that the deepest candidate reached, image frame.
        detection: index of its detection among the kept ones, if found.
        slot: the class slot that came nearest to a detection of it, where one has the right box.
        reason: about five words.
    """

    object: int
    rung: Rung
    survivors: tuple[int, ...]
    best_iou: float
    detection: int | None
    slot: int | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """One verdict per object of an image under some thresholds.

    Args:
        replay: what both filters did.
        truth: the objects.
        iou: the overlap that counts as found.
        verdicts: one for each object that is not a crowd region, in their order.
        matches: COCO's matching of the kept detections.
        false_positives: indices of kept detections that match no object and no crowd region.
    """

    replay: Replay
    truth: GroundTruth
    iou: float
    verdicts: tuple[Verdict, ...]
    matches: Matches
    false_positives: tuple[int, ...]

    @property
    def lost(self) -> tuple[Verdict, ...]:
        """The verdicts of objects that were not found."""
        return tuple(verdict for verdict in self.verdicts if verdict.rung is not Rung.FOUND)


def diagnose(replayer: Replayer | Replay, ground_truth: GroundTruth, iou: float = 0.5) -> Diagnosis:
    """One verdict for every object.

    Args:
        replayer: a replay, or a replayer (then under the thresholds of the capture).
        ground_truth: the objects, image frame.
        iou: the overlap that counts, inclusive.

    Raises:
        ValueError: an IoU outside (0, 1].
    """
    if not 0 < iou <= 1:
        raise ValueError(f"iou is {iou}; expected a number above 0 and up to 1")
    replay = replayer.replay() if isinstance(replayer, Replayer) else replayer
    matches = match_detections(replay.boxes, replay.labels, replay.scores, ground_truth, iou)
    depths = _Depths(replay, ground_truth, iou)
    real = (~ground_truth.crowd).nonzero().flatten().tolist()
    verdicts = tuple(_verdict(depths, matches, index) for index in real)
    false = (matches.object_of < 0).nonzero().flatten().tolist()
    return Diagnosis(replay, ground_truth, iou, verdicts, matches, tuple(false))


class _Depths:
    """How deep each candidate of each object got."""

    def __init__(self, replay: Replay, truth: GroundTruth, iou: float) -> None:
        self.replay, self.truth, self.iou = replay, truth, iou
        trace = replay.trace
        self.anchor_iou = overlaps(trace.to_image(trace.rpn.anchors), truth)
        self.decoded_iou = overlaps(trace.to_image(replay.proposals.boxes), truth)
        shape = replay.class_boxes.shape
        refined = overlaps(trace.to_image(replay.class_boxes.reshape(-1, 4)), truth)
        self.class_iou = refined.reshape(*shape[:2], len(truth))
        self.proposal_depth = _lookup(_PROPOSAL_DEPTH, replay.proposals.fate)
        classes = replay.class_scores.shape[1] - 1
        self.slot_depth = _lookup(_SLOT_DEPTH, replay.detections.fate).reshape(shape[0], classes)

    def refined_iou(self, index: int) -> Tensor:
        """IoU [R] of each RoI's refined box of the object's class."""
        label = int(self.truth.labels[index])
        return self.class_iou[:, label if self.class_iou.shape[1] > 1 else 0, index]

    def of(self, index: int) -> tuple[Tensor, Tensor]:
        """Depths of the candidates of one object: by anchor [N], and by RoI [R]."""
        fits = self.decoded_iou[:, index] >= self.iou
        by_anchor = torch.where(self.anchor_iou[:, index] >= self.iou, int(Rung.ANCHOR_FIT), _NO_RUNG)
        by_anchor = torch.where(fits, self.proposal_depth, by_anchor)
        slots = self.slot_depth[:, int(self.truth.labels[index]) - 1]
        return by_anchor, torch.where(self.refined_iou(index) >= self.iou, slots, _NO_RUNG)


def _lookup(depths: dict[ProposalFate, Rung] | dict[DetectionFate, Rung], fate: Tensor) -> Tensor:
    table = torch.zeros(len(depths), dtype=torch.int64, device=fate.device)
    for key, rung in depths.items():
        table[int(key)] = int(rung)
    return table[fate.long()]


def _verdict(depths: _Depths, matches: Matches, index: int) -> Verdict:
    by_anchor, by_roi = depths.of(index)
    merged = by_anchor.clone()
    source = depths.replay.head.anchor
    known = source >= 0
    merged[source[known]] = torch.maximum(merged[source[known]], by_roi[known])
    every = torch.cat((merged, by_roi[~known]))
    survivors = tuple(int((every >= int(rung)).sum()) for rung in list(Rung)[:-2])
    detection = int(matches.detection_of[index])
    found = detection >= 0
    rung = Rung.FOUND if found else Rung(int(every.max()) + 1)
    # Whether a good detection is this object's is decided for one of them at most: by the matching.
    survivors = (*survivors, int(found))
    slot = _nearest_slot(depths, by_roi, index)
    best = _best_iou(depths, by_anchor, by_roi, index)
    reason = reason_for(rung, depths.replay, depths.truth, index, slot=slot, best_iou=best)
    return Verdict(index, rung, survivors, best, detection if found else None, slot, reason)


def _nearest_slot(depths: _Depths, by_roi: Tensor, index: int) -> int | None:
    """The slot of the right class and box that got deepest, the highest score deciding among equals."""
    if len(by_roi) == 0 or int(by_roi.max()) < 0:
        return None
    label = int(depths.truth.labels[index])
    deepest = by_roi == by_roi.max()
    score = depths.replay.class_scores[:, label].masked_fill(~deepest, -1.0)
    return int(depths.replay.slot_of(score.argmax(), torch.tensor(label)))


def _best_iou(depths: _Depths, by_anchor: Tensor, by_roi: Tensor, index: int) -> float:
    """Of refined boxes where one fits, else of decoded boxes where one fits, else of all anchors and boxes."""
    refined, decoded, anchors = (
        depths.refined_iou(index),
        depths.decoded_iou[:, index],
        depths.anchor_iou[:, index],
    )
    if len(by_roi) and int(by_roi.max()) >= 0:
        return float(refined.max())
    if int(by_anchor.max()) > int(Rung.ANCHOR_FIT):
        return float(decoded.max())
    return float(torch.maximum(decoded.max(), anchors.max()))
