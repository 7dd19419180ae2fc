"""The ladder: for every object the rung where it was lost, or that it was found.

A candidate of an object is a chain anchor -> decoded box -> proposal -> RoI -> slot of the object's class. It
counts when its anchor, its decoded box or its refined box overlaps the object by `iou` or more, and it gets as
deep as its boxes fit and the filters let it. A verdict names the first rung after the deepest one that any
candidate passed. Miller et al. 2022 ("What's in the black box?") split misses into five mechanisms; their first
is the first six rungs here.

Shapes: `N` anchors, `R` RoIs, `G` objects. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from detector.data.ground_truth import GroundTruth
from detector.explaining.false_positives import false_positives_of
from detector.explaining.matching import Matches, match_detections, overlaps
from detector.explaining.reasons import reason_for
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Diagnosis, Step, Verdict
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


def diagnose(replayer: Replayer | Replay, ground_truth: GroundTruth, iou: float = 0.5) -> Diagnosis:
    """One verdict for every object, and one cause for every false positive.

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
    false = false_positives_of(replay, ground_truth, matches, iou)
    detections = tuple(one.detection for one in false)
    return Diagnosis(replay, ground_truth, iou, verdicts, matches, detections, false)


@dataclass(frozen=True, slots=True, eq=False)
class _Overlaps:
    """How well everything fits every object, whatever the box filter does.

    Args:
        iou: the overlap that counts.
        truth: the objects.
        near: for each object the anchors, int64, that fit it before or after their deltas.
        decoded: for each object the IoU [len(near)] of their decoded boxes.
        best_anchor, best_decoded: float64 [G], over all anchors.
        refined: float64 [R, K, G], or [R, 1, G] where boxes do not depend on the class.
    """

    iou: float
    truth: GroundTruth
    near: tuple[Tensor, ...]
    decoded: tuple[Tensor, ...]
    best_anchor: Tensor
    best_decoded: Tensor
    refined: Tensor


# By the boxes of the second stage, which live as long as anyone can ask: moving the box filter leaves them alone.
_KNOWN: MutableMapping[Tensor, _Overlaps] = WeakIdKeyDictionary()


def _overlaps_of(replay: Replay, truth: GroundTruth, iou: float) -> _Overlaps:
    known = _KNOWN.get(replay.class_boxes)
    if known is not None and known.truth is truth and known.iou == iou:
        return known
    trace, shape = replay.trace, replay.class_boxes.shape
    anchor = overlaps(trace.to_image(trace.rpn.anchors), truth)
    decoded = overlaps(trace.to_image(replay.proposals.boxes), truth)
    refined = overlaps(trace.to_image(replay.class_boxes.reshape(-1, 4)), truth)
    near = tuple(fit.nonzero().flatten() for fit in ((anchor >= iou) | (decoded >= iou)).unbind(1))
    found = _Overlaps(
        iou, truth, near, tuple(decoded[rows, index] for index, rows in enumerate(near)),
        anchor.amax(dim=0), decoded.amax(dim=0), refined.reshape(*shape[:2], len(truth)),
    )  # fmt: skip
    _KNOWN[replay.class_boxes] = found
    return found


class _Depths:
    """How deep each candidate of each object got."""

    def __init__(self, replay: Replay, truth: GroundTruth, iou: float) -> None:
        self.replay, self.truth, self.iou = replay, truth, iou
        self.overlaps = _overlaps_of(replay, truth, iou)
        self.proposal_depth = _table(_PROPOSAL_DEPTH, replay.proposals.fate)
        rois, classes = replay.class_scores.shape
        slots = _table(_SLOT_DEPTH, replay.detections.fate)[replay.detections.fate.long()]
        self.slot_depth = slots.reshape(rois, classes - 1)

    def refined_iou(self, index: int) -> Tensor:
        """IoU [R] of each RoI's refined box of the object's class."""
        refined, label = self.overlaps.refined, int(self.truth.labels[index])
        return refined[:, label if refined.shape[1] > 1 else 0, index]

    def by_anchor(self, index: int) -> Tensor:
        """Depths of the anchors that are near one object."""
        near, decoded = self.overlaps.near[index], self.overlaps.decoded[index]
        depths = self.proposal_depth[self.replay.proposals.fate[near].long()]
        return torch.where(decoded >= self.iou, depths, int(Rung.ANCHOR_FIT))

    def by_roi(self, index: int) -> Tensor:
        """Depths [R] of one object's class slots; `_NO_RUNG` where the refined box is not near it."""
        slots = self.slot_depth[:, int(self.truth.labels[index]) - 1]
        return torch.where(self.refined_iou(index) >= self.iou, slots, _NO_RUNG)

    def of(self, index: int) -> Tensor:
        """Depths of the candidates of one object: an anchor and the RoI that came of it are one."""
        near, by_anchor, by_roi = self.overlaps.near[index], self.by_anchor(index), self.by_roi(index)
        source = self.replay.head.anchor
        known = source >= 0
        depths = torch.full((len(self.replay.proposals.fate),), _NO_RUNG, device=source.device)
        depths[near] = by_anchor
        depths[source[known]] = torch.maximum(depths[source[known]], by_roi[known])
        return torch.cat((depths[torch.cat((near, source[known])).unique()], by_roi[~known]))


def _table(depths: dict[ProposalFate, Rung] | dict[DetectionFate, Rung], fate: Tensor) -> Tensor:
    """The rung of each fate, int64, by the fate's number."""
    table = torch.zeros(len(depths), dtype=torch.int64, device=fate.device)
    for key, rung in depths.items():
        table[int(key)] = int(rung)
    return table


def _verdict(depths: _Depths, matches: Matches, index: int) -> Verdict:
    every, by_roi = depths.of(index), depths.by_roi(index)
    survivors = tuple(int((every >= int(rung)).sum()) for rung in list(Rung)[:-2])
    detection = int(matches.detection_of[index])
    found = detection >= 0
    deepest = int(every.max()) if len(every) else _NO_RUNG
    rung = Rung.FOUND if found else Rung(deepest + 1)
    # Whether a good detection is this object's is decided for one of them at most: by the matching.
    survivors = (*survivors, int(found))
    slot = _nearest_slot(depths, by_roi, index)
    best = _best_iou(depths, by_roi, index)
    reason = reason_for(rung, depths.replay, depths.truth, index, slot=slot, best_iou=best)
    steps = tuple(Step(rung, count) for rung, count in zip(Rung, survivors, strict=False))
    return Verdict(index, rung, steps, best, detection if found else None, slot, reason)


def _nearest_slot(depths: _Depths, by_roi: Tensor, index: int) -> int | None:
    """The slot of the right class and box that got deepest, the highest score deciding among equals."""
    if len(by_roi) == 0 or int(by_roi.max()) < 0:
        return None
    label = int(depths.truth.labels[index])
    deepest = by_roi == by_roi.max()
    score = depths.replay.class_scores[:, label].masked_fill(~deepest, -1.0)
    return int(depths.replay.slot_of(score.argmax(), torch.tensor(label)))


def _best_iou(depths: _Depths, by_roi: Tensor, index: int) -> float:
    """Of refined boxes where one fits, else of decoded boxes where one fits, else of all anchors and boxes."""
    if len(by_roi) and int(by_roi.max()) >= 0:
        return float(depths.refined_iou(index).max())
    decoded = float(depths.overlaps.best_decoded[index])
    if decoded >= depths.iou:
        return decoded
    return max(decoded, float(depths.overlaps.best_anchor[index]))
