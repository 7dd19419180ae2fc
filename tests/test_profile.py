"""The profile measures the very forward that was captured, and leaves no mark on the model."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from support.models import build_detector, random_image, shared_detector, single_map_detector
from support.oracles import model_state, same_state

from detector import Trace, capture
from detector.tracing.profile import PartProfile, profile

MODELS = ("pyramid_per_class", "fasterrcnn_mobilenet_v3_large_320_fpn", "maskrcnn_resnet50_fpn", "single map")


@cache
def subject(name: str) -> tuple[Any, Trace]:
    detector = single_map_detector() if name == "single map" else shared_detector(name)
    # In whole steps of 1/255, as a file holds them: the trace keeps its pixels as bytes.
    return detector, capture(detector, (random_image(4) * 255).round() / 255)


@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_those_of_the_trace_and_parameters_those_of_the_model(name: str) -> None:
    detector, trace = subject(name)
    parts = {part.name: part for part in profile(detector, trace).parts}
    pyramid = tuple((1, *value.shape) for value in trace.backbone.pyramid.values())
    assert parts["backbone"].inputs == ((1, *trace.input.tensor.shape),)
    assert parts["backbone"].outputs == pyramid
    assert parts["rpn.head"].inputs == pyramid
    assert sum(shape[1] * shape[2] * shape[3] for shape in parts["rpn.head"].outputs[: len(pyramid)]) == len(
        trace.rpn.anchors
    )
    assert trace.head.features is not None
    assert parts["roi_heads.box_roi_pool"].outputs == (tuple(trace.head.features.shape),)
    assert parts["roi_heads.box_predictor"].outputs == (
        tuple(trace.head.class_logits.shape),
        tuple(trace.head.deltas.shape),
    )
    assert parts["rpn.head.cls_logits"].calls == len(pyramid)
    modules = dict(detector.model.named_modules())
    for part in parts.values():
        assert part.parameters == sum(value.numel() for value in modules[part.name].parameters())
        assert part.kind == type(modules[part.name]).__name__
    assert ("roi_heads.mask_head" in parts) == name.startswith("mask")


@pytest.mark.parametrize("name", MODELS)
def test_a_part_holds_its_parts(name: str) -> None:
    measured = profile(*subject(name))
    parts = {part.name: part for part in measured.parts}
    assert measured.whole.name == "" and measured.whole.depth == 0
    seen: list[PartProfile] = []
    for part in measured.parts[1:]:
        parent = parts.get(part.name.rpartition(".")[0])
        # A list of layers is no part that runs: `fpn.inner_blocks` never does.
        if parent is not None:
            assert parent in seen or parent is measured.whole
            assert part.seconds <= parent.seconds
            assert part.activation_bytes <= parent.activation_bytes
        seen.append(part)
    stages = [part for part in measured.parts if part.depth == 1]
    assert [part.name for part in stages] == ["transform", "backbone", "rpn", "roi_heads"]
    assert sum(part.activation_bytes for part in stages) == measured.whole.activation_bytes


def test_memory_is_what_the_layers_made_in_place_ones_nothing() -> None:
    detector, trace = subject("single map")
    parts = {part.name: part for part in profile(detector, trace).parts}
    first, second = (parts[f"backbone.{place}"] for place in (0, 2))
    height, width = trace.input.tensor.shape[1:]
    assert first.activation_bytes == 4 * 8 * (height // 2) * (width // 2)
    relu = parts["backbone.1"]
    assert relu.activation_bytes == first.activation_bytes
    detector.model.backbone[1].inplace = True
    parts = {part.name: part for part in profile(detector, trace).parts}
    assert parts["backbone.1"].activation_bytes == 0
    assert parts["backbone"].activation_bytes == first.activation_bytes + 2 * second.activation_bytes


@pytest.mark.parametrize("training", [False, True])
def test_measuring_leaves_no_mark(training: bool) -> None:
    detector = build_detector("fasterrcnn_resnet50_fpn_v2")
    trace = capture(detector, random_image())
    detector.model.train(training)
    before = model_state(detector.model)
    profile(detector, trace)
    assert same_state(before, model_state(detector.model))


def test_hooks_and_lock_are_gone_after_an_exception() -> None:
    detector = build_detector("pyramid_per_class")
    trace = capture(detector, random_image())
    before = model_state(detector.model)

    def fail(*_: object) -> None:
        raise ArithmeticError("a part broke")

    handle = detector.model.roi_heads.box_head.register_forward_pre_hook(fail)
    with pytest.raises(ArithmeticError, match="a part broke"):
        profile(detector, trace)
    handle.remove()
    assert same_state(before, model_state(detector.model))
    assert torch.equal(capture(detector, random_image()).detections.boxes, trace.detections.boxes)
