"""Full network: detections, matches and curves, read back from the figures and compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from support.models import random_image, shared_detector
from support.network_scenes import MODELS, diagnosed, named, replayer_of
from support.oracles import iou

from detector import GroundTruth, Replayer, capture
from detector.explaining.first_detection import lowered_until_found, strongest_slot
from detector.explaining.ladder import diagnose
from detector.explaining.sweeps import nms_curve, score_curve
from viz_app.figures import (
    full_network,
    match_matrix,
    outcome_tables,
    outcome_text,
    palette,
    threshold_curves,
)
from viz_app.links import Selected


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
