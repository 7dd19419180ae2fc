"""The second stage's figures of one RoI and its class slots show the numbers of the trace."""

from __future__ import annotations

from functools import cache

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from support.models import shared_detector
from support.oracles import iou
from support.roi_scenes import HEIGHT, MODELS, WIDTH, replayed
from torchvision.ops import roi_align

from detector import DetectionFate, Replay, Replayer
from detector.tracing.roi_grid import pooling_rule, sampling_grid
from viz_app.figures import (
    class_slots,
    fast_rcnn,
    palette,
    roi_levels,
)
from viz_app.figures.fast_rcnn_tables import (
    class_table,
    refinement_table,
    roi_order,
    roi_table,
    slot_ledger_table,
)
from viz_app.figures.picture import picture
from viz_app.figures.roi_grid import grid_groups
from viz_app.figures.roi_items import roi_items, selected_roi, selected_slot, slot_items
from viz_app.links import Selected


@cache
def crowded() -> Replay:
    """Under a low score threshold and a strict NMS there are many slots, and many that suppress others."""
    replay = replayed()
    return Replayer(replay.trace).replay(replay.thresholds.replace(box_score=0.01, box_nms=0.3, box_limit=40))


def drawn_boxes(figure: go.Figure, name: str) -> np.ndarray:
    """Boxes [n, 4] read back from the line trace called `name`."""
    trace = next(trace for trace in figure.data if trace.name == name)
    xs, ys = (np.asarray(values).reshape(-1, 6) for values in (trace.x, trace.y))
    return np.stack((xs[:, :5].min(1), ys[:, :5].min(1), xs[:, :5].max(1), ys[:, :5].max(1)), axis=1)


@pytest.mark.parametrize("name", MODELS)
def test_the_refined_box_is_the_decoded_one_of_that_class(name: str) -> None:
    replay = replayed(name)
    trace = replay.trace
    wx, wy, ww, wh = trace.rules.box_weights
    high, wide = trace.input.network_size
    for roi in range(0, len(replay.head.boxes), 37):
        for label in (1, 3):
            x1, y1, x2, y2 = replay.head.boxes[roi].double().tolist()
            dx, dy, dw, dh = fast_rcnn.class_deltas(replay, roi, label).double().tolist()
            cx, cy = (x1 + x2) / 2 + dx / wx * (x2 - x1), (y1 + y2) / 2 + dy / wy * (y2 - y1)
            w = (x2 - x1) * np.exp(min(dw / ww, 4.135166556742356))
            h = (y2 - y1) * np.exp(min(dh / wh, 4.135166556742356))
            xs = [min(max(x, 0), wide) * WIDTH / wide for x in (cx - w / 2, cx + w / 2)]
            ys = [min(max(y, 0), high) * HEIGHT / high for y in (cy - h / 2, cy + h / 2)]
            found = fast_rcnn.refined_box(replay, roi, label)
            assert found.tolist() == pytest.approx([xs[0], ys[0], xs[1], ys[1]], abs=1e-2)


def test_the_selected_roi_is_dotted_before_and_solid_after() -> None:
    replay = replayed()
    figure = picture(replay.trace.input.pixels, fast_rcnn.selected_roi_groups(replay, 4, 2))
    before = replay.trace.to_image(replay.head.boxes[4])
    assert np.allclose(drawn_boxes(figure, "RoI, before")[0], before.numpy(), atol=1e-4)
    after = fast_rcnn.refined_box(replay, 4, 2)
    assert np.allclose(drawn_boxes(figure, "refined, after")[0], after.numpy(), atol=1e-4)
    score = float(replay.class_scores[4, 2])
    assert figure.layout.annotations[0].text == f"{replay.trace.categories[2]} {score:.2f}"


def test_rois_by_level_have_one_colour_a_level_and_none_is_missing() -> None:
    replay = replayed("maskrcnn_resnet50_fpn")
    rois = torch.arange(len(replay.head.boxes))
    groups = roi_levels.level_groups(replay, rois)
    assert sum(len(group) for group in groups) == len(rois)
    assert len({group.color for group in groups}) == len(groups) > 1


@pytest.mark.parametrize("name", MODELS)
def test_the_level_rule_gives_the_level_that_was_pooled_from(name: str) -> None:
    replay = replayed(name)
    rule = fast_rcnn.level_rule(shared_detector(name))
    if rule is None:
        assert len(replay.head.level.unique()) == 1
        return
    for box, level in zip(replay.head.boxes.double().tolist(), replay.head.level.tolist(), strict=True):
        side = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        raw = np.floor(rule.unbounded(side) + 1e-6)
        assert level == min(max(raw, rule.k_min), rule.k_max) - rule.k_min


@pytest.mark.parametrize("box", [[20.0, 30.0, 76.0, 100.0], [3.3, 7.7, 31.3, 35.7]])
def test_a_crop_is_what_roi_align_reads_from_the_image(box: list[float]) -> None:
    trace = replayed().trace
    side = 14
    found = fast_rcnn.crop(trace, torch.tensor(box), side)
    pixels = trace.input.pixels[None].float()
    # One sample in the middle of each bin is bilinear interpolation of the image.
    expected = roi_align(pixels, [torch.tensor([box])], side, sampling_ratio=1, aligned=True)[0].permute(
        1, 2, 0
    )
    assert (
        np.abs(found.astype(float) - expected.numpy()).max() <= 4.5
    )  # OpenCV interpolates in steps of 1/32 px


def test_score_bars_are_the_highest_probabilities_with_a_grey_background() -> None:
    replay = replayed()
    figure = fast_rcnn.score_bars(replay, 3, count=5)
    expected = replay.class_scores[3].sort(descending=True)
    assert list(figure.data[0].x) == pytest.approx(expected.values[:5].tolist())
    names = [replay.trace.categories[index] for index in expected.indices[:5].tolist()]
    assert list(figure.data[0].y) == names
    colors = dict(zip(figure.data[0].y, figure.data[0].marker.color, strict=True))
    assert all(
        color == (palette.GREY if name == "background" else palette.ACCENT) for name, color in colors.items()
    )


def test_the_roi_table_is_sorted_by_the_best_class_but_background() -> None:
    replay = replayed()
    order = roi_order(replay)
    table = roi_table(replay, order)
    best = replay.class_scores[:, 1:].amax(1)
    assert table["probability"].tolist() == best.sort(descending=True).values.tolist()
    for row in table.head(20).itertuples():
        label = replay.trace.categories.index(row.category)
        slot = row.RoI * (len(replay.trace.categories) - 1) + label - 1
        assert row.fate == palette.fate_words(DetectionFate(int(replay.detections.fate[slot])))


def test_the_refinement_table_is_before_after_and_their_difference() -> None:
    replay = replayed()
    table = refinement_table(replay, 2, 1).set_index("")
    x1, y1, x2, y2 = fast_rcnn.refined_box(replay, 2, 1).tolist()
    after = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
    assert table.loc["after, px"].tolist() == pytest.approx(after)
    change = table.loc["after, px"] - table.loc["before, px"]
    assert table.loc["change, px"].tolist() == pytest.approx(change.tolist(), abs=1e-4)
    ratio = table.loc["head's output"] / table.loc["÷ coder weights"]
    assert ratio.tolist() == pytest.approx(replay.trace.rules.box_weights)


@pytest.mark.parametrize("name", MODELS)
def test_the_slot_ledger_adds_up(name: str) -> None:
    replay = replayed(name)
    table = slot_ledger_table(replay)
    assert sum(table["slots"].tolist()) == len(replay.detections)
    assert ("other class" in table["fate"].tolist()) == (name == "pyramid_best_class")


# --- one RoI ---


def test_the_class_table_holds_logits_probabilities_and_deltas_where_they_differ() -> None:
    for name in ("pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn"):
        replay = replayed(name)
        labels = torch.arange(replay.class_scores.shape[1])
        table = class_table(replay, 5, labels)
        logits = np.array(table["logit"].tolist())
        assert table["probability"].tolist() == pytest.approx(
            (np.exp(logits) / np.exp(logits).sum()).tolist(), rel=1e-4
        )
        assert table["fate"].tolist()[0] == ""
        deltas = replay.head.deltas[5].tolist()
        if len(deltas) == 4:
            assert "dx" not in table
            continue
        assert np.isnan(table["dx"].tolist()[0])
        assert table[["dx", "dy", "dw", "dh"]].iloc[2].tolist() == pytest.approx(deltas[8:12])


def test_the_sampling_grid_lies_in_the_image_where_the_roi_lies() -> None:
    replay = replayed()
    trace, rule = replay.trace, pooling_rule(shared_detector("pyramid_per_class"))
    large = int((replay.head.boxes[:, 2:] - replay.head.boxes[:, :2]).amin(1).argmax())
    grid = sampling_grid(trace, rule, replay.head.boxes[large], int(replay.head.level[large]))
    bins, points = grid_groups(trace, grid)
    assert (len(bins), len(points)) == (49, 196)
    x1, y1, x2, y2 = trace.to_image(replay.head.boxes[large]).tolist()
    middles = (points.boxes[:, :2] + points.boxes[:, 2:]) / 2
    xs = sorted({round(x, 2) for x in middles[:, 0].tolist()})
    assert len(xs) == 14
    assert xs[0] == pytest.approx(x1 + (x2 - x1) / 28, abs=0.02)
    assert xs[-1] == pytest.approx(x2 - (x2 - x1) / 28, abs=0.02)
    assert bins.boxes[:, 1].min().item() == pytest.approx(y1, abs=1e-3)
    assert bins.boxes[:, 3].max().item() == pytest.approx(y2, abs=1e-3)
    figure = fast_rcnn.crop_figure(trace, grid)
    dots = next(part for part in figure.data if part.name == "sample points")
    assert len(dots.x) == 196


def test_a_roi_is_selected_as_its_anchor_and_a_slot_as_a_detection_of_it() -> None:
    replay = replayed()
    roi, label = 7, 2
    anchor = int(replay.proposals.kept[roi])
    assert roi_items(replay, torch.tensor([roi])) == (Selected("anchor", anchor),)
    slot = roi * (len(replay.trace.categories) - 1) + label - 1
    item = slot_items(replay, torch.tensor([slot]))[0]
    assert item == Selected("detection", anchor, label)
    assert selected_roi(replay, item) == selected_roi(replay, Selected("anchor", anchor)) == roi
    assert selected_slot(replay, item) == slot
    best = int(replay.class_scores[roi, 1:].argmax())
    assert (
        selected_slot(replay, Selected("anchor", anchor)) == roi * (len(replay.trace.categories) - 1) + best
    )
    assert selected_slot(replay, Selected("detection", anchor, 99)) is None
    lost = next(n for n in range(len(replay.proposals)) if n not in set(replay.proposals.kept.tolist()))
    assert selected_roi(replay, Selected("anchor", lost)) is None
    assert selected_roi(replay, Selected("object", roi)) is None


# --- class slots ---


def test_slots_of_a_fate_are_drawn_in_its_colour_the_most_probable_first() -> None:
    replay = crowded()
    fates = (DetectionFate.KEPT, DetectionFate.SUPPRESSED)
    slots = class_slots.strongest_slots(replay, fates, 50)
    members = [n for n, code in enumerate(replay.detections.fate.tolist()) if DetectionFate(code) in fates]
    expected = sorted((float(replay.detections.scores[n]) for n in members), reverse=True)[:50]
    assert replay.detections.scores[slots].tolist() == expected
    groups = class_slots.slot_groups(replay, slots)
    assert sum(len(group) for group in groups) == 50
    assert [(group.name, group.color) for group in groups] == [
        (palette.fate_words(fate), palette.fate_color(fate)) for fate in reversed(fates)
    ]
    assert len(class_slots.strongest_slots(replay, ())) == 0


def test_a_suppressed_slot_names_its_suppressor_and_the_reverse() -> None:
    replay = crowded()
    ledger = replay.detections
    lost = class_slots.strongest_slots(replay, (DetectionFate.SUPPRESSED,), 15)
    assert len(lost) == 15
    table = class_slots.slot_table(replay, lost)
    for row, slot in enumerate(lost.tolist()):
        found = class_slots.slot_duel(replay, slot)
        assert found is not None
        assert found.iou == pytest.approx(iou(ledger.boxes[slot], ledger.boxes[found.suppressor]), abs=1e-4)
        assert found.iou > replay.thresholds.box_nms - 1e-4 and found.gap >= 0
        assert ledger.labels[slot] == ledger.labels[found.suppressor]
        assert slot in class_slots.suppressed_slots(replay, found.suppressor).tolist()
        assert table["by RoI"].iloc[row] == str(found.suppressor // (len(replay.trace.categories) - 1))
        names = [group.name for group in class_slots.selected_slot_groups(replay, slot)]
        assert names == ["its suppressor", "selected slot"]
    winner = class_slots.slot_duel(replay, int(lost[0])).suppressor
    assert class_slots.slot_duel(replay, winner) is None
    names = [group.name for group in class_slots.selected_slot_groups(replay, winner)]
    assert names == ["suppressed by it", "selected slot"]
