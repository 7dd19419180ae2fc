"""What the ladder says: a verdict for each object, and all of an image together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from detector.explaining.evidence import ClassEvidence, Evidence
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.matching import Matches
    from detector.tracing.replay import Replay


class Mechanism(StrEnum):
    """The five mechanisms of a miss of Miller et al. 2022, "What's in the Black Box? The False Negative
    Mechanisms Inside Object Detectors" (their Algorithm 1).

    Proposal: no proposal fits the object. Regressor: a proposal fits, no refined box does. Interclass and
    background: a refined box fits, and its RoI is taken for another class, or for none. Calibration: fit and class
    are right, and the detection is lost all the same.

    Where a verdict differs from theirs:

    - Their proposal mechanism is one; here it is six rungs, ANCHOR_FIT to RPN_LIMIT.
    - They compare scores with the detector's score threshold: interclass where another class of any box that fits
      exceeds it, else background. Here the class with the highest score of one RoI decides, whatever the
      threshold. So the right class that wins its RoI below the threshold is background to them; here it is
      calibration, because only the threshold is in the way. A refined box that is too small counts there as well.
    - Their calibration is what NMS suppressed. Here the limit of detections, which they do not model, and
      MATCHED_ELSEWHERE belong to it: they let one detection stand for several objects, COCO's matching does not.
    """

    PROPOSAL = "proposal"
    REGRESSOR = "regressor"
    INTERCLASS = "interclass"
    BACKGROUND = "background"
    CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True)
class Step:
    """What passed one rung.

    Args:
        rung: which.
        survivors: how many candidates of the object passed it.
        best_iou: the highest IoU of their boxes with the object, as the boxes are at this rung, image frame;
            None where none survives. A candidate that got further by its refined box counts at RPN_BOX, too, so
            this may be lower than the overlap that counts.
        best_score: their highest score: objectness up to RPN_LIMIT, then the probability of the right class.
            Both are None, too, for the first rungs of an object that a training step itself added as a RoI.
    """

    rung: Rung
    survivors: int
    best_iou: float | None = None
    best_score: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one object was lost.

    Args:
        object: index into the ground truth.
        rung: the first rung that none of its candidates passed, or FOUND.
        steps: one for each rung before FOUND; the numbers of survivors never rise.
        best_iou: highest IoU of the boxes of the stage that the deepest candidate reached, image frame.
        detection: index of its detection among the kept ones, if found.
        slot: the class slot that came nearest to a detection of it, where one has the right box.
        reason: about five words.
        evidence: what shows why, for a lost object; None at ROI_BOX where the second stage saw no proposal that
            fits: a training step did not sample it, or the trace is not faithful.
    """

    object: int
    rung: Rung
    steps: tuple[Step, ...]
    best_iou: float
    detection: int | None
    slot: int | None
    reason: str
    evidence: Evidence | None = None

    @property
    def survivors(self) -> tuple[int, ...]:
        """How many candidates passed each rung before FOUND."""
        return tuple(step.survivors for step in self.steps)

    @property
    def mechanism(self) -> Mechanism | None:
        """The mechanism of Miller et al. 2022 that the rung belongs to; None for a found object.

        Their proposal mechanism merges the first six rungs.
        """
        if self.rung is Rung.FOUND:
            return None
        if self.rung <= Rung.RPN_LIMIT:
            return Mechanism.PROPOSAL
        if self.rung is Rung.ROI_BOX:
            return Mechanism.REGRESSOR
        if isinstance(self.evidence, ClassEvidence):
            cause = self.evidence.cause
            if cause == "other class":
                return Mechanism.INTERCLASS
            if cause == "background":
                return Mechanism.BACKGROUND
        return Mechanism.CALIBRATION


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """One verdict per object of an image under some thresholds.

    Args:
        replay: what both filters did.
        truth: the objects.
        iou: the overlap that counts as found.
        verdicts: one for each object that is not a crowd region, in their order.
        matches: COCO's matching of the kept detections.
        false_detections: indices of kept detections that match no object and no crowd region.
        false_positives: the cause of each of them, in the same order.
    """

    replay: Replay
    truth: GroundTruth
    iou: float
    verdicts: tuple[Verdict, ...]
    matches: Matches
    false_detections: tuple[int, ...]
    false_positives: tuple[FalsePositive, ...] = ()

    @property
    def lost(self) -> tuple[Verdict, ...]:
        """The verdicts of objects that were not found."""
        return tuple(verdict for verdict in self.verdicts if verdict.rung is not Rung.FOUND)

    def verdict_of(self, index: int) -> Verdict | None:
        """The verdict about one object; None for a crowd region, or where there is no such object."""
        return next((verdict for verdict in self.verdicts if verdict.object == index), None)
