"""What each anchor costs a training step, before the mean over the anchors that were drawn.

torchvision's `RegionProposalNetwork.compute_loss` draws `S` anchors from the whole batch and divides both sums
by S; so the mean of `AnchorTerms` over the drawn anchors is `loss_objectness` and `loss_rpn_box_reg`.

Shapes: `N` anchors, `S` drawn anchors, `n` any anchors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from detector.tracing.roi_losses import SMOOTH_L1_BETA
from detector.tracing.samples import NEGATIVE, POSITIVE, TrainingView

if TYPE_CHECKING:
    from detector.tracing.trace import Trace

Loss = Literal["objectness", "box", "sum"]


@dataclass(frozen=True, slots=True, eq=False)
class AnchorTerms:
    """What each of the N anchors adds to the two sums when it is drawn.

    Args:
        objectness: float [N], binary cross-entropy of the logit and the label; 0 for ignored anchors.
        box: float [N], smooth L1 of the four deltas and their targets, added up; 0 unless positive.
    """

    objectness: Tensor
    box: Tensor

    def of(self, loss: Loss) -> Tensor:
        """One of the two, or their sum, float [N]."""
        if loss == "sum":
            return self.objectness + self.box
        return self.objectness if loss == "objectness" else self.box


def view_of(step: Trace) -> TrainingView:
    """What a training step made of its image.

    Raises:
        ValueError: a trace of inference, or of a model that draws its samples elsewhere than torchvision.
    """
    if step.training is None:
        raise ValueError(f"{step.input.name} was not captured in a training step; expected a training trace")
    return step.training


def anchor_terms(step: Trace) -> AnchorTerms:
    """The terms of all labelled anchors, drawn or not.

    Args:
        step: a training trace: its logits and deltas are those that the losses saw, which in a model with
            BatchNorm differ from those of inference.

    Raises:
        ValueError: not a training trace.
    """
    samples = view_of(step).anchors
    labels, logits = samples.labels, step.rpn.objectness
    objectness = F.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0).to(logits), reduction="none"
    ).where(labels != -1, 0.0)
    error = F.smooth_l1_loss(step.rpn.deltas, samples.targets, beta=SMOOTH_L1_BETA, reduction="none")
    return AnchorTerms(objectness, error.sum(dim=1).where(labels == POSITIVE, 0.0))


def members_of(view: TrainingView, *, positive: bool, drawn: bool) -> Tensor:
    """Anchor indices, int64: positives or negatives, those drawn for the batch or all of that label."""
    if drawn:
        return view.anchors.positives if positive else view.anchors.negatives
    return (view.anchors.labels == (POSITIVE if positive else NEGATIVE)).nonzero().flatten()


def ranked(terms: AnchorTerms, members: Tensor, loss: Loss, *, worst: bool = True) -> Tensor:
    """Some anchors, int64 [n], by one loss: the highest first, or the lowest."""
    return members[terms.of(loss)[members].argsort(descending=worst, stable=True)]


def label_confusion(step: Trace, members: Tensor) -> Tensor:
    """Anchors by what they are and what they look like, int64 [2, 2].

    Rows: labelled object, labelled background. Columns: objectness at least 0.5, under it. Ignored anchors do
    not count.

    Raises:
        ValueError: not a training trace.
    """
    labels = view_of(step).anchors.labels[members]
    seen = step.rpn.objectness[members] >= 0
    rows = [
        torch.stack((seen[labels == label].sum(), (~seen[labels == label]).sum()))
        for label in (POSITIVE, NEGATIVE)
    ]
    return torch.stack(rows)
