"""The ladder: for every object the rung where it was lost, or that it was found.

A candidate of an object is a chain anchor -> decoded box -> proposal -> RoI -> slot of the object's class. It
counts when its anchor, its decoded box or its refined box overlaps the object by `iou` or more, and it gets as
deep as its boxes fit and the filters let it. A verdict names the first rung after the deepest one that any
candidate passed. Miller et al. 2022 ("What's in the black box?") split misses into five mechanisms; their first
is the first six rungs here.

Shapes: `G` objects. Overlaps are taken in the image frame.
"""

from __future__ import annotations

import torch

from detector.data.ground_truth import GroundTruth
from detector.explaining.candidates import Candidates, Gathering
from detector.explaining.evidence_gathering import best_slot, evidence_for
from detector.explaining.false_positives import false_positives_of
from detector.explaining.matching import Matches, match_detections
from detector.explaining.reasons import reason_for
from detector.explaining.rungs import Rung
from detector.explaining.steps import steps_of
from detector.explaining.verdicts import Diagnosis, Verdict
from detector.tracing.replay import Replay, Replayer


def diagnose(replayer: Replayer | Replay, ground_truth: GroundTruth, iou: float = 0.5) -> Diagnosis:
    """One verdict for every object, and one cause for every false positive.

    Args:
        replayer: a replay, or a replayer (then under the thresholds of the capture).
        ground_truth: the objects, image frame.
        iou: the overlap that counts, inclusive.

    Raises:
        ValueError: an IoU outside (0, 1], or an object of a category that the detector does not have.
        TypeError: objects that are no `GroundTruth`.
    """
    if not isinstance(ground_truth, GroundTruth):
        given = type(ground_truth).__name__
        raise TypeError(f"the objects were given as {given}; expected GroundTruth(boxes, labels)")
    if not 0 < iou <= 1:
        raise ValueError(f"iou is {iou}; expected a number above 0 and up to 1")
    replay = replayer.replay() if isinstance(replayer, Replayer) else replayer
    with torch.no_grad():
        gathering = Gathering(replay, ground_truth, iou)
        matches = match_detections(replay.boxes, replay.labels, replay.scores, ground_truth, iou)
        real = (~ground_truth.crowd).nonzero().flatten().tolist()
        verdicts = tuple(_verdict(gathering, matches, index, iou) for index in real)
        false = false_positives_of(replay, ground_truth, matches, iou)
    detections = tuple(one.detection for one in false)
    return Diagnosis(replay, ground_truth, iou, verdicts, matches, detections, false)


def _verdict(gathering: Gathering, matches: Matches, index: int, iou: float) -> Verdict:
    replay, truth = gathering.replay, gathering.truth
    candidates = gathering.of(index)
    detection = int(matches.detection_of[index])
    found = detection >= 0
    row = None
    if found:
        row = int((candidates.roi == int(replay.roi_of(replay.detections.kept[detection]))).argmax())
    deepest = candidates.deepest
    rung = Rung.FOUND if found else Rung(0 if deepest is None else deepest + 1)
    evidence = evidence_for(rung, candidates, replay, truth, iou, matches)
    reached = deepest is not None and deepest >= Rung.ROI_BOX
    return Verdict(
        index,
        rung,
        steps_of(candidates, row),
        _best_iou(candidates),
        detection if found else None,
        best_slot(candidates, replay) if reached else None,
        reason_for(rung, evidence, truth, replay.trace.categories),
        evidence,
    )


def _best_iou(candidates: Candidates) -> float:
    """Of refined boxes where one fits, else of decoded boxes where one fits, else of all anchors and boxes."""
    deepest = candidates.deepest
    if deepest is None:
        return max(candidates.nearest[1] if candidates.nearest else 0.0, candidates.best_decoded)
    if deepest >= Rung.ROI_BOX:
        return candidates.most_refined
    return float((candidates.decoded_iou if deepest >= Rung.RPN_BOX else candidates.anchor_iou).max())
