"""What the second stage says of RoIs that nobody had looked at: as the model's own layers say it, and once only."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from support.models import random_image, random_truth, shared_detector, single_map_detector
from support.oracles import applied, run_model
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import MultiScaleRoIAlign

from detector import Detector, Replayer, Thresholds, Trace, capture
from detector.tracing.head import roi_levels
from detector.tracing.sampling import training_trace

WIDE = {"rpn_nms": 0.9, "rpn_post_nms_top_n": 300}
MODELS = ["pyramid_per_class", "pyramid_best_class", "fasterrcnn_mobilenet_v3_large_fpn"]


@cache
def traced(name: str) -> tuple[Trace, Detector]:
    """One capture for all tests that look at it."""
    return capture(shared_detector(name), random_image(2)), shared_detector(name)


def asked_of_the_model(trace: Trace, detector: Detector, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled features, class probabilities and raw deltas, by the model's own layers on the captured maps."""
    heads = detector.model.roi_heads
    maps = {name: value[None] for name, value in trace.backbone.pyramid.items()}
    with torch.no_grad():
        pooled = heads.box_roi_pool(maps, [boxes], [trace.input.network_size])
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
    return pooled, functional.softmax(logits, -1), deltas


@pytest.mark.parametrize("name", MODELS)
def test_any_anchor_can_be_asked_about(name: str) -> None:
    trace, detector = traced(name)
    replayer = Replayer(trace, detector)
    seen = trace.head.anchor[[5, 0]]
    unseen = torch.tensor([a for a in range(0, len(trace.rpn.anchors), 97) if a not in trace.head.anchor])
    anchors = torch.cat((unseen[:2], seen, unseen[2:]))
    found = replayer.head_at(anchors)
    _, scores, deltas = asked_of_the_model(trace, detector, found.stage.boxes)
    assert torch.equal(found.stage.anchor, anchors)
    torch.testing.assert_close(found.scores, scores, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.stage.deltas, deltas, atol=1e-4, rtol=0)
    assert torch.equal(found.stage.boxes, replayer.replay().proposals.boxes[anchors])
    height, width = trace.input.network_size
    assert float(found.boxes.min()) >= 0
    assert float(found.boxes[..., 0::2].max()) <= width and float(found.boxes[..., 1::2].max()) <= height
    for row, place in ((2, 5), (3, 0)):  # the rows of the capture keep the captured bits
        assert torch.equal(found.stage.class_logits[row], trace.head.class_logits[place])
        assert torch.equal(found.stage.boxes[row], trace.head.boxes[place])


def test_what_was_looked_at_once_is_known_from_then_on() -> None:
    """Also without the model: a later answer is the same to the bit, in whatever order it is asked for."""
    trace, detector = traced("pyramid_per_class")
    replayer = Replayer(trace, detector)
    first = replayer.replay(trace.thresholds.replace(**WIDE))
    replayer._table._detector = None
    again = replayer.head_at(first.head.anchor.flip(0))
    assert torch.equal(again.scores.flip(0), first.class_scores)
    assert torch.equal(again.boxes.flip(0), first.class_boxes)
    for column in ("boxes", "anchor", "level", "class_logits", "deltas", "embedding"):
        assert torch.equal(getattr(again.stage, column).flip(0), getattr(first.head, column)), column
    other = (~torch.isin(torch.arange(len(trace.rpn.anchors)), first.head.anchor)).nonzero().flatten()
    with pytest.raises(ValueError) as refused:
        replayer.head_at(torch.cat((other[:2], first.head.anchor[:3])))
    assert str(refused.value) == (
        "2 RoIs under these RPN thresholds were not seen by the capture; "
        "give Replayer the detector, or keep the RPN thresholds of the trace"
    )


def test_a_replay_of_the_captured_rois_in_another_order_is_not_taken_for_the_capture() -> None:
    trace, detector = traced("pyramid_per_class")
    replayer = Replayer(trace, detector)
    assert replayer.replay().head is trace.head
    turned = replayer.head_at(trace.head.anchor.flip(0))
    assert torch.equal(turned.stage.class_logits, trace.head.class_logits.flip(0))
    assert turned.stage.features is None


@pytest.mark.parametrize("names", [["0", "1", "2"], ["1", "2"], ["2", "3"]])
def test_a_roi_has_the_level_whose_map_alone_changes_its_features(names: list[str]) -> None:
    """No formula: one map after the other is moved a little, and it is seen who notices."""
    boxes = torch.tensor([[0.0, 0, side, 0.9 * side] for side in (9, 60, 117, 119, 160, 235, 237, 700)])
    maps = {str(level): torch.zeros(1, 1, 256 // 2**level, 256 // 2**level) for level in range(4)}
    pool = MultiScaleRoIAlign(names, 7, 2)
    assert not pool(maps, [boxes], [(512, 512)]).any()
    levels = roi_levels(pool, boxes, list(maps))
    for level, key in enumerate(maps):
        features = pool({**maps, key: maps[key] + 1}, [boxes], [(512, 512)])
        assert torch.equal(features.flatten(1).any(dim=1), levels == level), key
    assert len(levels.unique()) > 1


def test_maps_with_a_gap_between_them_are_named_where_a_box_falls_into_it() -> None:
    """torchvision gives such a box zeros, whatever the maps hold."""
    maps = {str(level): torch.ones(1, 1, 256 // 2**level, 256 // 2**level) for level in range(4)}
    pool = MultiScaleRoIAlign(["1", "3"], 7, 2)
    small, between = torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([[0.0, 0, 400, 400]])
    assert pool(maps, [small], [(512, 512)]).all() and not pool(maps, [between], [(512, 512)]).any()
    assert roi_levels(pool, small, list(maps)).tolist() == [1]
    with pytest.raises(ValueError, match="reads the maps 1, 3, which leave one out"):
        roi_levels(pool, between, list(maps))


def test_a_pooling_that_knows_one_map_or_tells_nothing_has_one_level() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 90, 90]])

    class Named(nn.Module):
        featmap_names = ["1"]

    assert roi_levels(Named(), boxes, ["0", "1", "2"]).tolist() == [1, 1]
    assert roi_levels(nn.Identity(), boxes, ["0", "1"]).tolist() == [0, 0]
    assert roi_levels(nn.Identity(), boxes, []).tolist() == [0, 0]
    assert roi_levels(Named(), boxes, ["0", "1"]).dtype == torch.int64


def test_pooled_features_without_the_model_are_those_that_were_captured() -> None:
    trace, _ = traced("pyramid_per_class")
    alone = Replayer(trace)
    fewer = alone.replay(trace.thresholds.replace(rpn_post_nms_top_n=20))
    rois = torch.tensor([19, 0, 3])
    kept = [int((trace.head.anchor == anchor).nonzero()) for anchor in fewer.head.anchor[rois]]
    assert fewer.head.features is None and trace.head.features is not None
    assert torch.equal(alone.roi_features(fewer, rois), trace.head.features[kept])
    assert torch.equal(alone.roi_features(alone.replay(), rois), trace.head.features[rois])
    first, last = trace.head.anchor[[0, -1]]
    few = replace(trace, head=replace(trace.head, features=trace.head.features[:-1]))
    table = Replayer(few)._table
    assert table.kept_features(first[None]) is not None and table.kept_features(last[None]) is None
    assert table.kept_features(torch.stack((first, last))) is None


def test_pooled_features_that_nobody_kept_are_refused_without_the_model() -> None:
    trace, detector = traced("pyramid_per_class")
    bare = replace(trace, head=replace(trace.head, features=None))
    with pytest.raises(ValueError, match="give Replayer the detector"):
        Replayer(bare).roi_features(Replayer(bare).replay(), torch.tensor([0]))
    wide = Replayer(trace, detector).replay(trace.thresholds.replace(**WIDE))
    unseen = (~torch.isin(wide.head.anchor, trace.head.anchor)).nonzero().flatten()
    with pytest.raises(ValueError, match="give Replayer the detector"):
        Replayer(trace).roi_features(wide, unseen[:1])
    pooled = Replayer(bare, detector).roi_features(wide, unseen[:3])
    torch.testing.assert_close(pooled, asked_of_the_model(trace, detector, wide.head.boxes[unseen[:3]])[0])


@pytest.mark.parametrize("build", [single_map_detector, lambda: shared_detector("pyramid_best_class")])
def test_maps_that_were_not_kept_are_computed_again(build: Any, tmp_path: Path) -> None:
    detector, image = build(), random_image(4, (96, 96))
    capture(detector, image).save(tmp_path / "a.trace", features=False)
    trace = Trace.load(tmp_path / "a.trace")
    changed = trace.thresholds.replace(rpn_nms=0.95, rpn_post_nms_top_n=250)
    output, proposals = run_model(detector, image, changed)
    replayer = Replayer(trace, detector)
    replay = replayer.replay(changed)
    assert torch.equal(replay.head.boxes, proposals)
    assert torch.equal(replay.labels, output["labels"])
    torch.testing.assert_close(replay.boxes, output["boxes"], atol=1e-3, rtol=0)
    assert replayer._table.maps() is replayer._table.maps(), "they are computed once"


def test_a_training_step_and_an_unfaithful_trace_keep_the_rois_they_have() -> None:
    """What the step sampled, and what a filter of the model's own let through, no threshold of the RPN decides."""
    trace, detector = traced("pyramid_per_class")
    step = training_trace(detector, replace(trace, ground_truth=random_truth(2)), seed=4)
    fewer = {"rpn_post_nms_top_n": 5}
    for kept in (step, replace(trace, faithful=False)):
        replay = Replayer(kept, detector).replay(kept.thresholds.replace(**fewer))
        assert replay.head is kept.head and len(replay.proposals.kept) == 5
        assert len(replay.detections) == len(kept.head.boxes) * (len(trace.categories) - 1)
    assert len(Replayer(trace, detector).replay(trace.thresholds.replace(**fewer)).head.boxes) == 5


@pytest.mark.parametrize("name", ["pyramid_best_class", "pyramid_per_class"])
def test_a_capture_without_proposals_replays_and_finds_them_under_other_thresholds(name: str) -> None:
    """The tables of the second stage begin empty and grow."""
    detector, image = shared_detector(name), random_image(2)
    with applied(detector, Thresholds.from_model(detector.model).replace(rpn_score=1.0)):
        trace = capture(detector, image)
    assert trace.faithful and len(trace.head.boxes) == 0
    replayer = Replayer(trace, detector)
    nothing = replayer.replay()
    assert len(nothing.detections) == len(nothing.boxes) == 0
    assert nothing.class_scores.shape == (0, len(trace.categories))
    usual = trace.thresholds.replace(rpn_score=0.0)
    output, _ = run_model(detector, image, usual)
    replay = replayer.replay(usual)
    assert torch.equal(replay.labels, output["labels"])
    torch.testing.assert_close(replay.boxes, output["boxes"], atol=1e-3, rtol=0)
    assert nothing.class_boxes.shape[1:] == replay.class_boxes.shape[1:]
