"""The second stage's figures show the numbers of the trace: boxes, counts and colours, read back and compared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from support.models import shared_detector
from support.oracles import iou
from torchvision.ops import roi_align

from detector import DetectionFate, GroundTruth, Replay, Replayer, Trace, capture
from detector.tracing.projection import principal_plane
from detector.tracing.roi_grid import pooling_rule, sampling_grid
from detector.tracing.roi_losses import roi_confusion, roi_losses
from detector.tracing.roi_origins import roi_origins
from detector.tracing.sampling import training_trace
from viz_app.figures import (
    class_slots,
    embedding_map,
    fast_rcnn,
    palette,
    roi_levels,
    roi_refinement,
    roi_samples,
)
from viz_app.figures.fast_rcnn_tables import (
    class_table,
    refinement_table,
    roi_order,
    roi_table,
    slot_ledger_table,
)
from viz_app.figures.feature_maps import colorize
from viz_app.figures.picture import picture
from viz_app.figures.roi_batch import confusion_figure, delta_histograms
from viz_app.figures.roi_grid import grid_groups
from viz_app.figures.roi_heat import iou_map, iou_overlay, object_ious
from viz_app.figures.roi_items import roi_items, selected_roi, selected_slot, slot_items
from viz_app.links import Selected

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")
HEIGHT, WIDTH = 150, 210  # neither square nor a multiple of any stride: the network input is padded
OBJECTS = [[20.0, 30.0, 90.0, 110.0], [120.0, 40.0, 150.0, 75.0]]


@cache
def replayed(name: str = "pyramid_per_class") -> Replay:
    detector = shared_detector(name)
    pixels = (
        torch.randint(0, 256, (3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1)).float() / 255
    )
    truth = GroundTruth(torch.tensor(OBJECTS), torch.tensor([1, 3]))
    return Replayer(capture(detector, pixels, truth), detector).replay()


@cache
def crowded() -> Replay:
    """Under a low score threshold and a strict NMS there are many slots, and many that suppress others."""
    replay = replayed()
    return Replayer(replay.trace).replay(replay.thresholds.replace(box_score=0.01, box_nms=0.3, box_limit=40))


@cache
def stepped(name: str = "pyramid_per_class") -> Trace:
    return training_trace(shared_detector(name), replayed(name).trace, 3)


def drawn_boxes(figure: go.Figure, name: str) -> np.ndarray:
    """Boxes [n, 4] read back from the line trace called `name`."""
    trace = next(trace for trace in figure.data if trace.name == name)
    xs, ys = (np.asarray(values).reshape(-1, 6) for values in (trace.x, trace.y))
    return np.stack((xs[:, :5].min(1), ys[:, :5].min(1), xs[:, :5].max(1), ys[:, :5].max(1)), axis=1)


def scaled(boxes: torch.Tensor, replay: Replay) -> np.ndarray:
    """Network frame to image frame, in plain arithmetic."""
    high, wide = replay.trace.input.network_size
    return boxes.double().numpy() * np.array([WIDTH / wide, HEIGHT / high] * 2)


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


# --- all RoIs ---


@pytest.mark.parametrize("name", MODELS[1:])
def test_the_level_table_and_the_histogram_count_every_roi_once(name: str) -> None:
    replay = replayed(name)
    rule = fast_rcnn.level_rule(shared_detector(name))
    table = roi_levels.roi_level_table(replay, rule)
    assert sum(table["RoIs"].tolist()) == len(replay.head.boxes)
    assert sum(table["detections"].tolist()) == len(replay.labels)
    figure = roi_levels.level_figure(replay, rule, 3)
    assert sum(sum(bar.y) for bar in figure.data) == len(replay.head.boxes)
    for low, bound in enumerate(roi_levels.level_bounds(rule) if rule else []):
        assert rule.unbounded(bound) == pytest.approx(rule.k_min + low + 1)


def test_a_seed_draws_the_same_rois_again_and_another_seed_others() -> None:
    order = torch.arange(100, 200)
    first = roi_refinement.drawn_rois(replayed(), order, 20, 4)
    assert len(set(first.tolist())) == 20 and set(first.tolist()) <= set(order.tolist())
    assert torch.equal(first, roi_refinement.drawn_rois(replayed(), order, 20, 4))
    assert not torch.equal(first, roi_refinement.drawn_rois(replayed(), order, 20, 5))
    assert roi_refinement.drawn_rois(replayed(), order, 3).tolist() == [100, 101, 102]


def test_rois_taken_for_background_are_dotted_and_grey_and_get_no_refined_box() -> None:
    replay = replayed()
    # Random weights hardly ever choose the background: it takes the part of the category that won most.
    winner = int(replay.class_scores.argmax(1).bincount().argmax())
    order = [winner, *(n for n in range(replay.class_scores.shape[1]) if n != winner)]
    replay = replace(replay, class_scores=replay.class_scores[:, order])
    rois = torch.arange(len(replay.head.boxes))
    won = replay.class_scores.argmax(1)
    groups = roi_refinement.refinement_groups(replay, rois, before=True, after=True)
    named = {group.name: group for group in groups}
    for label, name in enumerate(replay.trace.categories):
        members = (won == label).nonzero().flatten()
        assert len(named[name]) if len(members) else name not in named
        if len(members):
            assert np.allclose(
                named[name].boxes.numpy(), scaled(replay.head.boxes[members], replay), atol=1e-3
            )
            assert (named[name].color == palette.GREY) == (label == 0)
            assert (f"{name}, refined" in named) == (label > 0)
    assert {named["background"].dash} == {"dot"}


def test_arrows_lead_from_corners_before_to_corners_after() -> None:
    replay = replayed()
    moves = (
        roi_refinement.refined_boxes(replay, torch.arange(len(replay.head.boxes)))
        - replay.trace.to_image(replay.head.boxes)
    ).abs()
    roi = torch.tensor([int(moves.amin(1).argmax())])
    layer = roi_refinement.arrow_overlay(replay, roi).numpy()
    scale = layer.shape[1] / WIDTH
    start = replay.trace.to_image(replay.head.boxes[roi])[0]
    end = roi_refinement.refined_boxes(replay, roi)[0]
    painted = cv2.distanceTransform((layer[:, :, 3] == 0).astype(np.uint8), cv2.DIST_L2, 5)
    for corner in (slice(0, 2), slice(2, 4)):
        for share in (0.0, 0.3, 0.6, 0.95):
            x, y = ((start[corner] + share * (end[corner] - start[corner])) * scale).round().int().tolist()
            assert painted[min(y, layer.shape[0] - 1), min(x, layer.shape[1] - 1)] <= 3
    assert (layer[:, :, 3] > 0).mean() < 0.1


def test_the_gain_is_the_mean_overlap_before_and_after() -> None:
    replay = replayed()
    rois = (replay.class_scores.argmax(1) > 0).nonzero().flatten()[:30]
    found = roi_refinement.mean_gain(
        replay, torch.cat((rois, (replay.class_scores.argmax(1) == 0).nonzero().flatten()))
    )
    before, after = [], []
    for roi in (replay.class_scores.argmax(1) > 0).nonzero().flatten().tolist():
        box = replay.trace.to_image(replay.head.boxes[roi]).tolist()
        overlaps = [iou(torch.tensor(box), torch.tensor(target)) for target in OBJECTS]
        best = int(np.argmax(overlaps))
        moved = fast_rcnn.refined_box(replay, roi, int(replay.class_scores[roi, 1:].argmax()) + 1)
        before.append(overlaps[best])
        after.append(iou(moved, torch.tensor(OBJECTS[best])))
        if len(before) == len(rois):
            break
    assert found is not None and found.rois == len(before)
    assert (found.before, found.after) == pytest.approx((np.mean(before), np.mean(after)), abs=1e-4)


def test_heat_is_the_best_overlap_of_any_roi_over_the_pixel() -> None:
    replay = replayed()
    found = iou_map(replay, 1)
    assert found.shape == (HEIGHT, WIDTH)
    boxes, ious = replay.trace.to_image(replay.head.boxes).tolist(), object_ious(replay, 1).tolist()
    assert ious[4] == pytest.approx(iou(torch.tensor(boxes[4]), torch.tensor(OBJECTS[1])), abs=1e-5)
    for y, x in ((60, 130), (5, 5), (149, 209), (100, 40), (45, 149)):
        over = [
            value
            for (x1, y1, x2, y2), value in zip(boxes, ious, strict=True)
            if x1 <= x + 0.5 < x2 and y1 <= y + 0.5 < y2
        ]
        assert found[y, x].item() == pytest.approx(max(over, default=float("nan")), nan_ok=True)
    layer, best = iou_overlay(replay, 1).numpy(), np.unravel_index(np.nanargmax(found.numpy()), found.shape)
    assert np.array_equal(layer[best][:3], colorize(torch.tensor([[float(np.nanmax(found))]]), 0, 1)[0, 0])
    assert (layer[:, :, 3] == 0)[np.isnan(found.numpy())].all()


def test_the_embedding_map_places_and_colours_every_roi() -> None:
    replay = replayed()
    assert replay.head.embedding is not None
    plane = principal_plane(replay.head.embedding)
    for by in ("predicted", "true"):
        labels = embedding_map.labels_of(replay, by)
        figure = embedding_map.embedding_figure(replay, plane, labels, 6)
        seen = {}
        for series in figure.data[:-1]:
            for x, y, roi in zip(series.x, series.y, series.customdata, strict=True):
                seen[roi] = (x, y)
                assert series.name in ("others", replay.trace.categories[int(labels[roi])])
        assert sorted(seen) == list(range(len(labels)))
        assert [seen[6]] == [(figure.data[-1].x[0], figure.data[-1].y[0])]
        assert seen[9] == pytest.approx(tuple(plane.points[9].tolist()))
    boxes = replay.trace.to_image(replay.head.boxes)
    for roi in range(0, len(boxes), 29):
        overlaps = [iou(boxes[roi], torch.tensor(target)) for target in OBJECTS]
        expected = [1, 3][int(np.argmax(overlaps))] if max(overlaps) >= 0.5 else 0
        assert int(embedding_map.true_classes(replay)[roi]) == expected


def test_a_click_on_the_map_names_its_roi() -> None:
    assert embedding_map.clicked_roi([{"x": 1.0, "customdata": 12}]) == 12
    assert embedding_map.clicked_roi([{"customdata": [7]}]) == 7
    assert embedding_map.clicked_roi([]) is None and embedding_map.clicked_roi([{"x": 0}]) is None


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


# --- a training step ---


def test_drawn_rois_lie_where_they_are_and_objects_select_themselves() -> None:
    trace = stepped()
    rois = trace.training.rois
    losses, origins = roi_losses(rois), roi_origins(trace)
    kinds = ("positives", "negatives", "added objects", "predicted")
    groups = {g.name: g for g in roi_samples.roi_sample_groups(trace, rois, losses, origins, kinds)}
    added = groups["objects added as RoIs"]
    assert sorted(added.boxes.round().tolist()) == sorted(OBJECTS)
    assert set(added.items) == {Selected("object", 0), Selected("object", 1)}
    negatives = groups["sampled negatives"]
    expected = scaled(rois.boxes[rois.labels == 0], replayed())
    assert np.allclose(negatives.boxes.numpy(), expected, atol=1e-3)
    assert sum(len(group) for name, group in groups.items() if name != "predicted") == len(rois.labels)
    assert len(groups["predicted"]) == int((rois.labels > 0).sum())


def test_the_target_of_a_positive_is_its_object() -> None:
    trace = stepped()
    rois = trace.training.rois
    losses = roi_losses(rois)
    row = int((rois.labels > 0).nonzero()[0])
    groups = {g.name: g for g in roi_samples.selected_sample_groups(trace, rois, losses, row)}
    assert groups["its target"].boxes[0].tolist() == pytest.approx(OBJECTS[int(rois.matched[row])], abs=0.05)
    negative = int((rois.labels == 0).nonzero()[0])
    assert len(roi_samples.selected_sample_groups(trace, rois, losses, negative)) == 1


@pytest.mark.parametrize("by", ["class loss", "box loss", "sum"])
def test_worst_and_best_are_sorted_by_the_loss(by: roi_samples.Order) -> None:
    trace = stepped()
    rois = trace.training.rois
    losses = roi_losses(rois)
    rows = (rois.labels > 0).nonzero().flatten()
    worst = roi_sample_losses(losses, roi_samples.sample_order(losses, rows, by), by)
    assert worst == sorted(worst, reverse=True)
    best = roi_sample_losses(losses, roi_samples.sample_order(losses, rows, by, best=True), by)
    assert best == sorted(worst)
    table = roi_samples.roi_sample_table(trace, rois, losses, rows)
    assert table["class loss"].tolist() == pytest.approx([-np.log(p) for p in table["p"]], rel=1e-3)


def roi_sample_losses(losses: object, rows: torch.Tensor, by: str) -> list[float]:
    parts = {"class loss": losses.cls, "box loss": losses.box, "sum": losses.cls + losses.box}
    return parts[by][rows].tolist()


def test_the_bar_of_the_batch_adds_up_to_what_was_asked_for() -> None:
    quota = roi_samples.Quota(512, 0.25, 30, 200)
    figure = roi_samples.quota_figure(quota)
    assert {bar.name: bar.x[0] for bar in figure.data} == {
        "positives": 30,
        "negatives": 200,
        "not drawn": 282,
    }
    assert quota.asked == 128 and quota.share == pytest.approx(30 / 230)
    assert figure.layout.shapes[0].x0 == 128
    assert roi_samples.Quota(8, 0.25, 0, 0).share == 0


def test_the_confusion_shows_the_counts_of_the_categories_there_are() -> None:
    trace = stepped()
    confusion = roi_confusion(trace.training.rois)
    heat = confusion_figure(confusion, trace.categories).data[0]
    for name, counts, shares in zip(heat.y, heat.customdata, heat.z, strict=True):
        row = confusion[trace.categories.index(name)]
        assert list(counts) == [int(row[trace.categories.index(other)]) for other in heat.x]
        assert sum(shares) == pytest.approx(1 if int(row.sum()) else 0)
    assert sum(map(sum, heat.customdata)) == len(trace.training.rois.labels)


def test_histograms_of_targets_and_errors_count_every_positive() -> None:
    rois = stepped().training.rois
    losses, positives = roi_losses(rois), int((rois.labels > 0).sum())
    figure = delta_histograms(rois, losses)
    assert [bar.name for bar in figure.data[:2]] == ["dx target", "dx error"]
    assert [sum(bar.y) for bar in figure.data] == [positives] * 8
    widest = losses.error[:, 3].abs().max().item()
    error = figure.data[7]
    assert max(abs(x) for x, count in zip(error.x, error.y, strict=True) if count) == pytest.approx(
        widest, abs=error.width
    )
