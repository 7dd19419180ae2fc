"""The detector as a tree of its stages, with the shapes of a real run and the parameters of each part.

Shapes: `N` anchors, `L` levels, `R` RoIs, `K` categories with background, `C` channels, `D` embedding size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from torch import nn

from detector.models.detector import Detector
from detector.tracing.replay import Replay
from detector.tracing.trace import Trace
from viz_app.figures.words import shape_words


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """One part of the detector.

    Args:
        depth: how far it is nested, 0 for a stage.
        name: its name in the model, such as `backbone.fpn`.
        kind: its class.
        output: shape of what it gave for this image, or what else it gave, in words.
        parameters: how many it has, nested ones counted.
        trainable: how many of them get gradients.
    """

    depth: int
    name: str
    kind: str
    output: str
    parameters: int
    trainable: int


def module_rows(detector: Detector, replay: Replay) -> list[ModuleRow]:
    """The stages of a two-stage detector and their parts, in the order of the data.

    Args:
        detector: the model, for parameters.
        replay: its run on one image; the shapes are those of the tensors in its trace.
    """
    rows = []
    for depth, name, output in _parts(detector, replay.trace, replay):
        module = _find(detector.model, name)
        if module is None:
            continue
        counts = [(value.numel(), value.requires_grad) for value in module.parameters()]
        total, trainable = sum(n for n, _ in counts), sum(n for n, on in counts if on)
        rows.append(ModuleRow(depth, name, type(module).__name__, output, total, trainable))
    return rows


def module_table(rows: list[ModuleRow]) -> pd.DataFrame:
    """The rows as a table; nested names are indented, the last column is the share of all parameters."""
    whole = max(sum(row.parameters for row in rows if row.depth == 0), 1)
    return pd.DataFrame(
        {
            "part": [" " * 4 * row.depth + row.name.rsplit(".", 1)[-1] for row in rows],
            "module": [row.kind for row in rows],
            "output on this image": [row.output for row in rows],
            "parameters": [row.parameters for row in rows],
            "trainable": [row.trainable for row in rows],
            "share": [row.parameters / whole for row in rows],
        }
    )


def _parts(detector: Detector, trace: Trace, replay: Replay) -> Iterator[tuple[int, str, str]]:
    """(depth, name in the model, output) of every part that the tree may show."""
    yield 0, "transform", f"{shape_words(trace.input.tensor.shape)} px, padded"
    yield 0, "backbone", f"{len(trace.backbone.pyramid)} maps"
    yield from _body_parts(detector, trace)
    yield 1, "backbone.fpn", _maps([value.shape[-2:] for value in trace.backbone.pyramid.values()])
    yield 0, "rpn", f"{len(replay.proposals.kept):,} proposals"
    yield 1, "rpn.anchor_generator", f"{len(trace.rpn.anchors):,} anchors"
    yield 1, "rpn.head", f"{len(trace.rpn.grid)} levels"
    yield 2, "rpn.head.conv", _maps([(h, w) for h, w, _ in trace.rpn.grid])
    yield 2, "rpn.head.cls_logits", f"{len(trace.rpn.objectness):,} objectness logits"
    yield 2, "rpn.head.bbox_pred", f"{shape_words(trace.rpn.deltas.shape)} deltas"
    yield from _head_parts(trace, replay)


def _body_parts(detector: Detector, trace: Trace) -> Iterator[tuple[int, str, str]]:
    maps = trace.backbone.body
    yield 1, "backbone.body", f"{len(maps)} maps" if maps else "1 map"
    body = _find(detector.model, "backbone.body")
    # torchvision's layer getter says which of its children gives which map.
    given = getattr(body, "return_layers", {})
    for name, child in body.named_children() if body is not None else ():
        if any(True for _ in child.parameters()):
            value = maps.get(given.get(name, ""))
            yield 2, f"backbone.body.{name}", "" if value is None else shape_words(value.shape)


def _head_parts(trace: Trace, replay: Replay) -> Iterator[tuple[int, str, str]]:
    head = replay.head
    rois = len(head.boxes)
    pooled = trace.head.features
    yield 0, "roi_heads", f"{len(replay.detections.kept):,} detections"
    pooled_shape = "" if pooled is None else shape_words((rois, *pooled.shape[1:]))
    yield 1, "roi_heads.box_roi_pool", pooled_shape
    yield 1, "roi_heads.box_head", "" if head.embedding is None else shape_words(head.embedding.shape)
    yield 1, "roi_heads.box_predictor", f"{rois:,} RoIs"
    yield 2, "roi_heads.box_predictor.cls_score", f"{shape_words(head.class_logits.shape)} logits"
    yield 2, "roi_heads.box_predictor.bbox_pred", f"{shape_words(head.deltas.shape)} deltas"
    masks, keypoints = trace.detections.mask_logits, trace.detections.keypoint_logits
    yield 1, "roi_heads.mask_head", ""
    yield 1, "roi_heads.mask_predictor", "" if masks is None else shape_words(masks.shape)
    yield 1, "roi_heads.keypoint_head", ""
    yield 1, "roi_heads.keypoint_predictor", "" if keypoints is None else shape_words(keypoints.shape)


def _maps(sizes: list[tuple[int, ...]]) -> str:
    return ", ".join(f"{height} × {width}" for height, width in sizes)


def _find(model: nn.Module, name: str) -> nn.Module | None:
    found: nn.Module | None = model
    for part in name.split("."):
        found = getattr(found, part, None)
        if not isinstance(found, nn.Module):
            return None
    return found
