"""From the raw outputs of one forward to one trace per image.

Shapes: `B` images, `N` anchors, `R` RoIs of one image, `K` categories, `M` detections of one image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.models.detection.rpn import concat_box_prediction_layers

from detector.data.ground_truth import GroundTruth
from detector.tracing.filters import filter_detections, filter_proposals
from detector.tracing.handover import Computed, hand_on
from detector.tracing.head import decode_head, roi_levels
from detector.tracing.raw import RawForward
from detector.tracing.recorded import recorded_view
from detector.tracing.replay import Replayer, decoded_anchors
from detector.tracing.thresholds import Thresholds
from detector.tracing.trace import (
    BackboneStage,
    Detections,
    FilterRules,
    HeadStage,
    InputStage,
    RpnStage,
    Trace,
)

if TYPE_CHECKING:
    from detector.models.detector import Detector


def assemble_traces(
    forward: RawForward,
    detector: Detector,
    names: Sequence[str] | None = None,
    pixels: Sequence[Tensor] | None = None,
) -> list[Trace]:
    """One trace per image of a finished forward, checked against the model's own output.

    Args:
        forward: what the hooks collected.
        detector: name, categories and settings of the model that ran.
        names: a name per image; numbered ones when left out.
        pixels: uint8 [3, H, W] per image, for display; made from what the model got when left out.
    """
    names = names or [f"image {index}" for index in range(len(forward.images))]
    heads = _split_heads(forward, detector)
    rpn_stages = _split_rpn(forward)
    traces = []
    for index, name in enumerate(names):
        trace = Trace(
            input=_input_stage(forward, index, name, None if pixels is None else pixels[index]),
            backbone=BackboneStage(_slice(forward.body, index), _slice(forward.pyramid, index)),
            rpn=rpn_stages[index],
            head=heads[index],
            detections=_detections(forward, heads, index),
            thresholds=Thresholds.from_model(detector.model, training=forward.training),
            rules=FilterRules.from_model(detector.model),
            categories=detector.categories,
            detector=detector.name,
            mode="training" if forward.training else "inference",
            image_index=index,
            overwritten=forward.overwritten(),
            ground_truth=_ground_truth(forward, index),
        )
        trace = _link(trace, _need(forward.proposals)[index])
        training = recorded_view(forward, trace, index) if forward.training else None
        traces.append(dataclasses.replace(trace, non_finite=non_finite_stages(trace), training=training))
    return traces


def _need(value: list[Tensor] | None) -> list[Tensor]:
    if value is None:
        raise RuntimeError("a stage of the model did not run; is it a torchvision GeneralizedRCNN?")
    return value


def _input_stage(forward: RawForward, index: int, name: str, pixels: Tensor | None) -> InputStage:
    image, network = forward.images[index].detach(), forward.network
    assert network is not None
    if pixels is None:
        pixels = (image * 255).round().clamp(0, 255).to(torch.uint8)
    height, width = image.shape[-2:]
    return InputStage(
        name, pixels, network.tensors[index].detach(), (height, width), network.image_sizes[index]
    )


def _slice(maps: dict[str, Tensor] | None, index: int) -> dict[str, Tensor]:
    return {str(name): value[index] for name, value in (maps or {}).items()}


def _split_rpn(forward: RawForward) -> list[RpnStage]:
    """The RPN's flat output per image, laid out by torchvision's own function."""
    objectness, deltas = _need(forward.rpn_objectness), _need(forward.rpn_deltas)
    grid = tuple((level.shape[2], level.shape[3], level.shape[1]) for level in objectness)
    flat_objectness, flat_deltas = concat_box_prediction_layers(list(objectness), list(deltas))
    images = len(forward.images)
    return [
        RpnStage(grid, anchors, scores, moves)
        for anchors, scores, moves in zip(
            _need(forward.anchors),
            flat_objectness.reshape(images, -1),
            flat_deltas.reshape(images, -1, 4),
            strict=True,
        )
    ]


def _split_heads(forward: RawForward, detector: Detector) -> list[HeadStage]:
    boxes = [boxes.detach() for boxes in _need(forward.roi_boxes)]
    counts = [len(part) for part in boxes]
    pool, names = detector.model.roi_heads.box_roi_pool, list(forward.pyramid or {})
    parts = [
        _parts(value, counts)
        for value in (forward.class_logits, forward.box_deltas, forward.embedding, forward.pooled)
    ]
    return [
        HeadStage(
            box, torch.full((len(box),), -1, device=box.device), roi_levels(pool, box, names), *of_image
        )
        for box, *of_image in zip(boxes, *parts, strict=True)
    ]


def _parts(value: Tensor | None, counts: list[int]) -> list[Tensor]:
    assert value is not None
    return list(value.split(counts))


def _detections(forward: RawForward, heads: list[HeadStage], index: int) -> Detections:
    """The model's output for one image, copied: the caller may change what it was given."""
    if forward.training or not isinstance(forward.output, list):
        empty = heads[index].boxes.new_zeros
        return Detections(
            empty((0, 4)), empty(0), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
        )
    counts = [len(found["labels"]) for found in forward.output]
    found = {name: value.detach().clone() for name, value in forward.output[index].items()}
    labels = found["labels"]
    masks, keypoints = forward.mask_logits, forward.keypoint_logits
    return Detections(
        found["boxes"], found["scores"], labels, torch.full_like(labels, -1),
        None if masks is None else masks.split(counts)[index], found.get("masks"),
        found.get("keypoints"), None if keypoints is None else keypoints.split(counts)[index],
    )  # fmt: skip


def _ground_truth(forward: RawForward, index: int) -> GroundTruth | None:
    if forward.targets is None:
        return None
    target = forward.targets[index]
    try:
        return GroundTruth(target["boxes"].detach().cpu(), target["labels"].detach().cpu())
    except (KeyError, ValueError):
        return None  # the training loop is the caller's: what it feeds is not ours to refuse


def _link(trace: Trace, proposals: Tensor) -> Trace:
    """Run the filters again to learn each RoI's anchor and each detection's RoI, and whether that is faithful.

    The model hands out boxes only; the replay, being the same operators on the same tensors, knows the indices.
    What it computed is handed on to whoever replays the trace next.
    """
    size, rules, thresholds = trace.input.network_size, trace.rules, trace.thresholds
    decoded = decoded_anchors(trace)
    ledger = filter_proposals(trace.rpn, decoded, size, thresholds, rules)
    faithful = torch.equal(ledger.boxes[ledger.kept], proposals)
    if trace.mode == "training":
        return dataclasses.replace(trace, faithful=faithful)
    pooled_all = torch.equal(proposals, trace.head.boxes)
    if not (faithful and pooled_all):
        return dataclasses.replace(trace, faithful=False)
    trace = dataclasses.replace(trace, head=dataclasses.replace(trace.head, anchor=ledger.kept))
    head = decode_head(trace.head, rules, size)
    detections = filter_detections(head.boxes, head.scores, thresholds, rules)
    hand_on(trace, Computed(decoded, ledger, head, detections))
    replay = Replayer(trace).replay()
    found = trace.detections
    if not (
        torch.equal(replay.boxes, found.boxes)
        and torch.equal(replay.scores, found.scores)
        and torch.equal(replay.labels, found.labels)
    ):
        return dataclasses.replace(trace, faithful=False)
    return dataclasses.replace(trace, detections=dataclasses.replace(found, roi=replay.rois))


def non_finite_stages(trace: Trace) -> tuple[str, ...]:
    """Names of the stages that hold NaN or infinite values, in the order of the data."""
    stages = {
        "input": [trace.input.tensor],
        "backbone body": list(trace.backbone.body.values()),
        "pyramid": list(trace.backbone.pyramid.values()),
        "objectness": [trace.rpn.objectness],
        "anchor deltas": [trace.rpn.deltas],
        "RoI features": [trace.head.features],
        "embedding": [trace.head.embedding],
        "class logits": [trace.head.class_logits],
        "box deltas": [trace.head.deltas],
        "detections": [trace.detections.boxes, trace.detections.scores],
    }
    return tuple(name for name, tensors in stages.items() if any(map(_has_non_finite, tensors)))


def _has_non_finite(tensor: Tensor | None) -> bool:
    # A sum is cheaper than a mask and not finite whenever an entry is not; it may overflow, hence the second look.
    if tensor is None or bool(torch.isfinite(tensor.sum())):
        return False
    return not bool(torch.isfinite(tensor).all())
