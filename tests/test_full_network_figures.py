"""Full network: matches, curves, scores, path, masks and parts, read back from the figures and compared."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from support.models import random_image, shared_detector, single_map_detector
from support.oracles import iou

from detector import Detector, GroundTruth, Replay, Replayer, capture
from detector.explaining.first_detection import lowered_until_found, strongest_slot
from detector.explaining.ladder import diagnose
from detector.explaining.sweeps import nms_curve, score_curve
from detector.explaining.verdicts import Diagnosis
from detector.tracing.profile import profile
from viz_app.figures import (
    full_network,
    keypoints,
    masks,
    match_matrix,
    module_tree,
    outcome_tables,
    outcome_text,
    palette,
    path,
    score_tables,
    threshold_curves,
)
from viz_app.figures.strip import Stage
from viz_app.links import Selected

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")
SIZE = (144, 208)  # resized to no multiple of any stride: the network input is padded


@cache
def replayer_of(name: str) -> Replayer:
    """Objects beside some of the model's own detections, one of them a crowd region, one far from all."""
    detector: Detector = single_map_detector() if name == "single map" else shared_detector(name)
    # In whole steps of 1/255, as a file holds them: a second forward sees the same values.
    image = (random_image(5, SIZE) * 255).round() / 255
    found = Replayer(capture(detector, image), detector).replay()
    chosen = torch.arange(0, len(found.labels), 4)[:5]
    boxes = torch.cat(
        (found.boxes[chosen] + torch.tensor([1.0, 0.0, 1.0, 2.0]), torch.tensor([[1.0, 1, 4, 4]]))
    )
    labels = torch.cat((found.labels[chosen], torch.tensor([1])))
    crowd = torch.zeros(len(boxes), dtype=torch.bool)
    crowd[1] = True
    return Replayer(capture(detector, image, GroundTruth(boxes, labels, crowd)), detector)


def diagnosed(name: str = "pyramid_per_class", **thresholds: float) -> Diagnosis:
    replayer = replayer_of(name)
    truth = replayer.trace.ground_truth
    assert truth is not None
    return diagnose(replayer.replay(replayer.trace.thresholds.replace(**thresholds)), truth)


def named(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def drawn(figure: go.Figure, name: str) -> np.ndarray:
    """Boxes [n, 4] read back from the line trace called `name`."""
    line = named(figure, name)
    xs, ys = (np.asarray(values).reshape(-1, 6)[:, :5] for values in (line.x, line.y))
    return np.stack((xs.min(1), ys.min(1), xs.max(1), ys.max(1)), axis=1)


# --- the picture ---


def test_detections_beside_ground_truth_in_their_colours() -> None:
    diagnosis = diagnosed()
    replay, truth = diagnosis.replay, diagnosis.truth
    figure = full_network.overview_picture(replay, diagnosis)
    lines = {trace.name: trace.line for trace in figure.data if trace.mode == "lines"}
    assert (lines["lost"].color, lines["lost"].dash) == (palette.LOST, "dash")
    assert (lines["ground truth"].color, lines["ground truth"].dash) == ("#FFFFFF", "dash")
    assert (lines["crowd region"].color, lines["crowd region"].dash) == (palette.GREY, "dot")
    assert lines["false positives"].color == palette.ORANGE
    assert lines["detections"].color == palette.ACCENT
    lost = [verdict.object for verdict in diagnosis.lost]
    found = [index for index in range(len(truth)) if index not in lost and not truth.crowd[index]]
    assert lost and found
    assert np.allclose(drawn(figure, "lost"), truth.boxes[lost].numpy())
    assert np.allclose(drawn(figure, "ground truth"), truth.boxes[found].numpy())
    assert np.allclose(drawn(figure, "crowd region"), truth.boxes[truth.crowd].numpy())
    false = list(diagnosis.false_detections)
    assert np.allclose(drawn(figure, "false positives"), replay.boxes[false].numpy(), atol=1e-4)
    assert len(drawn(figure, "detections")) == len(replay.labels) - len(false)


def test_the_pointer_says_what_a_detection_matches_and_how_well() -> None:
    diagnosis = diagnosed()
    replay, truth = diagnosis.replay, diagnosis.truth
    groups = {group.name: group for group in full_network.overview_groups(replay, diagnosis)}
    true = [index for index in range(len(replay.labels)) if index not in diagnosis.false_detections]
    for detection, hover in zip(true, groups["detections"].hover, strict=True):
        matched = int(diagnosis.matches.object_of[detection])
        if truth.crowd[matched]:
            assert f"in the crowd region #{matched}: not counted" in hover
        else:
            quality = iou(replay.boxes[detection], truth.boxes[matched])
            assert f"matches object #{matched}, IoU {quality:.2f}" in hover
    assert all("matches no object" in hover for hover in groups["false positives"].hover)
    assert groups["lost"].items == tuple(Selected("object", verdict.object) for verdict in diagnosis.lost)
    assert groups["crowd region"].items == (None,)


def test_without_ground_truth_there_are_detections_alone() -> None:
    detector = shared_detector("pyramid_per_class")
    replay = Replayer(capture(detector, random_image(3)), detector).replay()
    groups = full_network.overview_groups(replay)
    assert [group.name for group in groups] == ["detections"]
    assert not any("match" in hover for hover in groups[0].hover)
    assert "matches" not in outcome_tables.detection_table(replay, None)


def test_the_table_of_detections_gives_the_iou_of_each_match() -> None:
    diagnosis = diagnosed()
    table = outcome_tables.detection_table(diagnosis.replay, diagnosis)
    assert set(table["matches"]) >= {"no object", "crowd", "#0"}
    for detection, (matches, quality) in enumerate(zip(table["matches"], table["IoU"], strict=True)):
        if matches.startswith("#"):
            boxes = diagnosis.replay.boxes[detection], diagnosis.truth.boxes[int(matches[1:])]
            assert quality == f"{iou(*boxes):.2f}"
        elif matches == "no object":
            assert quality == ""


def test_recall_and_precision_are_told_with_their_counts() -> None:
    diagnosis = diagnosed()
    found, objects = len(diagnosis.verdicts) - len(diagnosis.lost), len(diagnosis.verdicts)
    false = len(diagnosis.false_detections)
    text = outcome_text.match_text(diagnosis)
    assert rf"\frac{{{found}}}{{{objects}}}={found / objects:.2f}" in text
    assert rf"\frac{{{found}}}{{{found + false}}}={found / (found + false):.2f}" in text
    crowd = int((diagnosis.matches.object_of == 1).sum())
    assert f"**{crowd}** lie in crowd regions" in text
    assert text.splitlines().count("$$") == 2
    none = GroundTruth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    assert "undefined" in outcome_text.match_text(diagnose(diagnosis.replay, none))


# --- the matrix ---


def test_the_matrix_holds_every_overlap_and_frames_every_match() -> None:
    diagnosis = diagnosed()
    replay, truth = diagnosis.replay, diagnosis.truth
    figure = match_matrix.matrix_figure(diagnosis)
    matrix = match_matrix.match_matrix(diagnosis)
    assert matrix.objects[-1] == 1, "the crowd region comes last"
    assert sorted(matrix.objects) == list(range(len(truth)))
    for row, index in enumerate(matrix.objects):
        for detection in range(matrix.detections):
            if not truth.crowd[index]:
                expected = iou(replay.boxes[detection], truth.boxes[index])
                assert figure.data[0].z[row][detection] == pytest.approx(expected, abs=1e-5)
    framed = {(round(y1 + y2) // 2, round(x1 + x2) // 2) for x1, y1, x2, y2 in drawn(figure, "match")}
    expected = {
        (matrix.objects.index(verdict.object), verdict.detection)
        for verdict in diagnosis.verdicts
        if verdict.detection is not None
    }
    assert framed == expected and framed
    assert (
        len(drawn(figure, "in a crowd"))
        == int((diagnosis.matches.object_of[: matrix.detections] == 1).sum())
        > 0
    )
    names = figure.layout.yaxis.ticktext
    assert names[0].startswith("#0 ") and names[-1].endswith("(crowd)")


def test_few_detections_have_their_iou_written_in_the_cells() -> None:
    diagnosis = diagnosed(box_limit=12)
    figure, matrix = match_matrix.matrix_figure(diagnosis), match_matrix.match_matrix(diagnosis)
    written = 0
    for name in ("small overlaps", "large overlaps"):
        numbers = named(figure, name)
        for x, y, text in zip(numbers.x, numbers.y, numbers.text, strict=True):
            assert text == f"{float(matrix.iou[y, x]):.2f}"
            written += 1
    assert written == int((matrix.iou >= 0.005).sum())


def test_every_overlapping_pair_answers_a_click_and_says_why_it_is_no_match() -> None:
    diagnosis = diagnosed()
    replay, truth = diagnosis.replay, diagnosis.truth
    markers = named(match_matrix.matrix_figure(diagnosis), match_matrix.MARKERS)
    assert markers.marker.opacity == 0
    assert len(markers.customdata) == int((match_matrix.match_matrix(diagnosis).iou > 0).sum())
    for (index, detection), text in zip(markers.customdata, markers.text, strict=True):
        if f"IoU {iou(replay.boxes[detection], truth.boxes[index]):.2f}, no match" not in text:
            assert truth.crowd[index] or diagnosis.matches.object_of[detection] == index
        if "another category" in text:
            assert replay.labels[detection] != truth.labels[index]
        if "taken by detection" in text:
            assert replay.labels[detection] == truth.labels[index]
            assert replay.scores[int(diagnosis.matches.detection_of[index])] >= replay.scores[detection]


def test_a_click_selects_the_detection_and_a_second_one_its_object() -> None:
    diagnosis = diagnosed()
    first = match_matrix.picked_item(diagnosis, (0, 2), None)
    assert first == full_network.detection_items(diagnosis.replay)[2]
    assert match_matrix.picked_item(diagnosis, (0, 2), first) == Selected("object", 0)
    assert match_matrix.picked_item(diagnosis, (1, 2), first) is None, "a crowd region has no verdict"


def test_what_is_selected_is_framed_in_the_matrix() -> None:
    diagnosis = diagnosed()
    row = match_matrix.matrix_figure(diagnosis, Selected("object", 0)).layout.shapes[0]
    assert (row.y0, row.y1, row.x0) == (-0.5, 0.5, -0.5)
    item = full_network.detection_items(diagnosis.replay)[3]
    column = match_matrix.matrix_figure(diagnosis, item).layout.shapes[0]
    assert (column.x0, column.x1) == (2.5, 3.5)
    assert not match_matrix.matrix_figure(diagnosis, Selected("anchor", 0)).layout.shapes


def test_many_objects_and_detections_stay_within_a_page() -> None:
    replay = diagnosed(box_score=0.0, box_limit=100).replay
    truth = GroundTruth(replay.boxes.clone(), replay.labels.clone())
    assert len(truth) == 100
    figure = match_matrix.matrix_figure(diagnose(replay, truth))
    assert figure.data[0].z.shape == (100, match_matrix.MOST_DETECTIONS)
    assert figure.layout.height <= 1100
    assert len(figure.layout.xaxis.tickvals) <= 31


# --- thresholds ---


@pytest.mark.parametrize("field", ["box_score", "box_nms"])
def test_curves_show_counts_the_present_value_and_the_objects(field: str) -> None:
    diagnosis = diagnosed(box_score=0.03, box_nms=0.45)
    sweep = score_curve if field == "box_score" else nms_curve
    curve = sweep(diagnosis.replay, diagnosis.truth)
    figure = threshold_curves.curve_figure(curve, len(diagnosis.verdicts))
    for name, counts in (
        ("detections", curve.detections), ("true: objects found", curve.true), ("false positives", curve.false),
    ):  # fmt: skip
        assert counts is not None
        assert tuple(named(figure, name).y[: len(counts)]) == counts
        assert tuple(named(figure, name).x[: len(counts)]) == curve.values
    positions = {(shape.x0, shape.x1, shape.y0, shape.y1) for shape in figure.layout.shapes}
    present = {"box_score": 0.03, "box_nms": 0.45}[field]
    assert any(x0 == x1 == present for x0, x1, _, _ in positions)
    assert any(y0 == y1 == len(diagnosis.verdicts) for _, _, y0, y1 in positions)
    assert "threshold" in figure.layout.xaxis.title.text and figure.layout.yaxis.title.text


def test_a_curve_without_ground_truth_has_one_line_and_no_object() -> None:
    figure = threshold_curves.curve_figure(score_curve(diagnosed().replay, None), None)
    assert [trace.name for trace in figure.data] == ["detections"]
    assert len(figure.layout.shapes) == 1


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


# --- nothing detected ---


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        *((name, {"box_score": 1.0}) for name in MODELS),
        # The third one's random weights make proposals of an objectness of exactly 1.
        *((name, {"rpn_score": 1.0}) for name in MODELS[:2]),
        *((name, {"rpn_score": 1.0, "box_score": 1.0}) for name in MODELS[:2]),
    ],
)
def test_lowered_thresholds_show_the_strongest_and_not_more_than_a_step(
    name: str, knobs: dict[str, float]
) -> None:
    replayer = replayer_of(name)
    replay = replayer.replay(replayer.trace.thresholds.replace(**knobs))
    assert len(replay.labels) == 0
    lowered = lowered_until_found(replayer, replay)
    assert lowered is not None
    assert len(replayer.replay(lowered).labels) >= 1
    for field in ("rpn_score", "box_score"):
        value = getattr(lowered, field)
        assert value <= getattr(replay.thresholds, field)
        assert value / 0.005 == pytest.approx(round(value / 0.005)) or value == getattr(
            replay.thresholds, field
        )
    if "rpn_score" not in knobs:
        higher = lowered.replace(box_score=lowered.box_score + 0.005)
        assert len(replayer.replay(higher).labels) == 0
    scores = {"rpn_score": replay.thresholds.rpn_score, "box_score": replay.thresholds.box_score}
    assert lowered.replace(**scores) == replay.thresholds, "nothing else is touched"


def test_where_the_background_wins_everything_no_threshold_helps() -> None:
    detector = shared_detector("pyramid_best_class")
    trace = capture(detector, random_image(5))
    logits = trace.head.class_logits.clone()
    logits[:, 0] += 100
    lost = dataclasses.replace(
        trace, head=dataclasses.replace(trace.head, class_logits=logits), faithful=False
    )
    replayer = Replayer(lost, detector)
    replay = replayer.replay()
    assert len(replay.labels) == 0
    assert strongest_slot(replay) is None
    assert lowered_until_found(replayer, replay) is None


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
