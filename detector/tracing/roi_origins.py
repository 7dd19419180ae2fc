"""Where the RoIs of a training step came from: the anchor of each, or the object that was added as RoI.

Shapes: `S` sampled RoIs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from detector.tracing.replay import Replayer
from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class RoiOrigins:
    """Where each drawn RoI came from.

    Args:
        anchor: int64 [S], -1 for an object that was added, or where it cannot be told.
        object: int64 [S], index into the ground truth for an object that was added, else -1.
    """

    anchor: Tensor
    object: Tensor


def roi_origins(trace: Trace) -> RoiOrigins:
    """The origins of the RoIs that a training step drew.

    Args:
        trace: in training mode.

    Raises:
        ValueError: a trace of inference, or one whose samples are not known.
    """
    if trace.training is None:
        raise ValueError(
            f"the trace of {trace.input.name} holds no training samples; expected a training step"
        )
    rois, kept = trace.training.rois, Replayer(trace).proposals().kept
    nothing = torch.full_like(rois.source, -1)
    # An object overlaps itself wholly: what it is matched to is itself.
    objects = torch.where(rois.is_object, rois.matched, nothing)
    if not trace.faithful or len(kept) == 0:
        return RoiOrigins(nothing, objects)
    return RoiOrigins(
        torch.where(rois.is_object, nothing, kept[rois.source.clamp(max=len(kept) - 1)]), objects
    )
