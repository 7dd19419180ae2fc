"""What a recorded training step labelled, drew, regressed and paid for, taken apart per image.

Shapes: `N` anchors, `S` sampled RoIs, `G` objects, `K` categories. Boxes and deltas are in the network frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from detector.tracing.raw import RawForward, SamplerCall
from detector.tracing.roi_losses import SMOOTH_L1_BETA, roi_losses
from detector.tracing.samples import AnchorSamples, Losses, RoiSamples, TrainingView

if TYPE_CHECKING:
    from detector.tracing.trace import Trace


def recorded_view(forward: RawForward, trace: Trace, image: int) -> TrainingView | None:
    """The view of one image of a recorded training forward; None where the model draws its samples elsewhere.

    Args:
        forward: what the hooks and spies collected.
        trace: the trace of this image, in training mode.
        image: its place in the batch.
    """
    rpn, roi = forward.rpn_sample, forward.roi_sample
    if rpn is None or roi is None or forward.network_targets is None or not isinstance(forward.output, dict):
        return None
    objects = forward.network_targets[image]["boxes"].detach()
    anchors = _anchor_samples(forward, trace, image, objects, rpn)
    rois = _roi_samples(forward, trace, image, objects, roi)
    sampled_anchors = sum(int(p.sum() + n.sum()) for p, n in zip(rpn.positives, rpn.negatives, strict=True))
    sampled_rois = sum(len(boxes) for boxes in forward.roi_boxes or [])
    losses = Losses(
        *(
            float(forward.output[name].detach())
            for name in ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
        )
    )
    return TrainingView(
        anchors,
        rois,
        losses,
        *_anchor_shares(trace, anchors, sampled_anchors),
        *_roi_shares(rois, sampled_rois),
    )


def _matched_call(forward: RawForward, matches: list[Tensor], image: int) -> int | None:
    """Which matcher call was this image's: torchvision does not call the matcher for images without objects."""
    targets = forward.network_targets or []
    if len(targets[image]["boxes"]) == 0:
        return None
    call = sum(len(target["boxes"]) > 0 for target in targets[:image])
    return call if call < len(matches) else None


def _anchor_samples(
    forward: RawForward, trace: Trace, image: int, objects: Tensor, sample: SamplerCall
) -> AnchorSamples:
    labels = sample.labels[image].to(torch.int64)
    matched, rescued = torch.full_like(labels, -1), torch.zeros_like(labels, dtype=torch.bool)
    targets = torch.zeros_like(trace.rpn.anchors)
    call = _matched_call(forward, forward.rpn_matches, image)
    positive = labels == 1
    if call is not None:
        matched = torch.where(positive, forward.rpn_matches[call], matched)
        rescued = positive & (forward.rpn_overlaps[call] < forward.rpn_positive_iou)
        coder = trace.rules.rpn_coder
        moves = coder.encode_single(objects[matched[positive]], trace.rpn.anchors[positive])
        targets[positive] = moves.to(targets)  # mixed precision: anchors have the type of the features
    return AnchorSamples(
        labels,
        matched,
        rescued,
        torch.where(sample.positives[image])[0],
        torch.where(sample.negatives[image])[0],
        targets,
    )


def _roi_samples(
    forward: RawForward, trace: Trace, image: int, objects: Tensor, sample: SamplerCall
) -> RoiSamples:
    source = torch.where(sample.positives[image] | sample.negatives[image])[0]
    labels = sample.labels[image][source]
    matched = torch.full_like(source, -1)
    targets = torch.zeros_like(trace.head.boxes)
    call = _matched_call(forward, forward.roi_matches, image)
    positive = labels > 0
    if call is not None:
        matched = torch.where(positive, forward.roi_matches[call][source], matched)
        coder = trace.rules.box_coder
        moves = coder.encode_single(objects[matched[positive]], trace.head.boxes[positive])
        targets[positive] = moves.to(targets)
    first_object = len(sample.labels[image]) - len(objects)
    head = trace.head
    return RoiSamples(
        head.boxes, source, labels, matched, source >= first_object, targets, head.class_logits, head.deltas
    )


def _anchor_shares(trace: Trace, anchors: AnchorSamples, sampled: int) -> tuple[Tensor, Tensor]:
    """Each anchor's share of the batch's two RPN losses (torchvision's `RegionProposalNetwork.compute_loss`)."""
    logits = trace.rpn.objectness
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    cls, bbox = torch.zeros_like(logits), torch.zeros_like(logits)
    drawn = torch.cat((anchors.positives, anchors.negatives))
    wanted = anchors.labels[drawn].to(cls.dtype)
    cls[drawn] = F.binary_cross_entropy_with_logits(logits[drawn], wanted, reduction="none") / sampled
    error = _box_error(trace.rpn.deltas, anchors.targets, anchors.positives)
    bbox[anchors.positives] = error.to(bbox) / sampled
    return cls, bbox


def _roi_shares(rois: RoiSamples, sampled: int) -> tuple[Tensor, Tensor]:
    """Each RoI's share of the batch's two head losses (torchvision's `fastrcnn_loss`)."""
    losses = roi_losses(rois)
    return losses.cls / sampled, losses.box / sampled


def _box_error(deltas: Tensor, targets: Tensor, rows: Tensor) -> Tensor:
    error = F.smooth_l1_loss(deltas[rows], targets[rows], beta=SMOOTH_L1_BETA, reduction="none")
    return error.sum(dim=1)
