"""Both filters run again on a trace, under other thresholds and without the backbone.

Shapes: `N` anchors, `R` RoIs, `K` categories with background, `M` detections.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.ops import boxes as box_ops

from detector.tracing.filters import (
    DetectionFate,
    Ledger,
    ProposalFate,
    filter_detections,
    filter_proposals,
)
from detector.tracing.handover import handed_on
from detector.tracing.head import DecodedHead, HeadTable
from detector.tracing.thresholds import Thresholds
from detector.tracing.trace import HeadStage, Trace

if TYPE_CHECKING:
    from detector.models.detector import Detector


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What both filters do to the candidates of a trace under some thresholds.

    Args:
        trace: what was captured.
        thresholds: what was applied.
        proposals: ledger over all N anchors.
        detections: ledger over all R x (K-1) class slots.
        head: the second stage's output for this replay's RoIs, in the order of `proposals.kept`
            (in a training trace: for the RoIs that were sampled). `features` is None unless these
            are the RoIs of the capture.
        class_scores: float [R, K], class probabilities of these RoIs.
        class_boxes: float [R, K, 4], or [R, 1, 4] where boxes do not depend on the class; network frame.
    """

    trace: Trace
    thresholds: Thresholds
    proposals: Ledger[ProposalFate]
    detections: Ledger[DetectionFate]
    head: HeadStage
    class_scores: Tensor
    class_boxes: Tensor

    @property
    def boxes(self) -> Tensor:
        """Boxes of the final detections, float [M, 4], **image** frame."""
        return self.trace.to_image(self.detections.boxes[self.detections.kept])

    @property
    def scores(self) -> Tensor:
        """Their class probabilities, float [M]."""
        return self.detections.scores[self.detections.kept]

    @property
    def labels(self) -> Tensor:
        """Their category indices, int64 [M]."""
        return self.detections.labels[self.detections.kept]

    @property
    def rois(self) -> Tensor:
        """Index, int64 [M], of the RoI that each final detection came from."""
        return self.roi_of(self.detections.kept)

    def roi_of(self, slots: Tensor) -> Tensor:
        """RoI index of each class slot."""
        return slots // (self.class_scores.shape[1] - 1)

    def slot_of(self, rois: Tensor, labels: Tensor) -> Tensor:
        """Class-slot index of each pair of RoI and category (1..K-1)."""
        return rois * (self.class_scores.shape[1] - 1) + labels - 1


class Replayer:
    """Replays one trace under any thresholds; remembers what it had to compute.

    Args:
        trace: what was captured.
        detector: needed for RPN thresholds under which RoIs appear that the capture did not see.
    """

    def __init__(self, trace: Trace, detector: Detector | None = None) -> None:
        self.trace, self.detector = trace, detector
        self._lock = RLock()
        self._first_half: tuple[tuple[float, ...], Ledger[ProposalFate], DecodedHead] | None = None
        self._second_half: tuple[DecodedHead, Thresholds, Ledger[DetectionFate]] | None = None
        known = handed_on(trace)
        if known is None:
            self._decoded = decoded_anchors(trace)
            self._table = HeadTable(trace, detector)
        else:
            self._decoded = known.decoded
            self._table = HeadTable(trace, detector, known.head)
            self._first_half = _rpn_key(trace.thresholds), known.proposals, known.head
            self._second_half = known.head, trace.thresholds, known.detections

    def replay(self, thresholds: Thresholds | None = None) -> Replay:
        """Run both filters again; the thresholds of the capture by default.

        Under the thresholds of the capture the result equals the model's own output bit for bit (unless
        `trace.faithful` is False). Under other RPN thresholds the second stage runs for RoIs not seen before.
        In a training trace the box filter runs over the RoIs that the step sampled.

        Raises:
            ValueError: unseen RoIs and no detector.
        """
        thresholds = thresholds or self.trace.thresholds
        trace = self.trace
        with self._lock, torch.no_grad():
            proposals, head = self._up_to_the_head(thresholds)
            detections = self._detections(head, thresholds)
        return Replay(trace, thresholds, proposals, detections, head.stage, head.scores, head.boxes)

    def proposals(self, thresholds: Thresholds | None = None) -> Ledger[ProposalFate]:
        """The RPN filter alone: a ledger over all N anchors."""
        trace, known = self.trace, self._first_half
        thresholds = thresholds or trace.thresholds
        if known is not None and known[0] == _rpn_key(thresholds):
            return known[1]
        return filter_proposals(trace.rpn, self._decoded, trace.input.network_size, thresholds, trace.rules)

    def head_at(self, anchors: Tensor) -> DecodedHead:
        """What the second stage says of the boxes that some anchors, int64 [R], were moved to, in their order.

        It runs for those that were not seen before, all in one batch, and replays know them from then on.

        Raises:
            ValueError: unseen RoIs and no detector.
        """
        boxes = box_ops.clip_boxes_to_image(self._decoded[anchors], self.trace.input.network_size)
        with self._lock, torch.no_grad():
            return self._table.of(anchors, boxes)

    def roi_features(self, replay: Replay, rois: Tensor) -> Tensor:
        """RoIAlign output, float [len(rois), C, 7, 7], of some RoIs of a replay; pooled again when not kept.

        Raises:
            ValueError: they were not kept, and there is no detector.
        """
        stage = replay.head
        if stage.features is not None:
            return stage.features[rois]
        with self._lock:
            kept = self._table.kept_features(stage.anchor[rois]) if self.detector is None else None
            features = (
                kept if kept is not None else self._table.look(stage.anchor[rois], stage.boxes[rois]).features
            )
        assert features is not None
        return features

    def _up_to_the_head(self, thresholds: Thresholds) -> tuple[Ledger[ProposalFate], DecodedHead]:
        """The half that box thresholds do not touch; the last one is remembered, for a box slider that moves."""
        key = _rpn_key(thresholds)
        if self._first_half is None or self._first_half[0] != key:
            proposals = self.proposals(thresholds)
            self._first_half = key, proposals, self._head_of(proposals)
        return self._first_half[1:]

    def _head_of(self, proposals: Ledger[ProposalFate]) -> DecodedHead:
        if self.trace.mode == "training" or not self.trace.faithful:
            return self._table.captured
        return self._table.of(proposals.kept, proposals.boxes[proposals.kept])

    def _detections(self, head: DecodedHead, thresholds: Thresholds) -> Ledger[DetectionFate]:
        """The half that box thresholds move; the last one is remembered, for all who ask the same."""
        known = self._second_half
        if known is None or known[0] is not head or known[1] != thresholds:
            ledger = filter_detections(head.boxes, head.scores, thresholds, self.trace.rules)
            known = self._second_half = head, thresholds, ledger
        return known[2]


def decoded_anchors(trace: Trace) -> Tensor:
    """All anchors moved by their deltas, float [N, 4], not clipped, network frame."""
    return trace.rules.rpn_coder.decode(trace.rpn.deltas, [trace.rpn.anchors]).reshape(-1, 4)


def _rpn_key(thresholds: Thresholds) -> tuple[float, ...]:
    return (
        thresholds.rpn_pre_nms_top_n, thresholds.rpn_post_nms_top_n, thresholds.rpn_nms, thresholds.rpn_score,
    )  # fmt: skip
