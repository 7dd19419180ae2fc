"""The RPN's figures show the numbers of the trace: boxes, counts and colours, read back and compared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from support.models import random_image, shared_detector, single_map_detector
from support.oracles import iou
from torchvision.ops import box_iou

from detector import GroundTruth, ProposalFate, Replay, Replayer, Trace, capture
from detector.tracing.anchor_losses import anchor_terms, label_confusion, members_of, ranked, view_of
from detector.tracing.cells import Cell, cell_number
from detector.tracing.sampling import training_trace
from viz_app.figures import (
    anchors,
    palette,
    rpn,
    rpn_charts,
    rpn_coverage,
    rpn_duels,
    rpn_filter,
    rpn_losses,
    rpn_nearest,
    rpn_samples,
    rpn_tables,
)
from viz_app.figures.feature_maps import colorize
from viz_app.figures.picture import picture
from viz_app.links import Selected

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")
HEIGHT, WIDTH = 150, 210  # neither square nor a multiple of any stride: the network input is padded
OBJECTS = [[20.0, 30.0, 90.0, 110.0], [120.0, 40.0, 150.0, 75.0], [0.0, 0.0, 9.0, 9.0]]


@cache
def replayer_of(name: str = "pyramid_per_class") -> Replayer:
    detector = shared_detector(name)
    pixels = (
        torch.randint(0, 256, (3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1)).float() / 255
    )
    # The last object is a crowd region: nothing has to cover it.
    truth = GroundTruth(torch.tensor(OBJECTS), torch.tensor([1, 3, 1]), torch.tensor([False, False, True]))
    return Replayer(capture(detector, pixels, truth), detector)


@cache
def replayed(name: str = "pyramid_per_class") -> Replay:
    return replayer_of(name).replay()


@cache
def crowded() -> Replay:
    """Every step of the filter removes something."""
    replayer = replayer_of()
    knobs = replayer.trace.thresholds.replace(
        rpn_score=0.3, rpn_nms=0.5, rpn_pre_nms_top_n=300, rpn_post_nms_top_n=40
    )
    return replayer.replay(knobs)


@cache
def stepped(seed: int = 3) -> Trace:
    return training_trace(shared_detector("pyramid_per_class"), replayed().trace, seed)


def truth_of(replay: Replay) -> GroundTruth:
    assert replay.trace.ground_truth is not None
    return replay.trace.ground_truth


def drawn_boxes(figure: go.Figure, name: str) -> np.ndarray:
    """Boxes [n, 4] read back from the line trace called `name`."""
    trace = next(trace for trace in figure.data if trace.name == name)
    xs, ys = (np.asarray(values).reshape(-1, 6) for values in (trace.x, trace.y))
    return np.stack((xs[:, :5].min(1), ys[:, :5].min(1), xs[:, :5].max(1), ys[:, :5].max(1)), axis=1)


def decoded_by_hand(replay: Replay, anchor: int, *, clipped: bool = True) -> list[float]:
    """The box of one anchor, image frame, in plain arithmetic."""
    trace = replay.trace
    x1, y1, x2, y2 = trace.rpn.anchors[anchor].double().tolist()
    dx, dy, dw, dh = trace.rpn.deltas[anchor].double().tolist()
    width, height = x2 - x1, y2 - y1
    cx, cy = (x1 + x2) / 2 + dx * width, (y1 + y2) / 2 + dy * height
    w, h = width * np.exp(min(dw, 4.135166556742356)), height * np.exp(min(dh, 4.135166556742356))
    high, wide = trace.input.network_size
    xs, ys = [cx - w / 2, cx + w / 2], [cy - h / 2, cy + h / 2]
    if clipped:
        xs, ys = [min(max(x, 0), wide) for x in xs], [min(max(y, 0), high) for y in ys]
    return [xs[0] * WIDTH / wide, ys[0] * HEIGHT / high, xs[1] * WIDTH / wide, ys[1] * HEIGHT / high]


# --- anchors ---


def test_one_place_has_the_anchors_of_its_cell_on_every_level() -> None:
    trace = replayed().trace
    cell = Cell(0, 5, 7)
    every = anchors.cell_anchors(trace, cell)
    assert trace.rpn.level_of(every).unique().tolist() == [0, 1, 2]
    places = trace.rpn.cell_of(every)
    assert places[places[:, 0] == 0, 1:3].unique(dim=0).tolist() == [[5, 7]]
    # Stride 4 in the middle of strides 8 and 16: cell 5 of level 0 is at 20 px, next to 24 (or 16) and 16.
    assert places[places[:, 0] == 2, 1:3].unique(dim=0).tolist() == [[1, 2]]
    only = anchors.cell_anchors(trace, cell, 1)
    assert set(only.tolist()) < set(every.tolist()) and set(trace.rpn.level_of(only).tolist()) == {1}


def test_anchors_are_drawn_where_they_are_in_the_colours_of_their_levels() -> None:
    trace = replayed().trace
    every = anchors.cell_anchors(trace, Cell(1, 4, 4))
    groups = anchors.anchor_groups(trace, every, labels=True, items=True)
    assert [group.color for group in groups] == [palette.level_color(level) for level in range(3)]
    assert torch.equal(torch.cat([group.boxes for group in groups]), trace.to_image(trace.rpn.anchors[every]))
    assert [item for group in groups for item in group.items] == [
        Selected("anchor", index) for index in every.tolist()
    ]
    x1, y1, x2, y2 = trace.rpn.anchors[every[0]].tolist()
    assert [float(side) for side in groups[0].labels[0].split(" × ")] == pytest.approx([x2 - x1, y2 - y1])
    assert not anchors.anchor_groups(trace, every, labels=False, items=False)[0].items


def test_any_selection_leads_to_a_cell() -> None:
    trace = replayed().trace
    number = cell_number(trace.rpn, Cell(1, 2, 3))
    assert anchors.chosen_cell(trace, Selected("cell", number)) == Cell(1, 2, 3)
    anchor = int(anchors.cell_anchors(trace, Cell(2, 3, 4), 2)[1])
    for selected in (Selected("anchor", anchor), Selected("detection", anchor, 2)):
        assert anchors.chosen_cell(trace, selected) == Cell(2, 3, 4)
    for selected, middle in ((None, (WIDTH / 2, HEIGHT / 2)), (Selected("object", 1), (135.0, 57.5))):
        cell = anchors.chosen_cell(trace, selected)
        x1, y1, x2, y2 = trace.to_image(trace.rpn.anchors[anchors.cell_anchors(trace, cell, 0)[0]]).tolist()
        assert abs((x1 + x2) / 2 - middle[0]) <= 4 and abs((y1 + y2) / 2 - middle[1]) <= 4


@pytest.mark.parametrize("level", [0, 2])
def test_the_overlay_has_a_dot_at_every_centre_in_the_image_and_none_elsewhere(level: int) -> None:
    trace = replayed().trace
    painted = anchors.centres_overlay(trace, level).numpy()
    scale = painted.shape[1] / WIDTH
    boxes = rpn.anchors_of_level(trace, trace.to_image(trace.rpn.anchors), level)[:, :, 0].reshape(-1, 4)
    expected = np.zeros(painted.shape[:2], dtype=bool)
    pitch = scale * float(boxes[1, 0] - boxes[0, 0])
    for x1, y1, x2, y2 in boxes.tolist():
        x, y = (x1 + x2) / 2 * scale, (y1 + y2) / 2 * scale
        if round(x) < painted.shape[1] and round(y) < painted.shape[0]:
            assert painted[round(y), round(x), 3] == 255
        top, left = max(int(y - pitch / 4), 0), max(int(x - pitch / 4), 0)
        expected[top : int(y + pitch / 4) + 1, left : int(x + pitch / 4) + 1] = True
    assert not painted[~expected, 3].any()


def test_the_table_of_levels_counts_every_anchor_once() -> None:
    for trace in (replayed().trace, capture(single_map_detector(), random_image(2))):
        table = anchors.base_table(trace)
        assert sum(table["anchors"].tolist()) == len(trace.rpn.anchors)
        assert len(table) == len(trace.rpn.grid)
    # 16, 32 and 64 px in three shapes on the only map.
    assert table["√area, px"].tolist()[0].startswith("16–")
    assert table["per cell"].tolist() == [9]
    cell = anchors.cell_table(replayed(), anchors.cell_anchors(replayed().trace, Cell(0, 0, 0)))
    sides = [[float(side) for side in text.split(" × ")] for text in cell["w × h, px"]]
    assert [h / w for w, h in sides] == pytest.approx(cell["h : w"].tolist(), rel=0.05)


# --- what the head says ---


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", [None, 1])
def test_objectness_maps_hold_the_sigmoid_of_every_cell_in_the_image(name: str, kind: int | None) -> None:
    trace = replayed(name).trace
    high, wide = trace.input.network_size
    for level, (rows, columns, kinds) in enumerate(trace.rpn.grid):
        found = rpn.objectness_map(trace, level, kind)
        start = sum(trace.rpn.per_level[:level])
        for y in range(rows):
            for x in range(columns):
                first = start + (y * columns + x) * kinds
                x1, y1, x2, y2 = trace.rpn.anchors[first].tolist()
                inside = (x1 + x2) / 2 < wide and (y1 + y2) / 2 < high
                assert inside == (y < found.values.shape[0] and x < found.values.shape[1])
                if inside:
                    logits = trace.rpn.objectness[first : first + kinds]
                    expected = logits.max() if kind is None else logits[kind]
                    assert found.values[y, x] == pytest.approx(1 / (1 + np.exp(-float(expected))), abs=1e-6)


def test_the_heat_covers_the_image_and_each_cell_its_anchors_centre() -> None:
    trace = replayed().trace
    for level in range(len(trace.rpn.grid)):
        found = rpn.objectness_map(trace, level)
        assert (found.xs[0], found.xs[-1], found.ys[0], found.ys[-1]) == (0, WIDTH, 0, HEIGHT)
        centres = rpn.anchors_of_level(trace, trace.to_image(trace.rpn.anchors), level)[
            0, : len(found.xs) - 1, 0
        ]
        middle = (centres[:, 0] + centres[:, 2]).numpy() / 2
        assert ((found.xs[:-1] <= middle) & (middle <= found.xs[1:])).all()


def test_the_objectness_overlay_paints_every_pixel_in_the_colour_of_its_cell() -> None:
    trace = replayed().trace
    found = rpn.objectness_map(trace, 1)
    painted = rpn.objectness_overlay(trace, 1, opacity=0.4).numpy()
    assert painted.shape == (HEIGHT, WIDTH, 4)
    for y, x in ((0, 0), (HEIGHT - 1, WIDTH - 1), (17, 40), (33, 5)):
        row = int((found.ys[1:-1] <= y + 0.5).sum())
        column = int((found.xs[1:-1] <= x + 0.5).sum())
        value = torch.tensor(float(found.values[row, column]))
        assert np.array_equal(painted[y, x, :3], colorize(value.reshape(1, 1), 0, 1)[0, 0])
        assert painted[y, x, 3] == round(255 * 0.4 * (0.25 + 0.75 * float(value)))


@pytest.mark.parametrize("level", [None, 0, 2])
def test_top_anchors_are_the_strongest_of_their_level(level: int | None) -> None:
    replay = replayed()
    found = rpn.top_anchors(replay, 25, level)
    logits = replay.trace.rpn.objectness
    allowed = range(len(logits))
    if level is not None:
        start = sum(replay.trace.rpn.per_level[:level])
        allowed = range(start, start + replay.trace.rpn.per_level[level])
    assert set(found.tolist()) <= set(allowed)
    assert logits[found].tolist() == sorted((float(logits[index]) for index in allowed), reverse=True)[:25]


def test_anchors_are_dotted_moved_boxes_dashed_and_clipped_ones_solid() -> None:
    replay = replayed()
    chosen = rpn.top_anchors(replay, 1500)
    groups = rpn.top_groups(replay, chosen, ("anchors", "moved", "clipped"))
    figure = picture(replay.trace.input.pixels, groups)
    scale = np.array(
        [WIDTH / replay.trace.input.network_size[1], HEIGHT / replay.trace.input.network_size[0]] * 2
    )
    before = drawn_boxes(figure, "anchors")
    assert np.allclose(before, replay.trace.rpn.anchors[chosen].numpy() * scale, atol=1e-3)
    ends = {}
    for name, clipped in (("moved by their deltas", False), ("moved and clipped", True)):
        ends[name] = [decoded_by_hand(replay, anchor, clipped=clipped) for anchor in chosen.tolist()]
        assert np.allclose(drawn_boxes(figure, name), ends[name], atol=1e-3)
    lines = {trace.name: trace.line.dash for trace in figure.data if trace.mode == "lines"}
    assert [lines[name] for name in ("anchors", *ends)] == ["dot", "dash", "solid"]
    moved, clipped = (np.array(boxes) for boxes in ends.values())
    outside = int((np.abs(moved - clipped).max(axis=1) > 1e-3).sum())
    assert rpn.clipped_count(replay, chosen) == outside > 0
    assert [group.name for group in rpn.top_groups(replay, chosen)] == ["anchors", "moved and clipped"]


def test_the_histograms_count_every_anchor_and_every_proposal() -> None:
    replay = replayed()
    figures = rpn_charts.objectness_histogram(replay), rpn_charts.delta_histograms(replay)
    assert [len(figure.data) for figure in figures] == [2, 8]
    for bars in (*figures[0].data, *figures[1].data):
        known = bars.marker.color == palette.GREY
        assert sum(bars.y) == len(replay.proposals if known else replay.proposals.kept)


@pytest.mark.parametrize("place", range(4))
def test_the_histogram_of_a_delta_has_its_mean(place: int) -> None:
    replay = replayed()
    bars = rpn_charts.delta_histograms(replay).data[2 * place]
    mean = float((np.asarray(bars.x) * np.asarray(bars.y)).sum() / sum(bars.y))
    assert mean == pytest.approx(float(replay.trace.rpn.deltas[:, place].mean()), abs=bars.width / 2)


def test_places_are_the_corners_and_centres_of_the_boxes() -> None:
    boxes = torch.tensor([[1.0, 2.0, 11.0, 42.0], [5.0, 5.0, 6.0, 9.0]])
    figure = rpn_charts.places_figure(boxes, (50, 60))
    found = {trace.name: list(zip(trace.x, trace.y, strict=True)) for trace in figure.data}
    assert found == {
        "top-left corner": [(1, 2), (5, 5)],
        "bottom-right corner": [(11, 42), (6, 9)],
        "centre": [(6, 22), (5.5, 7)],
    }
    assert len(rpn_charts.places_figure(torch.zeros(0, 4), (50, 60)).data[0].x) == 0


# --- filters and duels ---


def test_fates_are_drawn_in_their_colours_with_what_was_kept_on_top() -> None:
    replay = replayed()
    groups = rpn_filter.fate_groups(replay, list(ProposalFate), limit=10_000)
    figure = picture(replay.trace.input.pixels, groups)
    counts = replay.proposals.counts()
    assert sum(len(group) for group in groups) == len(replay.proposals)
    for fate in ProposalFate:
        if counts[fate]:
            assert len(drawn_boxes(figure, palette.fate_words(fate))) == counts[fate]
    assert groups[-1].name == "kept" and groups[-1].color == "#0072B2"
    kept = replay.proposals.boxes[replay.proposals.kept]
    assert np.allclose(drawn_boxes(figure, "kept"), replay.trace.to_image(kept).numpy(), atol=1e-4)


def test_a_limit_keeps_the_strongest_of_a_fate() -> None:
    replay = replayed()
    found = rpn_filter.strongest(replay, ProposalFate.SUPPRESSED, 7)
    scores = replay.proposals.scores[replay.proposals.with_fate(ProposalFate.SUPPRESSED)]
    assert replay.proposals.scores[found].tolist() == scores.sort(descending=True).values[:7].tolist()


def test_each_step_leaves_what_a_filter_without_the_later_steps_would_keep() -> None:
    replay, replayer = crowded(), replayer_of()
    steps = {step.name: step for step in rpn_filter.filter_steps(replay)}
    assert list(steps) == ["top-n", "clip", "small", "score", "NMS", "limit"]
    knobs, roomy = replay.thresholds, 10_000
    for name, changes in (
        ("small", {"rpn_score": 0.0, "rpn_nms": 1.0, "rpn_post_nms_top_n": roomy}),
        ("score", {"rpn_nms": 1.0, "rpn_post_nms_top_n": roomy}),
        ("NMS", {"rpn_post_nms_top_n": roomy}),
        ("limit", {}),
    ):
        expected = replayer.proposals(knobs.replace(**changes)).kept
        assert sorted(steps[name].left.tolist()) == sorted(expected.tolist())
    for first, second in pairwise(steps.values()):
        assert set(second.left.tolist()) <= set(first.left.tolist())
        removed = 0 if second.fate is None else replay.proposals.counts()[second.fate]
        assert len(first.left) - len(second.left) == removed
    assert all(replay.proposals.counts()[fate] for fate in (ProposalFate.SUPPRESSED, ProposalFate.OVER_LIMIT))
    for step in steps.values():
        scores = replay.proposals.scores[step.left].tolist()
        assert scores == sorted(scores, reverse=True)


def test_a_step_is_drawn_over_what_it_removed_and_unclipped_before_the_clip() -> None:
    replay = crowded()
    steps = {step.name: step for step in rpn_filter.filter_steps(replay)}
    removed, left = rpn_filter.step_groups(replay, steps["NMS"], 10_000)
    assert (removed.name, removed.color) == ("suppressed", palette.fate_color(ProposalFate.SUPPRESSED))
    assert len(removed) == replay.proposals.counts()[ProposalFate.SUPPRESSED]
    assert left.items == rpn.anchor_items(replay.proposals.winners)
    for name, clipped in (("top-n", False), ("clip", True)):
        boxes = rpn_filter.step_groups(replay, steps[name], 30)[-1].boxes
        expected = [
            decoded_by_hand(replay, index, clipped=clipped) for index in steps[name].left[:30].tolist()
        ]
        assert np.allclose(boxes.numpy(), expected, atol=1e-3)


def test_score_floors_keep_fewer_the_higher_they_are() -> None:
    replay = replayed()
    found = rpn_filter.proposals_over(replayer_of(), replay, (0.0, 0.5, 1.0))
    scores = replay.proposals.scores
    assert all(
        bool((scores[kept] >= floor).all()) for kept, floor in zip(found, (0.0, 0.5, 1.0), strict=True)
    )
    assert len(found[0]) >= len(found[1]) >= len(found[2])
    assert torch.equal(found[0], replay.proposals.kept)
    assert [len(group) for group in rpn_filter.floor_groups(replay, found[0], 7)] == [7]
    assert rpn_filter.floor_groups(replay, found[2])[0].total == len(found[2])


def test_objects_can_be_selected_and_crowd_regions_cannot() -> None:
    group = rpn_filter.ground_truth_group(truth_of(replayed()), replayed().trace.categories)[0]
    assert group.items == (Selected("object", 0), Selected("object", 1), None)
    assert rpn_filter.ground_truth_group(None, ()) == []


def test_a_duel_names_a_stronger_kept_box_that_overlaps_over_the_threshold() -> None:
    replay = replayed()
    lost = replay.proposals.with_fate(ProposalFate.SUPPRESSED)[:20].tolist()
    for anchor in lost:
        found = rpn_duels.duel(replay, anchor)
        assert found is not None
        pair = replay.proposals.boxes[[anchor]], replay.proposals.boxes[[found.suppressor]]
        assert found.iou == pytest.approx(float(box_iou(*pair)))
        assert found.iou > replay.thresholds.rpn_nms - 1e-4
        assert found.gap >= 0
        assert found.suppressor in replay.proposals.winners.tolist()
    assert rpn_duels.duel(replay, int(replay.proposals.kept[0])) is None


def test_a_victory_holds_all_that_the_winner_suppressed_by_overlap_and_gap() -> None:
    replay = crowded()
    ledger = replay.proposals
    lost = ledger.with_fate(ProposalFate.SUPPRESSED)
    suppressors = ledger.suppressor_of(lost)
    for winner in suppressors.unique().tolist()[:12]:
        found = rpn_duels.victory(replay, winner)
        assert found is not None
        assert set(found.lost.tolist()) == set(lost[suppressors == winner].tolist())
        for index, overlap, gap in zip(found.lost, found.ious.tolist(), found.gaps.tolist(), strict=True):
            assert overlap == pytest.approx(iou(ledger.boxes[winner], ledger.boxes[index]), abs=1e-5)
            assert gap == pytest.approx(float(ledger.scores[winner] - ledger.scores[index])) and gap >= 0
        assert found.gaps.tolist() == sorted(found.gaps.tolist())
        # Seen from the loser it is the same duel.
        again = rpn_duels.victory(replay, int(found.lost[0]))
        assert again is not None and again.winner == winner
        table = rpn_duels.victory_table(replay, found)
        assert table["anchor"].tolist() == rpn_duels.victory_anchors(found).tolist()
        assert table["NMS"].tolist() == ["won"] + ["suppressed"] * len(found.lost)


def test_equal_scores_have_winners_and_no_gap() -> None:
    trace = replayed().trace
    tied = replace(trace, rpn=replace(trace.rpn, objectness=torch.zeros_like(trace.rpn.objectness)))
    replay = Replayer(tied, shared_detector("pyramid_per_class")).replay()
    lost = replay.proposals.with_fate(ProposalFate.SUPPRESSED)
    assert len(lost) > 0
    for loser in lost[:10].tolist():
        found = rpn_duels.victory(replay, loser)
        assert found is not None and loser in found.lost.tolist()
        assert found.gaps.tolist() == [0] * len(found.lost)
    left = [len(step.left) for step in rpn_filter.filter_steps(replay)]
    assert left == sorted(left, reverse=True) and left[-1] == len(replay.proposals.kept)


def test_a_duel_is_drawn_from_both_sides() -> None:
    replay = crowded()
    loser = int(replay.proposals.with_fate(ProposalFate.SUPPRESSED)[0])
    found = rpn_duels.victory(replay, loser)
    assert found is not None
    others, winner = rpn_duels.victory_groups(replay, found, loser)
    assert Selected("anchor", loser) not in others.items and len(others) == len(found.lost) - 1
    assert winner.items == (Selected("anchor", found.winner),)
    assert winner.labels == (f"won: IoU {float(found.ious[found.lost == loser][0]):.2f}",)
    (victims,) = rpn_duels.victory_groups(replay, found, found.winner)
    assert victims.items == rpn.anchor_items(found.lost)
    below = int(replay.proposals.with_fate(ProposalFate.BELOW_TOP_N)[0])
    assert rpn_duels.victory(replay, below) is None


# --- objects ---


@pytest.mark.parametrize("name", MODELS)
def test_coverage_falls_from_step_to_step_and_ends_at_the_proposals(name: str) -> None:
    replay = replayed(name)
    truth = replay.trace.ground_truth
    assert truth is not None
    steps = rpn_coverage.recall_steps(replay, truth)
    assert [step.boxes for step in steps[:2]] == [len(replay.trace.rpn.anchors)] * 2
    assert steps[-1].boxes == len(replay.proposals.kept)
    for first, second in pairwise(steps[1:]):
        assert (second.best <= first.best).all()
    kept = replay.trace.to_image(replay.proposals.boxes[replay.proposals.kept])
    expected = [max(float(box_iou(box[None], other[None])) for other in kept) for box in truth.boxes[:2]]
    assert steps[-1].best.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_recall_bars_add_up_to_the_objects_of_every_size() -> None:
    steps = [
        rpn_coverage.RecallStep("a", 9, torch.tensor([0.9, 0.5, 0.1])),
        rpn_coverage.RecallStep("b", 0, torch.zeros(3)),
    ]
    boxes = torch.tensor([[0.0, 0.0, 31.9, 32.0], [0.0, 0.0, 32.0, 32.0], [0.0, 0.0, 96.0, 96.0]])
    sizes = rpn_coverage.size_members(GroundTruth(boxes, torch.tensor([1, 1, 1])))
    assert {name: members.tolist() for name, members in sizes.items()} == {
        "small": [True, False, False], "medium": [False, True, False], "large": [False, False, True],
    }  # fmt: skip
    figure = rpn_coverage.recall_figure(steps, sizes, iou=0.5)
    assert [list(bars.x) for bars in figure.data] == [[1, 0], [1, 0], [0, 0], [1, 3]]
    table = rpn_coverage.recall_table(steps, sizes, iou=0.5)
    assert table["objects"].tolist() == ["2 of 3", "0 of 3"]
    assert table["large"].tolist() == ["0 of 1", "0 of 1"]
    assert "large" not in rpn_coverage.recall_table(steps, {**sizes, "large": torch.zeros(3).bool()})


def test_sizes_and_rows_leave_crowd_regions_out() -> None:
    replay = replayed()
    truth = truth_of(replay)
    assert sum(int(members.sum()) for members in rpn_coverage.size_members(truth).values()) == 2
    steps = rpn_coverage.recall_steps(replay, truth)
    table = rpn_coverage.coverage_table(steps, truth, replay.trace.categories)
    assert [name.split()[0] for name in table["object"]] == ["#0", "#1"]
    assert table["proposals"].tolist() == pytest.approx(steps[-1].best.tolist())


@pytest.mark.parametrize("name", MODELS)
def test_the_nearest_boxes_of_an_object_are_those_of_highest_overlap(name: str) -> None:
    replay = replayed(name)
    trace, ledger = replay.trace, replay.proposals
    box = truth_of(replay).boxes[1]
    found = rpn_nearest.nearest_to(replay, box)
    for members, boxes, ious in (
        (found.anchors, trace.rpn.anchors, found.anchor_ious),
        (found.proposals, ledger.boxes[ledger.kept], found.proposal_ious),
    ):
        expected = sorted((iou(other, box) for other in trace.to_image(boxes)), reverse=True)[:3]
        assert ious.tolist() == pytest.approx(expected, abs=1e-5)
        assert len(members) == 3
    assert set(found.proposals.tolist()) <= set(ledger.kept.tolist())
    groups = {group.name: group for group in rpn_nearest.nearest_groups(replay, found, box)}
    assert torch.equal(
        groups["anchors of the proposals"].boxes, trace.to_image(trace.rpn.anchors[found.proposals])
    )
    assert torch.equal(groups["closest proposals"].boxes, trace.to_image(ledger.boxes[found.proposals]))
    table = rpn_nearest.nearest_table(replay, found)
    assert table["anchor"].tolist() == rpn_nearest.nearest_anchors(found).tolist()


def test_nothing_is_near_where_there_is_no_proposal() -> None:
    replay = replayer_of().replay(replayed().thresholds.replace(rpn_score=1.0))
    found = rpn_nearest.nearest_to(replay, truth_of(replay).boxes[0])
    assert len(replay.proposals.kept) == len(found.proposals) == 0 < len(found.anchors)
    steps = rpn_coverage.recall_steps(replay, truth_of(replay))
    assert steps[-1].boxes == 0 and steps[-1].best.tolist() == [0, 0]
    assert len(rpn_nearest.nearest_table(replay, found)) == 3


def test_objects_are_green_or_red_by_their_overlap_inclusive() -> None:
    step = rpn_coverage.RecallStep("anchors", 5, torch.tensor([0.5, 0.49]))
    truth = truth_of(replayed())
    green, red = rpn_nearest.covered_groups(truth, replayed().trace.categories, step, iou=0.5)
    assert (green.color, red.color) == (palette.FOUND, palette.LOST)
    assert (green.items, red.items) == ((Selected("object", 0),), (Selected("object", 1),))
    assert red.labels == ("#1 0.49",)


def test_the_object_in_focus_is_the_selected_one_or_that_of_the_selected_anchor() -> None:
    replay = replayed()
    boxes = replay.trace.to_image(replay.proposals.boxes)
    best = int(box_iou(boxes, truth_of(replay).boxes[[1]]).argmax())
    assert rpn_nearest.focused_object(replay, Selected("anchor", best)) == 1
    assert rpn_nearest.focused_object(replay, Selected("object", 0)) == 0
    assert rpn_nearest.focused_object(replay, Selected("cell", 3)) is None
    assert rpn_nearest.focused_object(replay, None) is None


def test_rpn_tables_say_what_the_ledger_says() -> None:
    replay = replayed()
    levels = rpn_tables.level_table(replay)
    assert sum(levels["anchors"].tolist()) == len(replay.proposals)
    assert sum(levels["proposals"].tolist()) == len(replay.proposals.kept)
    assert (
        sum(levels["top-n"].tolist())
        == len(replay.proposals) - replay.proposals.counts()[ProposalFate.BELOW_TOP_N]
    )
    chosen = rpn.top_anchors(replay, 9)
    table = rpn_tables.anchor_table(replay, chosen)
    assert table["anchor"].tolist() == chosen.tolist()
    for row, anchor in zip(table.itertuples(), chosen.tolist(), strict=True):
        assert row.fate == palette.fate_words(ProposalFate(int(replay.proposals.fate[anchor])))
        assert row.objectness == float(replay.proposals.scores[anchor])
    x1, _, x2, _ = decoded_by_hand(replay, int(chosen[0]))
    scale = replay.trace.input.network_size[1] / WIDTH
    clipped = rpn_tables.delta_table(replay, int(chosen[0])).iloc[3]
    assert clipped["w"] == pytest.approx((x2 - x1) * scale, abs=1e-3)
    assert clipped["x"] == pytest.approx((x1 + x2) / 2 * scale, abs=1e-3)


# --- training ---


def test_drawn_anchors_are_where_they_are_and_targets_on_their_objects() -> None:
    step = stepped()
    view = view_of(step)
    shown = rpn_samples.SAMPLE_KINDS
    groups = {group.name: group for group in rpn_samples.sample_groups(step, shown)}
    for name, members in (
        ("drawn positives", view.anchors.positives),
        ("drawn negatives", view.anchors.negatives),
        ("rescued", view.anchors.rescued.nonzero().flatten()),
    ):
        assert torch.equal(groups[name].boxes, step.to_image(step.rpn.anchors[members]))
        assert groups[name].items == rpn.anchor_items(members)
    objects = truth_of(replayed()).boxes[view.anchors.matched[view.anchors.positives]]
    assert len(objects) > 0
    assert np.allclose(groups["targets"].boxes.numpy(), objects.numpy(), atol=0.05)
    counts = rpn_samples.label_counts(view)
    assert counts["positive"] + counts["negative"] + counts["ignored"] == len(step.rpn.anchors)
    assert groups["ignored"].total == counts["ignored"]


def test_the_table_of_the_batch_averages_to_the_losses() -> None:
    step = stepped()
    losses, table = view_of(step).losses, rpn_losses.loss_table(step, rpn_losses.drawn_by_loss(step))
    assert len(table) == len(view_of(step).anchors.positives) + len(view_of(step).anchors.negatives)
    assert np.mean(table["objectness loss"]) == pytest.approx(losses.rpn_cls, rel=1e-4)
    assert np.mean(table["box loss"]) == pytest.approx(losses.rpn_bbox, rel=1e-4)
    assert bool(table["drawn"].all())
    assert f"= **{losses.rpn_cls:.4f}**" in rpn_losses.loss_words(step)
    positives = [label != "negative" for label in table["label"]]
    assert positives == sorted(positives, reverse=True)


@pytest.mark.parametrize("positive", [True, False])
def test_the_worst_anchors_are_drawn_with_their_loss_and_targets_only_for_objects(positive: bool) -> None:
    step = stepped()
    terms = anchor_terms(step)
    worst = ranked(terms, members_of(view_of(step), positive=positive, drawn=False), "sum")[:5]
    groups = rpn_samples.loss_groups(step, worst, positive=positive)
    assert torch.equal(groups[0].boxes, step.to_image(step.rpn.anchors[worst]))
    assert groups[0].labels == tuple(f"{value:.2f}" for value in terms.of("sum")[worst].tolist())
    assert [group.name for group in groups[1:]] == (["predicted", "targets"] if positive else [])
    selected = rpn_samples.selected_sample_groups(step, int(worst[0]))
    assert ("its target" in [group.name for group in selected]) == positive


def test_the_scatter_holds_target_and_prediction_of_every_delta() -> None:
    step = stepped()
    positives = members_of(view_of(step), positive=True, drawn=False)
    figure = rpn_losses.target_scatter(step, positives, int(positives[0]))
    for place, name in enumerate(("dx", "dy", "dw", "dh")):
        points = next(trace for trace in figure.data if trace.name == name)
        assert np.allclose(points.x, view_of(step).anchors.targets[positives, place].numpy())
        assert np.allclose(points.y, step.rpn.deltas[positives, place].numpy())
        assert [color == palette.SELECTED for color in points.marker.color] == [
            index == int(positives[0]) for index in positives.tolist()
        ]


def test_the_confusion_shows_counts_and_shares_of_each_row() -> None:
    step = stepped()
    every = torch.arange(len(step.rpn.anchors))
    heat, letters = rpn_losses.confusion_figure(step, every).data
    counts = label_confusion(step, every)
    texts = [text.split("<br>")[0] for text in letters.text]
    assert texts == [f"{count:,}" for count in counts.flatten().tolist()]
    assert np.array_equal(heat.customdata, counts.numpy())
    for row in range(2):
        assert sum(heat.z[row]) == pytest.approx(1)
    empty = rpn_losses.confusion_figure(step, torch.zeros(0).long()).data[0]
    assert np.asarray(empty.z).sum() == 0
