"""The training-time view of an image: what a training step would label, draw, regress and pay for.

Shapes: `G` objects, (H, W) image frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.tracing.capture import Recorder
from detector.tracing.looking import pretending_to_train
from detector.tracing.samples import TrainingView

if TYPE_CHECKING:
    from detector.data.ground_truth import GroundTruth
    from detector.models.detector import Detector
    from detector.tracing.trace import Trace


def training_trace(detector: Detector, trace: Trace, seed: int = 0) -> Trace:
    """A training-mode trace of the image of `trace`: one real training forward under a seed, without gradients.

    The samples, targets and losses are the model's own, so they equal what training computes under this seed;
    BatchNorm that is not frozen uses this image's statistics, as it would there. Parameters, buffers, training
    flags and random state are the same before and after.

    Args:
        detector: the detector that `trace` came from.
        trace: a trace with ground truth; crowd regions are left out, as training leaves them out.
        seed: for torch's random state before the forward.

    Returns:
        A trace whose `training` is a `TrainingView`; object indices are those of `trace.ground_truth`.

    Raises:
        ValueError: a trace without ground truth.
    """
    truth = trace.ground_truth
    if truth is None:
        raise ValueError(
            f"{trace.input.name} has no ground truth; the training view needs the objects' boxes"
        )
    image = trace.input.pixels.to(trace.input.tensor) / 255
    target = full_target(detector, truth, trace.input.image_size, image.device)
    recorder = Recorder(detector, limit=1)
    recorder.names = [trace.input.name]
    with pretending_to_train(detector.model, seed), recorder.installed():
        detector.model([image], [target])
    found = recorder.traces[0].with_source(trace.input.pixels, truth)
    return replace(found, training=_reindex(found.training, (~truth.crowd).nonzero().flatten()))


def training_view(detector: Detector, trace: Trace, seed: int = 0) -> TrainingView:
    """The `TrainingView` of `training_trace`.

    Raises:
        ValueError: a trace without ground truth, or a model that draws its samples elsewhere than torchvision.
    """
    view = training_trace(detector, trace, seed).training
    if view is None:
        raise ValueError(f"{detector.name} does not draw its training samples through torchvision's samplers")
    return view


def full_target(
    detector: Detector, truth: GroundTruth, size: tuple[int, int], device: torch.device
) -> dict[str, Tensor]:
    """Boxes and labels, with masks or keypoints made up where the model's extra heads insist on them.

    They enter only the mask and keypoint losses, which nothing here shows.

    Args:
        detector: what is trained.
        truth: the objects; crowd regions are left out.
        size: (H, W), image frame.
        device: of the model.
    """
    target = {name: value.to(device) for name, value in truth.as_target().items()}
    count, heads = len(target["labels"]), detector.model.roi_heads
    if heads.has_mask():
        target["masks"] = torch.zeros((count, *size), dtype=torch.uint8, device=device)
    if heads.keypoint_predictor is not None:
        points = heads.keypoint_predictor.kps_score_lowres.out_channels
        target["keypoints"] = torch.zeros((count, points, 3), device=device)
    return target


def _reindex(view: TrainingView | None, kept: Tensor) -> TrainingView | None:
    """Matches that count the objects without crowd regions -> matches that count all."""
    if view is None or len(kept) == 0:
        return view
    full = [torch.where(match >= 0, kept.to(match.device)[match.clamp(min=0)], match)
            for match in (view.anchors.matched, view.rois.matched)]  # fmt: skip
    return replace(
        view, anchors=replace(view.anchors, matched=full[0]), rois=replace(view.rois, matched=full[1])
    )
