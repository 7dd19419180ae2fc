"""Maps, cells, channels, activations and weights as figures, on real traces and on values made by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.models import random_image, shared_detector, single_map_detector

from detector import Detector, Trace, capture
from detector.models.weight_statistics import weight_statistics
from detector.tracing.activations import activation_statistics
from detector.tracing.receptive_field import receptive_fields
from viz_app.figures import activations, backbone_maps, weights
from viz_app.figures.backbone_maps import NamedMap, named_maps
from viz_app.figures.channel_sheet import ChannelSheet
from viz_app.figures.feature_maps import BROKEN, colorize, thumbnail

RESNET = "fasterrcnn_resnet50_fpn"
FRESH: dict[str, Callable[[], Detector]] = {"single map": single_map_detector}


@pytest.fixture(scope="module")
def trace() -> Trace:
    return capture(shared_detector(RESNET), random_image())  # 128 x 96 px, padded from 170 x 128 to 192 x 128


@pytest.fixture(scope="module")
def maps(trace: Trace) -> tuple[NamedMap, ...]:
    return named_maps(trace)


def test_maps_have_the_names_of_the_papers(maps: tuple[NamedMap, ...], trace: Trace) -> None:
    assert [one.label for one in maps] == ["C2", "C3", "C4", "C5", "P2", "P3", "P4", "P5", "P6"]
    assert [one.stride for one in maps[:4]] == [(4, 4), (8, 8), (16, 16), (32, 32)]
    assert [one.level for one in maps] == [None] * 4 + [0, 1, 2, 3, 4]
    assert all(one.values is trace.backbone.pyramid[one.key] for one in maps[4:])


def test_one_map_without_pyramid_is_a_c_and_equal_strides_are_told_apart() -> None:
    alone = named_maps(capture(single_map_detector(), random_image()))
    assert [(one.label, one.level) for one in alone] == [("C3", 0)]
    mobile = named_maps(capture(shared_detector("fasterrcnn_mobilenet_v3_large_fpn"), random_image()))
    assert [one.label for one in mobile] == ["C5 (0)", "C5 (1)", "P5 (0)", "P5 (1)", "P6"]


def test_a_trace_without_maps_names_none(trace: Trace) -> None:
    bare = dataclasses.replace(trace.backbone, body={}, pyramid={})
    assert named_maps(dataclasses.replace(trace, backbone=bare)) == ()


def test_a_cell_is_found_again_where_it_looks(trace: Trace, maps: tuple[NamedMap, ...]) -> None:
    for one in maps:
        for y in range(one.size[0]):
            for x in range(one.size[1]):
                point = backbone_maps.cell_centre(trace, one, (y, x))
                assert backbone_maps.cell_at(trace, one, point) == (y, x)
    assert backbone_maps.cell_at(trace, maps[0], (-50.0, 1e6)) == (31, 0)


def test_an_odd_number_of_cells_is_as_far_apart_as_its_anchors(
    trace: Trace, maps: tuple[NamedMap, ...]
) -> None:
    odd = dataclasses.replace(
        trace.backbone, body={}, pyramid={"0": torch.rand(2, 5, 7), "1": torch.rand(2, 3, 3)}
    )
    fine, coarse = named_maps(dataclasses.replace(trace, backbone=odd))  # 128 x 192 px
    assert (fine.stride, coarse.stride) == ((25, 27), (42, 64))


def test_cells_stand_where_their_anchors_are_centred(trace: Trace, maps: tuple[NamedMap, ...]) -> None:
    centres = (trace.to_image(trace.rpn.anchors)[:, :2] + trace.to_image(trace.rpn.anchors)[:, 2:]) / 2
    for index in range(0, len(centres), 97):
        level, y, x, _ = trace.rpn.cell_of(torch.tensor(index)).tolist()
        one = next(one for one in maps if one.level == level)
        assert backbone_maps.cell_centre(trace, one, (y, x)) == pytest.approx(
            centres[index].tolist(), abs=0.6
        )


def test_the_layer_paints_every_cell_around_its_place(trace: Trace, maps: tuple[NamedMap, ...]) -> None:
    one = maps[2]
    values = one.values.mean(dim=0)
    layer = backbone_maps.map_layer(trace, one, values, opacity=0.4).numpy()
    assert layer.shape == (96, 128, 4) and set(layer[..., 3].ravel()) == {102}
    colors = colorize(values)
    for y in range(one.size[0]):
        for x in range(one.size[1]):
            column, row = backbone_maps.cell_centre(trace, one, (y, x))
            if row < 96 and column < 128:
                assert np.array_equal(layer[int(row), int(column), :3], colors[y, x])


def test_values_that_are_not_finite_are_painted_as_broken() -> None:
    values = torch.zeros(4, 6)
    values[1, 2], values[0, 0], values[2, 3] = math.nan, math.inf, 5.0
    painted = colorize(values)
    assert tuple(painted[1, 2]) == tuple(painted[0, 0]) == BROKEN
    assert tuple(painted[2, 3]) == (253, 231, 37)  # the bright end of viridis
    assert {tuple(color) for color in colorize(torch.full((2, 2), math.nan)).reshape(-1, 3)} == {BROKEN}


def test_cell_and_field_are_drawn_in_the_image_frame(trace: Trace, maps: tuple[NamedMap, ...]) -> None:
    fields = receptive_fields(shared_detector(RESNET).model, (128, 192))
    one = maps[0]
    field, cell = backbone_maps.cell_groups(trace, one, (16, 20), one.field(fields))
    scale = torch.tensor([128 / 170, 96 / 128] * 2)
    torch.testing.assert_close(cell.boxes[0], torch.tensor([78.0, 62, 82, 66]) * scale)
    known = one.field(fields)
    assert known is not None
    torch.testing.assert_close(field.boxes[0], known.box(16, 20) * scale)
    assert "35 × 35 px, network frame" in field.hover[0]  # conv 7/2, pool 3/2, three 3 x 3 at stride 4
    assert [group.name for group in backbone_maps.cell_groups(trace, one, (0, 0), None)] == ["cell (0, 0)"]
    assert backbone_maps.cell_groups(trace, one, (31, 47), known) == []  # both lie in the padding
    edge = backbone_maps.cell_groups(trace, one, (31, 42), known)
    for x1, y1, x2, y2 in torch.cat([group.boxes for group in edge]).tolist():
        assert 0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 96
    assert len(edge) == 2


def test_one_place_on_every_map_is_looked_at_from_further_and_further_away(
    trace: Trace, maps: tuple[NamedMap, ...]
) -> None:
    fields = receptive_fields(shared_detector(RESNET).model, (128, 192))
    rows = backbone_maps.cells_table(trace, maps, (64.0, 48.0), fields).to_dict("records")
    assert [row["map"] for row in rows] == [one.label for one in maps]
    assert [row["cell y, x"] for row in rows[:4]] == ["16, 21", "8, 11", "4, 5", "2, 3"]
    assert rows[0]["receptive field, px"] == "35 × 35" and rows[1]["receptive field, px"] == "91 × 91"
    assert rows[4]["norm"] == pytest.approx(float(maps[4].values[:, 16, 21].norm()))
    unknown = backbone_maps.cells_table(trace, maps, (64.0, 48.0), None)
    assert set(unknown["receptive field, px"]) == {""}


@pytest.mark.parametrize("count", [1, 3, 13, 48, 60])
def test_each_channel_of_the_sheet_is_where_it_says(count: int) -> None:
    values = torch.rand((count, 4, 6), generator=torch.Generator().manual_seed(count))
    order = tuple(torch.randperm(count, generator=torch.Generator().manual_seed(1)).tolist())
    sheet = ChannelSheet(values, order)
    pixels = sheet.pixels()
    for channel, box in zip(order, sheet.boxes().int().tolist(), strict=True):
        x1, y1, x2, y2 = box
        assert sheet.channel_at(x1, y1) == sheet.channel_at(x2 - 0.5, y2 - 0.5) == channel
        assert sheet.channel_at(x2 + 1, y2 + 1) == channel  # the gap after it
        assert tuple(pixels[:, y1, x1].tolist()) == tuple(colorize(values[channel])[0, 0])
    assert pixels.shape[1:] == (sheet.boxes()[:, 3].max(), sheet.boxes()[:, 2].max())
    assert sheet.columns == {1: 1, 3: 3, 13: 13, 48: 16, 60: 20}[count]
    assert sheet.channel_at(-1, 0) is sheet.channel_at(0, -1) is sheet.channel_at(1e4, 0) is None
    assert sheet.channel_at(0, 1e4) is None
    assert sheet.groups(None) == [] and sheet.groups(count) == []
    assert torch.equal(sheet.groups(order[-1])[0].boxes[0], sheet.boxes()[-1])


def test_thumbnails_keep_every_cell_sharp() -> None:
    values = torch.rand((5, 8), generator=torch.Generator().manual_seed(0))
    small = thumbnail(values)
    assert small.shape == (160, 256, 3)
    assert np.array_equal(small[16::32, 16::32], colorize(values))


def test_dead_and_saturated_are_what_they_are_defined_as() -> None:
    values = torch.tensor([[[0.0, 0.0]], [[0.0, 6.0]], [[6.0, 5.0]], [[-5.94, 1.0]]])
    one = activation_statistics(values)
    assert one.shape == (4, 1, 2)
    assert (one.dead, one.zeros, one.saturated, one.non_finite) == (1 / 4, 3 / 8, 3 / 8, 0)
    assert (one.low, one.high) == (pytest.approx(-5.94), 6)
    noise = torch.randn((8, 32, 32), generator=torch.Generator().manual_seed(0)) * 6
    assert activation_statistics(noise.relu()).saturated < 0.001
    assert activation_statistics(torch.nn.functional.relu6(noise)).saturated > 0.1


def test_activations_that_are_not_finite_are_counted_and_left_out() -> None:
    one = activation_statistics(torch.tensor([[[math.nan, 2.0]], [[math.inf, 0.0]]]))
    assert (one.non_finite, one.high, one.mean, one.saturated) == (0.5, 2, 1, 0.25)
    broken = activation_statistics(torch.full((2, 1, 1), math.nan))
    assert broken.non_finite == 1 and math.isnan(broken.mean) and broken.dead == 0
    assert activation_statistics(torch.zeros(2, 1, 1)).saturated == 0


def test_histograms_of_all_stages_hold_all_values(maps: tuple[NamedMap, ...]) -> None:
    numbers = activations.all_statistics(maps)
    figure = activations.activation_histograms(maps, numbers)
    assert [bars.name for bars in figure.data] == [one.label for one in maps]
    assert [sum(bars.y) for bars in figure.data] == pytest.approx([1] * len(maps))
    titles = [note.text for note in figure.layout.annotations]
    assert any(f"<b>C5</b><br>dead {numbers[3].dead:.1%}" in title for title in titles)
    table = activations.activation_table(maps, numbers)
    assert table["map"].tolist() == [one.label for one in maps]
    assert table["zeros"].tolist()[0] == pytest.approx(float((maps[0].values == 0).double().mean()))


def test_a_map_of_one_cell_or_of_nan_has_figures_too(trace: Trace, maps: tuple[NamedMap, ...]) -> None:
    for values in (torch.ones(4, 1, 1), torch.full((4, 2, 3), math.nan)):
        one = dataclasses.replace(maps[8], values=values, stride=(128.0, 192.0))
        numbers = activations.all_statistics([one])
        assert len(activations.activation_histograms([one], numbers).data) == 1
        assert backbone_maps.cell_at(trace, one, (10.0, 10.0)) == (0, 0)
        assert activations.cell_values_figure(values, (0, 0), 2).data[0].x.tolist() == [0, 1, 2, 3]


def test_the_chosen_channel_stands_out_among_those_of_a_cell(maps: tuple[NamedMap, ...]) -> None:
    bars = activations.cell_values_figure(maps[4].values, (3, 5), 7).data[0]
    assert np.allclose(bars.y, maps[4].values[:, 3, 5].numpy())
    assert [index for index, color in enumerate(bars.marker.color) if color != bars.marker.color[0]] == [7]


def test_the_weight_table_shows_alerts_only_where_there_are_any() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    numbers = weight_statistics(model)
    assert "alert" not in weights.weight_table(numbers)
    assert weights.alert_words(numbers) == "None of 6 tensors has an alert."
    torch.nn.init.zeros_(model[0].weight)
    torch.nn.init.constant_(model[0].bias, math.nan)
    numbers = weight_statistics(model)
    assert weights.weight_table(numbers)["alert"].tolist()[:3] == ["all zero", "NaN or infinity", ""]
    assert weights.alert_words(numbers) == "2 of 6 tensors need a look: 1 all zero, 1 NaN or infinity."
    chart = weights.magnitude_figure(numbers, 4)
    assert [list(points.x) for points in chart.data] == [[2, 3, 4, 5], [0, 1], [4]]


@pytest.mark.parametrize(
    ("values", "entries"),
    [([1.0, -2, 3, 3], 4), ([5.0, 5, 5], 3), ([math.nan, 1, math.inf], 1), ([math.nan], 0)],
)
def test_the_weight_histogram_counts_every_finite_entry(values: list[float], entries: int) -> None:
    figure = weights.weight_histogram(torch.tensor(values), "conv.weight")
    assert sum(sum(bars.y) for bars in figure.data) == entries
    assert figure.layout.xaxis.title.text == "value of weight"


def test_tensors_belong_to_their_stage() -> None:
    assert weights.part_of("backbone.fpn.inner_blocks.0.0.weight") == "backbone.fpn"
    assert weights.part_of("rpn.head.conv.weight") == "rpn"
    assert weights.part_of("backbone.0.weight") == "backbone"
