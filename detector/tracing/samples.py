"""The training-time view of one image: which anchors and RoIs a training step labels, draws and regresses.

Shapes: `N` anchors, `S` sampled RoIs, `G` objects. Boxes and deltas are in the network frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1


@dataclass(frozen=True, slots=True, eq=False)
class AnchorSamples:
    """How the RPN's loss sees the anchors.

    Args:
        labels: int64 [N], 1 positive, 0 negative, -1 ignored (IoU between the two bounds).
        matched: int64 [N], index of the object a positive anchor is matched to, else -1.
        rescued: bool [N], positive only because no anchor fits its object better ("low-quality match").
        positives: int64 [P], indices of the sampled positive anchors.
        negatives: int64 [Q], indices of the sampled negative anchors.
        targets: float [N, 4], deltas that would turn each positive anchor into its object; 0 elsewhere.
    """

    labels: Tensor
    matched: Tensor
    rescued: Tensor
    positives: Tensor
    negatives: Tensor
    targets: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class RoiSamples:
    """How the second stage's losses see the RoIs that were drawn.

    Args:
        boxes: float [S, 4], network frame.
        source: int64 [S], index into the proposals followed by the objects (`R + g` is object g itself).
        labels: int64 [S], category to learn, 0 is background.
        matched: int64 [S], object with the highest IoU for positives, else -1.
        is_object: bool [S], a ground-truth box that was added as RoI.
        targets: float [S, 4], deltas (times the box coder's weights) that would turn each positive RoI into
            its object; 0 elsewhere.
        class_logits: float [S, K] of this step.
        deltas: float [S, K*4] or [S, 4] of this step.
    """

    boxes: Tensor
    source: Tensor
    labels: Tensor
    matched: Tensor
    is_object: Tensor
    targets: Tensor
    class_logits: Tensor
    deltas: Tensor


@dataclass(frozen=True, slots=True)
class Losses:
    """The four losses, unweighted; of the whole batch where the step had more than one image."""

    rpn_cls: float
    rpn_bbox: float
    fast_rcnn_cls: float
    fast_rcnn_bbox: float

    @property
    def total(self) -> float:
        """The plain sum."""
        return self.rpn_cls + self.rpn_bbox + self.fast_rcnn_cls + self.fast_rcnn_bbox


@dataclass(frozen=True, slots=True, eq=False)
class TrainingView:
    """What a training step makes of one image.

    Args:
        anchors: the RPN's side.
        rois: the second stage's side.
        losses: the four losses.
        anchor_cls_loss: float [N], each sampled anchor's share of `rpn_cls` (they add up to it), 0 elsewhere.
        anchor_bbox_loss: float [N], the same for `rpn_bbox`.
        roi_cls_loss: float [S], each RoI's share of `fast_rcnn_cls`.
        roi_bbox_loss: float [S], each RoI's share of `fast_rcnn_bbox`.
    """

    anchors: AnchorSamples
    rois: RoiSamples
    losses: Losses
    anchor_cls_loss: Tensor
    anchor_bbox_loss: Tensor
    roi_cls_loss: Tensor
    roi_bbox_loss: Tensor
