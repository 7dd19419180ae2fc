"""Whether an object is found under some thresholds: the question that a search for a remedy asks again and again.

Shapes: `R` RoIs, `M` detections, `G` objects. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from detector.explaining.matching import inclusive, match_detections, overlaps
from detector.tracing.filters import filter_detections

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.filters import Ledger
    from detector.tracing.head import DecodedHead
    from detector.tracing.replay import Replayer
    from detector.tracing.thresholds import Thresholds

# What one search may cost at most, however many values there are.
MOST_REPLAYS = 100
MOST_ROIS = 500


class Trial:
    """Asks for one lost object, within a budget.

    Args:
        replayer: of the trace that was diagnosed.
        diagnosis: under the present thresholds.
        index: the object, index into the ground truth.
        most_rois: how many proposals that the capture did not see the second stage may be asked about.
    """

    def __init__(
        self, replayer: Replayer, diagnosis: Diagnosis, index: int, most_rois: int = MOST_ROIS
    ) -> None:
        self.replayer, self.replay, self.iou = replayer, diagnosis.replay, diagnosis.iou
        self.rois_left = most_rois
        self._seen = self.replay.trace.head.anchor
        self.truth, self.index = diagnosis.truth, index
        self.label = int(diagnosis.truth.labels[index])
        same = (diagnosis.truth.labels == self.label).nonzero().flatten()
        self._rivals = _selected(diagnosis.truth, same)
        self._place = int((same == index).nonzero())
        self._replays = MOST_REPLAYS

    @property
    def present(self) -> Thresholds:
        """The thresholds of the diagnosis."""
        return self.replay.thresholds

    @property
    def head_follows(self) -> bool:
        """Whether other proposals reach the second stage: not where a training step sampled its RoIs."""
        return self.replay.trace.mode == "inference" and self.replay.trace.faithful

    def look_at(self, anchors: Tensor) -> tuple[Tensor, DecodedHead]:
        """What the second stage says of some anchors' proposals; of unseen ones the nearest, within the budget.

        Returns:
            those that were looked at, int64 [R], in the order they were given, and their rows.
        """
        chosen = torch.isin(anchors, self._seen)
        if self.replayer.detector is not None:
            new = (~chosen).nonzero().flatten()
            nearest = self.overlap(self.replay.proposals.boxes[anchors[new]])
            chosen[new[nearest.topk(min(self.rois_left, len(new))).indices]] = True
        pool = anchors[chosen]
        self.rois_left -= int((~torch.isin(pool, self._seen)).sum())
        self._seen = torch.cat((self._seen, pool)).unique()
        return pool, self.replayer.head_at(pool)

    @property
    def spent(self) -> bool:
        """Whether the budget of replays is used up."""
        return self._replays <= 0

    def finds(self, **change: float) -> bool:
        """Whether the object is matched by a detection in a real replay under the changed thresholds."""
        if self.spent:
            return False
        self._replays -= 1
        try:
            replay = self.replayer.replay(self.present.replace(**change))
        except ValueError:
            return False  # RoIs that the capture did not see, and no detector to look at them
        return self._match(replay.boxes, replay.labels, replay.scores) is not None

    def match(self, slots: Tensor) -> int | None:
        """Which of some class slots of the right category, in order of score, would take the object.

        COCO's matching never mixes categories, and a detection's match depends on what scores higher alone:
        the other classes, the limit and lower scores change nothing about it.
        """
        slots = slots.to(self.replay.detections.boxes.device)
        detections = self.replay.detections
        boxes = self.replay.trace.to_image(detections.boxes[slots])
        place = self._match(boxes, detections.labels[slots], detections.scores[slots])
        return None if place is None else int(slots[place])

    def fits(self, boxes: Tensor) -> Tensor:
        """Which boxes, float [..., 4] in the network frame, overlap the object enough; bool [...]."""
        quality = self.overlap(boxes.reshape(-1, 4))
        return (quality >= inclusive(self.iou)).reshape(boxes.shape[:-1])

    def overlap(self, boxes: Tensor) -> Tensor:
        """IoU, float64 [S], of boxes [S, 4] in the network frame with the object."""
        own = _selected(self.truth, torch.tensor([self.index]))
        return overlaps(self.replay.trace.to_image(boxes), own)[:, 0]

    def may_count(self, head: DecodedHead) -> Tensor:
        """RoIs, bool [R], whose slot of the right class fits the object and gets as far as the box NMS."""
        free = self.present.replace(box_nms=1.0)
        with torch.no_grad():
            ledger = filter_detections(head.boxes, head.scores, free, self.replay.trace.rules)
        classes = head.scores.shape[1] - 1
        slots = torch.arange(len(head.scores), device=ledger.fate.device) * classes + self.label - 1
        entered = torch.zeros_like(ledger.fate, dtype=torch.bool)
        entered[ledger.entrants] = True
        return self.fits(ledger.boxes[slots]) & entered[slots]

    def _match(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> int | None:
        own = (labels == self.label).nonzero().flatten()
        matches = match_detections(boxes[own], labels[own], scores[own], self._rivals, self.iou)
        place = int(matches.detection_of[self._place])
        return None if place < 0 else int(own[place])


@dataclass(frozen=True)
class Search:
    """Where a remedy may lie.

    Args:
        field: of `Thresholds`.
        values: nearest to the present one first; at each the object may be found, before none it is.
        passing: the nearest value at which any candidate of the object gets past the rung where it was lost,
            whatever becomes of it afterwards; None where none does.
    """

    field: str
    values: Iterator[float]
    passing: Callable[[], float | None]


def slots_of_class(trial: Trial) -> Tensor:
    """The R class slots of the object's category, in order of their RoI."""
    scores = trial.replay.class_scores
    rois = torch.arange(len(scores), device=scores.device)
    return trial.replay.slot_of(rois, torch.full_like(rois, trial.label))


def fitting_slots(trial: Trial) -> Tensor:
    """Class slots of the object's category whose refined box fits it, int64, in order of their RoI."""
    slots = slots_of_class(trial)
    return slots[trial.fits(trial.replay.detections.boxes[slots])]


def in_order(scores: Tensor, members: Tensor) -> Tensor:
    """`members`, int64, in the order in which NMS takes them: by falling score, the first of equals first."""
    return members[scores[members].sort(descending=True, stable=True).indices]


def compared(ledger: Ledger[Any], members: Tensor) -> Tensor:
    """The coordinates, float [S, 4], that NMS compared for some of those that entered it."""
    places = torch.full((len(ledger),), -1, device=members.device)
    places[ledger.entrants] = torch.arange(len(ledger.entrants), device=members.device)
    return ledger.compared_boxes()[places[members]]


def _selected(truth: GroundTruth, rows: Tensor) -> GroundTruth:
    """Some of the objects."""
    return replace(truth, **{field.name: getattr(truth, field.name)[rows] for field in fields(truth)})
