"""What each drawn RoI adds to the two losses of the second stage, and what it was taken for.

Shapes: `S` sampled RoIs, `K` categories with background. Deltas are times the box coder's weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from detector.tracing.samples import RoiSamples

SMOOTH_L1_BETA = 1 / 9
"""Where the box loss turns from a parabola into a line; torchvision's, in both stages."""


@dataclass(frozen=True, slots=True, eq=False)
class RoiLosses:
    """Losses of single RoIs: their means over the S RoIs of a step are its two losses.

    Args:
        cls: float [S], -log of the probability of the RoI's own category.
        box: float [S], smooth L1 of the four deltas, added up; 0 for negatives, which have no box to learn.
        error: float [S, 4], predicted deltas minus targets; 0 for negatives.
        predicted: int64 [S], the most probable category, 0 is background.
    """

    cls: Tensor
    box: Tensor
    error: Tensor
    predicted: Tensor


def roi_losses(rois: RoiSamples) -> RoiLosses:
    """The losses of each drawn RoI (torchvision's `fastrcnn_loss`, Girshick 2015, section 2.3).

    Where the head predicts four deltas for each category, a RoI pays for those of its own category alone.
    """
    cls = F.cross_entropy(rois.class_logits, rois.labels, reduction="none")
    error = torch.where((rois.labels > 0)[:, None], own_deltas(rois) - rois.targets, 0.0)
    box = F.smooth_l1_loss(error, torch.zeros_like(error), beta=SMOOTH_L1_BETA, reduction="none").sum(dim=1)
    return RoiLosses(cls, box, error, rois.class_logits.argmax(dim=1))


def own_deltas(rois: RoiSamples) -> Tensor:
    """The predicted deltas, float [S, 4], of each RoI's own category (background's for negatives)."""
    deltas = rois.deltas.reshape(len(rois.boxes), -1, 4)
    rows = torch.arange(len(deltas), device=deltas.device)
    return deltas[rows, rois.labels if deltas.shape[1] > 1 else torch.zeros_like(rois.labels)]


def roi_confusion(rois: RoiSamples) -> Tensor:
    """How many RoIs of each category (rows) were taken for each category (columns), int64 [K, K]."""
    classes = rois.class_logits.shape[1]
    pairs = rois.labels * classes + rois.class_logits.argmax(dim=1)
    return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
