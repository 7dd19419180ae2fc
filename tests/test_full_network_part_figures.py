"""Full network: scores, path, masks and parts of the model, read back from the figures and compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from support.network_scenes import MODELS, diagnosed, named, replayer_of

from detector import Replay, Replayer
from detector.tracing.profile import profile
from viz_app.figures import (
    keypoints,
    masks,
    module_tree,
    palette,
    path,
    score_tables,
)
from viz_app.figures.strip import Stage

# --- classes and scores ---


def test_the_class_table_adds_up() -> None:
    diagnosis = diagnosed()
    replay, table = diagnosis.replay, score_tables.class_table(diagnosis.replay, diagnosis)
    assert sum(table["detections"].tolist()) == len(replay.labels)
    assert sum(table["objects"].tolist()) == len(diagnosis.verdicts)
    assert sum(table["missed"].tolist()) == len(diagnosis.lost)
    assert sum(table["false"].tolist()) == len(diagnosis.false_detections)
    passed = (replay.class_scores[:, 1:] > replay.thresholds.box_score).sum(0)
    for name, slots, best in zip(table["category"], table["slots"], table["best score"], strict=True):
        label = replay.trace.categories.index(name)
        assert slots == int(passed[label - 1])
        own = replay.scores[replay.labels == label]
        assert best == pytest.approx(float(own.max())) if len(own) else np.isnan(best)
    assert "objects" not in score_tables.class_table(replay, None)


def test_every_detection_has_its_dot_at_its_score() -> None:
    diagnosis = diagnosed()
    figure = score_tables.score_figure(diagnosis.replay, diagnosis)
    false = named(figure, "false positives")
    assert list(false.customdata) == list(diagnosis.false_detections)
    assert np.allclose(false.x, diagnosis.replay.scores[list(diagnosis.false_detections)])
    assert len(false.x) + len(named(figure, "detections").x) == len(diagnosis.replay.labels)
    assert figure.layout.shapes[0].x0 == diagnosis.replay.thresholds.box_score


# --- the path ---


@pytest.mark.parametrize("name", [*MODELS, "single map"])
def test_the_path_counts_what_the_replay_counts(name: str) -> None:
    diagnosis = diagnosed(name)
    replay = diagnosis.replay
    steps = {step.title: step for step in path.path_steps(replay, diagnosis)}
    assert steps["Objectness"].count == f"{len(replay.trace.rpn.anchors):,} anchors"
    assert steps["Proposals"].count == f"{len(replay.proposals.kept):,} proposals"
    assert steps["Refined boxes"].count == f"{len(replay.detections.entrants):,} slots"
    assert steps["Detections"].count == f"{len(replay.labels):,} detections"
    found = len(diagnosis.verdicts) - len(diagnosis.lost)
    assert steps["Detections"].note.startswith(f"{found} of {len(diagnosis.verdicts)} object")
    height, width = replay.trace.input.image_size
    for title, step in steps.items():
        assert step.thumbnail.dtype == np.uint8 and step.thumbnail.shape[2] == 3
        assert path.SIDE / 2 < max(step.thumbnail.shape[:2]) <= path.SIDE
        if title != "Network input":
            assert step.thumbnail.shape[0] / step.thumbnail.shape[1] == pytest.approx(
                height / width, abs=0.02
            )
    assert [step.stage for step in steps.values()] == sorted(step.stage for step in steps.values())
    assert steps["Detections"].stage is Stage.DETECTIONS
    assert not np.array_equal(steps["Image"].thumbnail, steps["Detections"].thumbnail)


def test_a_path_that_ends_early_is_drawn_to_its_end() -> None:
    replayer = replayer_of("pyramid_per_class")
    empty = replayer.replay(replayer.trace.thresholds.replace(rpn_score=1.0))
    counts = {step.title: step.count for step in path.path_steps(empty)}
    assert counts["Proposals"] == "0 proposals" and counts["Detections"] == "0 detections"


def test_a_trace_without_maps_leaves_that_step_out() -> None:
    trace = replayer_of("pyramid_per_class").trace
    bare = dataclasses.replace(trace, backbone=dataclasses.replace(trace.backbone, body={}, pyramid={}))
    titles = [step.title for step in path.path_steps(Replayer(bare).replay())]
    assert "Pyramid" not in titles and len(titles) == 6


# --- masks and keypoints ---


def best(name: str, count: int = 3) -> Replay:
    replayer = replayer_of(name)
    return replayer.replay(replayer.trace.thresholds.replace(box_limit=count))


def test_masks_are_painted_where_the_model_pasted_them() -> None:
    replay = best("maskrcnn_resnet50_fpn", 1)
    pasted = replay.trace.detections.masks
    assert pasted is not None
    layer = masks.mask_overlay(replay)
    assert layer is not None
    inside = pasted[masks.captured_place(replay)[0], 0] >= 0.5
    assert bool(inside.any())
    assert torch.equal(layer[..., 3] > 0, inside)
    color = palette.category_color(0)
    assert layer[inside][0, :3].tolist() == [int(color[start : start + 2], 16) for start in (1, 3, 5)]


def test_a_raw_mask_is_the_one_of_the_detections_own_category() -> None:
    replay = best("maskrcnn_resnet50_fpn")
    logits = replay.trace.detections.mask_logits
    assert logits is not None
    for detection, place in enumerate(masks.captured_place(replay)):
        raw = masks.raw_mask(replay, detection)
        assert raw is not None and raw.shape == (28, 28)
        assert torch.equal(replay.trace.detections.boxes[place], replay.boxes[detection])
        assert torch.allclose(raw, 1 / (1 + torch.exp(-logits[place, replay.labels[detection]])))
    figure = masks.mask_figure(replay, 0)
    assert figure is not None and np.allclose(figure.data[0].z, masks.raw_mask(replay, 0))


def test_a_detection_that_the_model_did_not_make_has_no_mask() -> None:
    replayer = replayer_of("maskrcnn_resnet50_fpn")
    own = replayer.replay()
    more = replayer.replay(replayer.trace.thresholds.replace(box_nms=0.9, box_limit=200))
    places = masks.captured_place(more)
    assert len(more.labels) > len(own.labels) and -1 in places
    assert sorted(masks.captured_place(own)) == list(range(len(own.labels)))
    assert masks.raw_mask(more, places.index(-1)) is None
    assert masks.mask_overlay(more, [places.index(-1)]) is None
    assert masks.mask_overlay(best("pyramid_per_class")) is None


def test_keypoints_are_dots_where_the_model_saw_them() -> None:
    replay = best("keypointrcnn_resnet50_fpn", 1)
    points, layer = keypoints.keypoints_of(replay, 0), keypoints.keypoint_overlay(replay)
    assert points is not None and layer is not None and points.shape == (17, 2)
    scale = layer.shape[1] / replay.trace.input.image_size[1]
    x, y = (points[-1] * scale).round().long().tolist()
    color = palette.category_color(0)
    assert layer[min(y, layer.shape[0] - 1), min(x, layer.shape[1] - 1)].tolist() == [
        *(int(color[start : start + 2], 16) for start in (1, 3, 5)), 255,
    ]  # fmt: skip
    assert 0 < float((layer[..., 3] > 0).float().mean()) < 0.3
    figure = keypoints.keypoint_figure(replay, 0, 4)
    logits = replay.trace.detections.keypoint_logits
    assert figure is not None and logits is not None
    assert np.allclose(figure.data[0].z, logits[masks.captured_place(replay)[0], 4])
    assert keypoints.keypoint_names(17)[0] == "nose" and keypoints.keypoint_names(2) == (
        "keypoint 0",
        "keypoint 1",
    )


# --- the parts of the model ---


@pytest.mark.parametrize("name", ["pyramid_per_class", "maskrcnn_resnet50_fpn", "single map"])
def test_the_module_table_has_every_parameter_and_every_millisecond_once(name: str) -> None:
    replayer = replayer_of(name)
    assert replayer.detector is not None
    measured = profile(replayer.detector, replayer.trace)
    table = module_tree.module_table(measured)
    stages = [part.depth == 1 for part in module_tree.shown_parts(measured)]
    total = sum(value.numel() for value in replayer.detector.model.parameters())
    assert sum(table["parameters"][stages].tolist()) == total
    assert table["part"][stages].tolist() == ["transform", "backbone", "rpn", "roi_heads"]
    assert 0 < sum(table["time"][stages].tolist()) <= 1
    outputs = dict(zip(table["part"].str.strip("\u2003"), table["output"], strict=True))
    rois, features = replayer.trace.head.embedding.shape  # type: ignore[union-attr]
    assert outputs["box_head"] == f"{rois} × {features}"
    assert ("mask_predictor" in outputs) == name.startswith("maskrcnn")


def test_the_time_chart_nests_parts_in_what_holds_them() -> None:
    replayer = replayer_of("pyramid_per_class")
    assert replayer.detector is not None
    measured = profile(replayer.detector, replayer.trace)
    icicle = module_tree.time_figure(measured).data[0]
    parents, values = (
        dict(zip(icicle.ids, column, strict=True)) for column in (icicle.parents, icicle.values)
    )
    assert parents["backbone"] == "model" and parents["rpn.head"] == "rpn"
    assert set(parents.values()) <= {"", *icicle.ids}
    for part, parent in parents.items():
        inside = sum(values[other] for other, outer in parents.items() if outer == part)
        assert inside <= values[part] + 1e-6, (part, parent)


def test_shapes_are_told_without_a_wall_of_them() -> None:
    assert module_tree.shapes_words(((1, 2, 3),)) == "1 × 2 × 3"
    assert module_tree.shapes_words(((1,), (2,), (3,), (4,), (5,))) == "1; 2; 3; 2 more"
