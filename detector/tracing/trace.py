"""What one image went through, pixels to detections, as tensors.

Shapes: `N` anchors, `L` levels, `A` anchors per cell, `R` RoIs, `K` categories with background, `C` channels,
`D` embedding size, `M` detections, (H, W) image frame, (h, w) network frame before padding. Boxes are float
xyxy; every field says whether they live in the **image** frame (the file's own pixels) or in the **network**
frame (after the model's resize).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.transform import resize_boxes

from detector.tracing.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from detector.data.ground_truth import GroundTruth
    from detector.models.detector import TwoStageModel
    from detector.tracing.samples import TrainingView

Size = tuple[int, int]
Weights = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class InputStage:
    """The image as the file holds it and as the network gets it.

    Args:
        name: what the image is called, such as a file name.
        pixels: uint8 [3, H, W], for display.
        tensor: float [3, h', w'], normalised, resized and padded: the network's input.
        image_size: (H, W).
        network_size: (h, w) after the resize, before the padding.
    """

    name: str
    pixels: Tensor
    tensor: Tensor
    image_size: Size
    network_size: Size


@dataclass(frozen=True, slots=True, eq=False)
class BackboneStage:
    """Feature maps, finest first.

    Args:
        body: name -> float [C, h, w] of the backbone's body; empty where the model has no such part.
        pyramid: name -> float [C, h, w], what the RPN slides over.
        exact: False where the maps were stored in half precision or left out.
    """

    body: Mapping[str, Tensor]
    pyramid: Mapping[str, Tensor]
    exact: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class RpnStage:
    """What the RPN said of every anchor, before any filter.

    The anchor of level l, cell (y, x), kind a has index `offset(l) + (y * w + x) * A + a`.

    Args:
        grid: per level (h, w, A).
        anchors: float [N, 4], network frame.
        objectness: float [N], logits.
        deltas: float [N, 4], (dx, dy, dw, dh) relative to the anchor.
    """

    grid: tuple[tuple[int, int, int], ...]
    anchors: Tensor
    objectness: Tensor
    deltas: Tensor

    @property
    def per_level(self) -> tuple[int, ...]:
        """Number of anchors of each level."""
        return tuple(h * w * a for h, w, a in self.grid)

    def level_of(self, anchors: Tensor) -> Tensor:
        """Level, int64, of each anchor index."""
        ends = torch.tensor(self.per_level, device=anchors.device).cumsum(0)
        return torch.bucketize(anchors, ends, right=True)

    def cell_of(self, anchors: Tensor) -> Tensor:
        """(level, y, x, kind), int64 [..., 4], of each anchor index."""
        level = self.level_of(anchors)
        starts = torch.tensor((0, *self.per_level), device=anchors.device).cumsum(0)
        grid = torch.tensor(self.grid, device=anchors.device)
        inner = anchors - starts[level]
        width, kinds = grid[level, 1], grid[level, 2]
        cell = inner // kinds
        return torch.stack((level, cell // width, cell % width, inner % kinds), dim=-1)


@dataclass(frozen=True, slots=True, eq=False)
class HeadStage:
    """What the second stage saw and said of every RoI, before any filter.

    Args:
        boxes: float [R, 4], network frame: the proposals (or, in training mode, the sampled RoIs).
        anchor: int64 [R], index of the anchor each RoI came from; -1 for ground truth added as RoI, or unknown.
        level: int64 [R], pyramid level RoIAlign pooled from.
        class_logits: float [R, K].
        deltas: float [R, K*4], or [R, 4] where they do not depend on the class.
        embedding: float [R, D], output of the box head; None where it was not kept.
        features: float [R, C, 7, 7], output of RoIAlign; None where it was not kept.
    """

    boxes: Tensor
    anchor: Tensor
    level: Tensor
    class_logits: Tensor
    deltas: Tensor
    embedding: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The model's own output for one image.

    Args:
        boxes: float [M, 4], **image** frame.
        scores: float [M], class probability.
        labels: int64 [M], category index.
        roi: int64 [M], index of the RoI each came from; -1 where it could not be told.
        mask_logits: float [M, K, 28, 28], raw output of the mask head, or None.
        masks: float [M, 1, H, W], pasted into the image, or None.
        keypoints: float [M, J, 3], (x, y, visible) in the image frame, or None.
        keypoint_logits: float [M, J, 56, 56], raw output of the keypoint head, or None.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    roi: Tensor
    mask_logits: Tensor | None = None
    masks: Tensor | None = None
    keypoints: Tensor | None = None
    keypoint_logits: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class FilterRules:
    """What the two filters use beside the thresholds.

    Args:
        rpn_weights, box_weights: weights of the two box coders.
        delta_clip: upper bound of dw and dh before the exponential.
        rpn_min_size, box_min_size: sides in network pixels below which a box is dropped.
        detection_rule: `per_class` (torchvision: every class of a RoI competes) or `best_class`
            (only the class with the highest probability, and only if it is not the background).
    """

    rpn_weights: Weights = (1.0, 1.0, 1.0, 1.0)
    box_weights: Weights = (10.0, 10.0, 5.0, 5.0)
    delta_clip: float = 4.135166556742356
    rpn_min_size: float = 1e-3
    box_min_size: float = 1e-2
    detection_rule: Literal["per_class", "best_class"] = "per_class"

    @classmethod
    def from_model(cls, model: TwoStageModel) -> FilterRules:
        """The rules `model` follows."""
        rpn, heads = model.rpn, model.roi_heads
        return cls(
            rpn_weights=_weights(rpn.box_coder),
            box_weights=_weights(heads.box_coder),
            delta_clip=float(heads.box_coder.bbox_xform_clip),
            rpn_min_size=float(rpn.min_size),
            detection_rule=getattr(heads, "detection_rule", "per_class"),
        )

    @property
    def rpn_coder(self) -> BoxCoder:
        """torchvision's box coder of the RPN."""
        return BoxCoder(self.rpn_weights, self.delta_clip)

    @property
    def box_coder(self) -> BoxCoder:
        """torchvision's box coder of the second stage."""
        return BoxCoder(self.box_weights, self.delta_clip)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Trace:
    """Everything one image went through; made by `capture` or `recording`, or loaded from a file.

    Args:
        input, backbone, rpn, head, detections: the stages, in the order of the data.
        thresholds: what the model applied.
        rules: what its filters use beside the thresholds.
        categories: K names, index 0 is background.
        detector: name of the detector.
        faithful: the replay under `thresholds` gave the model's own output bit for bit.
        mode: `inference` or `training`.
        image_index: place of the image in its batch.
        non_finite: names of the stages that hold NaN or infinity, in the order of the data.
        overwritten: names of stages that the model later wrote into in place, and that are therefore not
            what they were (only where a forward could not be run again).
        ground_truth: the objects of the image, image frame, where they are known.
        training: the samples and losses of the training step, in training mode.
    """

    input: InputStage
    backbone: BackboneStage
    rpn: RpnStage
    head: HeadStage
    detections: Detections
    thresholds: Thresholds
    rules: FilterRules
    categories: tuple[str, ...]
    detector: str = "detector"
    faithful: bool = True
    mode: Literal["inference", "training"] = "inference"
    image_index: int = 0
    non_finite: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()
    ground_truth: GroundTruth | None = None
    training: TrainingView | None = None

    def to_image(self, boxes: Tensor) -> Tensor:
        """Boxes [..., 4] from the network frame to the image frame (torchvision's `resize_boxes`)."""
        return _resize(boxes, self.input.network_size, self.input.image_size)

    def to_network(self, boxes: Tensor) -> Tensor:
        """Boxes [..., 4] from the image frame to the network frame (torchvision's `resize_boxes`)."""
        return _resize(boxes, self.input.image_size, self.input.network_size)

    def with_source(self, pixels: Tensor, ground_truth: GroundTruth | None) -> Trace:
        """A copy that shows `pixels` (uint8 [3, H, W]) and knows the objects of the image."""
        return replace(self, input=replace(self.input, pixels=pixels), ground_truth=ground_truth)

    def save(self, path: str | Path, *, features: bool = True) -> None:
        """Write the trace to one file; see `detector.tracing.trace_file.save_trace`."""
        from detector.tracing.trace_file import save_trace

        save_trace(self, path, features=features)

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """Read a trace from a file, without the model's code; see `load_trace`."""
        from detector.tracing.trace_file import load_trace

        return load_trace(path)


def _resize(boxes: Tensor, old: Size, new: Size) -> Tensor:
    """torchvision's `resize_boxes`, bit for bit; its factors, six small tensors a call, are made once."""
    if boxes.dtype is not torch.float32:
        return resize_boxes(boxes.reshape(-1, 4), list(old), list(new)).reshape(boxes.shape)
    return boxes * _factors(old, new, boxes.device)


@lru_cache(maxsize=64)
def _factors(old: Size, new: Size, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return resize_boxes(torch.ones((1, 4), device=device), list(old), list(new))[0]


def _weights(coder: BoxCoder) -> Weights:
    x, y, width, height = map(float, coder.weights)
    return x, y, width, height
