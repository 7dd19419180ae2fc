"""The RPN's figures show the numbers of the trace: anchors, maps and deltas, read back and compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.models import random_image, single_map_detector
from support.rpn_scenes import HEIGHT, MODELS, WIDTH, decoded_by_hand, drawn_boxes, replayed

from detector import capture
from detector.tracing.cells import Cell, cell_number
from viz_app.figures import (
    anchors,
    palette,
    rpn,
    rpn_charts,
)
from viz_app.figures.feature_maps import colorize
from viz_app.figures.picture import picture
from viz_app.links import Selected

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
