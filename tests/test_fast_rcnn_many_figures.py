"""The second stage's figures of all RoIs and of the training samples show the numbers of the trace."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from support.models import shared_detector
from support.oracles import iou
from support.roi_scenes import HEIGHT, MODELS, OBJECTS, WIDTH, replayed

from detector import Replay, Trace
from detector.tracing.projection import principal_plane
from detector.tracing.roi_losses import roi_confusion, roi_losses
from detector.tracing.roi_origins import roi_origins
from detector.tracing.sampling import training_trace
from viz_app.figures import (
    embedding_map,
    fast_rcnn,
    palette,
    roi_levels,
    roi_refinement,
    roi_samples,
)
from viz_app.figures.feature_maps import colorize
from viz_app.figures.roi_batch import confusion_figure, delta_histograms
from viz_app.figures.roi_heat import iou_map, iou_overlay, object_ious
from viz_app.links import Selected


@cache
def stepped(name: str = "pyramid_per_class") -> Trace:
    return training_trace(shared_detector(name), replayed(name).trace, 3)


def scaled(boxes: torch.Tensor, replay: Replay) -> np.ndarray:
    """Network frame to image frame, in plain arithmetic."""
    high, wide = replay.trace.input.network_size
    return boxes.double().numpy() * np.array([WIDTH / wide, HEIGHT / high] * 2)


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
