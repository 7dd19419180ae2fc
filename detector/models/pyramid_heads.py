"""The second stage of the pyramid detector: embedding, class-agnostic predictor, sampler, RoI heads.

Shapes: `R` RoIs over the batch, `D` hidden size, `K` categories with background, `C` channels, `G` objects.
Boxes are xyxy in the network frame.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import boxes as box_ops


class BoxEmbedding(nn.Module):
    """Pooled features [R, C, 7, 7] -> embedding [R, D]: two hidden layers, dropout after each."""

    def __init__(self, in_features: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pooled: Tensor) -> Tensor:
        """[R, C, 7, 7] -> [R, D]."""
        hidden = self.dropout(F.relu(self.fc6(pooled.flatten(1))))
        return self.dropout(F.relu(self.fc7(hidden)))


class AgnosticPredictor(nn.Module):
    """Embedding [R, D] -> class logits [R, K] and one set of box deltas [R, 4] for all classes."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_features, num_classes)
        self.bbox_pred = nn.Linear(in_features, 4)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """[R, D] -> ([R, K], [R, 4])."""
        return self.cls_score(embedding), self.bbox_pred(embedding)


class HardNegativeSampler(BalancedPositiveNegativeSampler):
    """torchvision's balanced sampler, with a share of the negatives chosen as the hardest.

    Args:
        batch_size_per_image: samples per image (nBB).
        positive_fraction: at most this share of them are positives.
        hard_share: share of the negatives taken by highest hardness; the rest is drawn at random.
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float, hard_share: float) -> None:
        super().__init__(batch_size_per_image, positive_fraction)
        self.hard_share = hard_share

    def __call__(
        self, matched_idxs: list[Tensor], hardness: list[Tensor] | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Masks of the sampled positives and negatives, one pair of [R] tensors per image.

        Args:
            matched_idxs: per image [R]: >= 1 positive, 0 negative, -1 ignored.
            hardness: per image float [R], larger is harder; without it every negative is drawn at random.
        """
        positives, negatives = super().__call__(matched_idxs)
        if hardness is None or self.hard_share == 0:
            return positives, negatives
        hardened = [
            _swap_in_hardest(drawn, labels == 0, hard, self.hard_share)
            for drawn, labels, hard in zip(negatives, matched_idxs, hardness, strict=True)
        ]
        return positives, hardened


def _swap_in_hardest(drawn: Tensor, negative: Tensor, hardness: Tensor, share: float) -> Tensor:
    """Keep the number of drawn negatives, but let a share of them be the hardest there are."""
    count = int(drawn.sum())
    hard = hardness.masked_fill(~negative, float("-inf")).topk(round(count * share)).indices
    chosen = torch.zeros_like(drawn)
    chosen[hard] = 1
    rest = (drawn.bool() & ~chosen.bool()).nonzero().flatten()
    chosen[rest[torch.randperm(len(rest), device=rest.device)[: count - len(hard)]]] = 1
    return chosen


class PyramidRoIHeads(RoIHeads):
    """torchvision's `RoIHeads` with hard negatives, class-agnostic deltas and a choice of final rule.

    Positives have IoU >= 0.5 with an object, negatives IoU < 0.3, what lies between is ignored.
    """

    def __init__(
        self,
        box_roi_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: nn.Module,
        *,
        rois_per_image: int,
        positive_fraction: float,
        hard_share: float,
        hard_by: Literal["iou", "score"],
        detection_rule: Literal["best_class", "per_class"],
        score_thresh: float,
        nms_thresh: float,
        detections_per_img: int,
    ) -> None:
        super().__init__(
            box_roi_pool, box_head, box_predictor,
            0.5, 0.3, rois_per_image, positive_fraction, None, score_thresh, nms_thresh, detections_per_img,
        )  # fmt: skip
        self.fg_bg_sampler = HardNegativeSampler(rois_per_image, positive_fraction, hard_share)
        self.hard_by = hard_by
        self.detection_rule = detection_rule

    def select_training_samples(
        self, proposals: list[Tensor], targets: list[dict[str, Tensor]] | None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """As in torchvision (ground truth added, matched, sampled), with the hardness of each proposal."""
        self.check_targets(targets)
        assert targets is not None
        dtype, device = proposals[0].dtype, proposals[0].device
        gt_boxes = [target["boxes"].to(dtype) for target in targets]
        proposals = self.add_gt_proposals(proposals, gt_boxes)
        matched, labels = self.assign_targets_to_proposals(
            proposals, gt_boxes, [target["labels"] for target in targets]
        )
        hardness = [self.hardness(boxes, gt) for boxes, gt in zip(proposals, gt_boxes, strict=True)]
        positives, negatives = self.fg_bg_sampler(labels, hardness)
        matched_gt = []
        for image, (positive, negative) in enumerate(zip(positives, negatives, strict=True)):
            sampled = torch.where(positive | negative)[0]
            proposals[image], labels[image] = proposals[image][sampled], labels[image][sampled]
            matched[image] = matched[image][sampled]
            gt = (
                gt_boxes[image]
                if gt_boxes[image].numel()
                else torch.zeros((1, 4), dtype=dtype, device=device)
            )
            matched_gt.append(gt[matched[image]])
        return proposals, matched, labels, self.box_coder.encode(matched_gt, proposals)

    def hardness(self, proposals: Tensor, gt_boxes: Tensor) -> Tensor:
        """How hard each proposal is as a negative, float [R], larger is harder.

        By `iou`: its highest IoU with an object. By `score`: its rank, because the RPN hands its proposals
        over in order of objectness.
        """
        if self.hard_by == "score" or gt_boxes.numel() == 0:
            return -torch.arange(len(proposals), dtype=torch.float32, device=proposals.device)
        return box_ops.box_iou(proposals, gt_boxes).amax(dim=1)

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """As torchvision's `RoIHeads.forward`: detections in inference mode, losses in training mode."""
        labels = regression_targets = None
        if self.training:
            proposals, _, labels, regression_targets = self.select_training_samples(proposals, targets)
        pooled = self.box_roi_pool(features, proposals, image_shapes)
        class_logits, box_deltas = self.box_predictor(self.box_head(pooled))
        if labels is not None and regression_targets is not None:
            return [], agnostic_loss(
                class_logits, box_deltas, torch.cat(labels), torch.cat(regression_targets)
            )
        boxes, scores, found = self.postprocess_detections(class_logits, box_deltas, proposals, image_shapes)
        return [
            {"boxes": b, "labels": c, "scores": s} for b, c, s in zip(boxes, found, scores, strict=True)
        ], {}

    def postprocess_detections(
        self,
        class_logits: Tensor,
        box_regression: Tensor,
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The box filter, one image at a time; under `best_class` every RoI brings one class at most."""
        counts = [len(boxes) for boxes in proposals]
        # Without a single RoI the coder returns no axis for the classes.
        decoded = self.box_coder.decode(box_regression, proposals).reshape(-1, 4).split(counts)
        scores = F.softmax(class_logits, -1).split(counts)
        kept = [self._filter(b, s, shape) for b, s, shape in zip(decoded, scores, image_shapes, strict=True)]
        return [k[0] for k in kept], [k[1] for k in kept], [k[2] for k in kept]

    def _filter(self, boxes: Tensor, scores: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        boxes = box_ops.clip_boxes_to_image(boxes, shape)
        slots = scores[:, 1:]
        allowed = slots > self.score_thresh
        if self.detection_rule == "best_class":
            winner = scores.argmax(dim=1, keepdim=True)
            allowed = allowed & (torch.arange(1, scores.shape[1], device=scores.device) == winner)
        roi, category = allowed.nonzero(as_tuple=True)
        boxes, scores, labels = boxes[roi], slots[roi, category], category + 1
        large = box_ops.remove_small_boxes(boxes, min_size=1e-2)
        boxes, scores, labels = boxes[large], scores[large], labels[large]
        keep = box_ops.batched_nms(boxes, scores, labels, self.nms_thresh)[: self.detections_per_img]
        return boxes[keep], scores[keep], labels[keep]


def agnostic_loss(
    class_logits: Tensor, box_deltas: Tensor, labels: Tensor, regression_targets: Tensor
) -> dict[str, Tensor]:
    """torchvision's `fastrcnn_loss` for deltas [R, 4] that do not depend on the class.

    Args:
        class_logits: [R, K].
        box_deltas: [R, 4].
        labels: int64 [R], 0 is background.
        regression_targets: [R, 4].
    """
    positive = labels > 0
    box_loss = F.smooth_l1_loss(
        box_deltas[positive], regression_targets[positive], beta=1 / 9, reduction="sum"
    )
    return {
        "loss_classifier": F.cross_entropy(class_logits, labels),
        "loss_box_reg": box_loss / labels.numel(),
    }
