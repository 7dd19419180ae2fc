"""Figures show the numbers of the trace: coordinates, counts and colours, read back and compared."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from detector import DetectionFate, ProposalFate
from viz_app.figures import (
    feature_maps,
    palette,
)
from viz_app.figures.picture import BoxGroup, box_path, legend_html, picture


def drawn_boxes(figure: go.Figure, name: str) -> np.ndarray:
    """Boxes [n, 4] read back from the line trace called `name`."""
    trace = next(trace for trace in figure.data if trace.name == name)
    xs, ys = (np.asarray(values).reshape(-1, 6) for values in (trace.x, trace.y))
    assert np.isnan(xs[:, 5]).all() and np.isnan(ys[:, 5]).all()
    return np.stack((xs[:, :5].min(1), ys[:, :5].min(1), xs[:, :5].max(1), ys[:, :5].max(1)), axis=1)


def decoded(data: str) -> np.ndarray:
    """A base64 JPEG as OpenCV reads it, uint8 [H, W, 3] in blue, green, red."""
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


# --- picture ---


def test_a_group_is_one_trace_with_its_boxes_and_its_looks() -> None:
    boxes = torch.tensor([[1.0, 2.0, 30.0, 40.0], [5.5, 6.0, 7.0, 8.25]])
    pixels = torch.zeros(3, 50, 60, dtype=torch.uint8)
    figure = picture(pixels, [BoxGroup(boxes, "two", palette.ACCENT, dash="dot", width=3)])
    assert len(figure.data) == 1
    assert np.array_equal(drawn_boxes(figure, "two"), boxes.double().numpy())
    assert (figure.data[0].line.color, figure.data[0].line.dash, figure.data[0].line.width) == (
        "#0072B2",
        "dot",
        3,
    )
    assert not figure.layout.shapes


def test_the_axes_are_the_images_pixels_at_equal_scale() -> None:
    figure = picture(torch.zeros(3, 50, 60, dtype=torch.uint8))
    assert tuple(figure.layout.xaxis.range) == (0, 60)
    assert tuple(figure.layout.yaxis.range) == (50, 0)
    assert figure.layout.yaxis.scaleanchor == "x"
    image = figure.layout.images[0]
    assert (image.x, image.y, image.sizex, image.sizey) == (0, 0, 60, 50)


def test_the_image_arrives_as_a_jpeg_of_the_same_colours() -> None:
    pixels = torch.zeros(3, 40, 64, dtype=torch.uint8)
    pixels[0, :, :32], pixels[2, :, 32:] = 230, 200
    figure = picture(pixels)
    kind, data = figure.layout.images[0].source.split(",")
    image = decoded(data)
    assert kind == "data:image/jpeg;base64"
    assert image.shape == (40, 64, 3)
    assert np.abs(image[20, 10].astype(int) - (0, 0, 230)).max() < 8  # OpenCV: blue, green, red
    assert np.abs(image[20, 50].astype(int) - (200, 0, 0)).max() < 8


def test_a_large_image_is_sent_smaller_but_keeps_its_pixel_axes() -> None:
    figure = picture(torch.zeros(3, 1000, 4000, dtype=torch.uint8))
    data = figure.layout.images[0].source.split(",")[1]
    image = decoded(data)
    assert image.shape == (400, 1600, 3)
    assert tuple(figure.layout.xaxis.range) == (0, 4000)


def test_the_pointer_finds_the_box_by_its_place_in_the_group() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 20.0], [30.0, 30.0, 40.0, 44.0]])
    group = BoxGroup(boxes, "two", palette.ACCENT, hover=("first", "second"), labels=("a", "b<i>"))
    figure = picture(torch.zeros(3, 50, 60, dtype=torch.uint8), [group])
    markers = figure.data[1]
    centres = {
        (float(x), float(y)): int(place)
        for x, y, place in zip(markers.x, markers.y, markers.customdata, strict=True)
    }
    assert centres[(5.0, 10.0)] == 0
    assert centres[(35.0, 37.0)] == 1
    assert set(markers.text[:5]) == {"first"} and set(markers.text[5:]) == {"second"}
    assert markers.marker.opacity == 0
    assert [(note.text, note.x, note.y) for note in figure.layout.annotations] == [
        ("a", 0, 0),
        ("b&lt;i&gt;", 30, 30),
    ]


def test_a_halo_lies_beneath_its_lines_and_empty_groups_are_left_out() -> None:
    box = torch.tensor([[1.0, 1.0, 5.0, 5.0]])
    groups = [
        BoxGroup(torch.zeros(0, 4), "none", palette.GREY),
        BoxGroup(box, "one", "#FFFFFF", halo="black"),
    ]
    figure = picture(torch.zeros(3, 9, 9, dtype=torch.uint8), groups)
    assert [trace.name for trace in figure.data] == ["one (halo)", "one"]
    assert figure.data[0].line.width > figure.data[1].line.width


def test_a_group_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"shape \(4,\); expected \[n, 4\]"):
        BoxGroup(torch.zeros(4), "flat", palette.ACCENT)
    with pytest.raises(ValueError, match="1 hover for 2 boxes of 'two'"):
        BoxGroup(torch.zeros(2, 4), "two", palette.ACCENT, hover=("only",))


def test_the_legend_names_and_counts_and_escapes() -> None:
    html = legend_html([BoxGroup(torch.zeros(1200, 4), "a <b>", palette.ORANGE, dash="dash")])
    assert "a &lt;b&gt; 1,200" in html
    assert "dashed #E69F00" in html
    html = legend_html([BoxGroup(torch.zeros(50, 4), "kept", palette.ACCENT, total=300)])
    assert "kept 50 of 300" in html
    html = legend_html([BoxGroup(torch.zeros(1, 4), "selected", palette.ACCENT, counted=False)])
    assert "selected</span>" in html


def test_a_path_of_no_boxes_is_empty() -> None:
    assert [len(values) for values in box_path(torch.zeros(0, 4))] == [0, 0]


# --- colours ---


def seen_by(color: str, matrix: np.ndarray) -> np.ndarray:
    """A colour as a dichromat sees it, CIE L*a*b*: Viénot, Brettel and Mollon 1999, on linear light."""
    rgb = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(matrix @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(np.maximum(xyz / (0.9505, 1.0, 1.089), 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


DICHROMATS = {
    "normal": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "deutan": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
}


@pytest.mark.parametrize("fates", [ProposalFate, DetectionFate])
@pytest.mark.parametrize("eye", DICHROMATS)
def test_fates_stay_apart_for_every_eye(fates: type[ProposalFate] | type[DetectionFate], eye: str) -> None:
    seen = [seen_by(palette.fate_color(fate), DICHROMATS[eye]) for fate in fates]
    gaps = [np.linalg.norm(a - b) for place, a in enumerate(seen) for b in seen[:place]]
    assert min(gaps) > 10  # a difference of 2.3 is just seen when colours touch


@pytest.mark.parametrize("eye", DICHROMATS)
def test_detections_false_positives_and_lost_objects_stay_apart(eye: str) -> None:
    colors = (palette.DETECTION, palette.FALSE_POSITIVE, palette.LOST, palette.GROUND_TRUTH)
    seen = [seen_by(color, DICHROMATS[eye]) for color in colors]
    gaps = [np.linalg.norm(a - b) for place, a in enumerate(seen) for b in seen[:place]]
    assert min(gaps) > 20


def test_the_same_fate_has_the_same_colour_in_both_filters() -> None:
    assert palette.fate_color(ProposalFate.KEPT) == palette.ACCENT
    for name in ("KEPT", "TOO_SMALL", "LOW_SCORE", "SUPPRESSED", "OVER_LIMIT"):
        assert palette.fate_color(ProposalFate[name]) == palette.fate_color(DetectionFate[name])


# --- feature maps ---


def test_reductions_over_channels() -> None:
    maps = torch.tensor([[[3.0, -1.0]], [[-4.0, 2.0]]])
    assert feature_maps.reduce_channels(maps, "mean").tolist() == [[-0.5, 0.5]]
    assert feature_maps.reduce_channels(maps, "max").tolist() == [[3.0, 2.0]]
    assert feature_maps.reduce_channels(maps, "energy").flatten().tolist() == pytest.approx(
        [12.5**0.5, 2.5**0.5]
    )
    assert feature_maps.channels_by_energy(maps).tolist() == [1, 0]


def lightness(colors: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(colors.astype(np.float32)[None] / 255, cv2.COLOR_RGB2Lab)[0, :, 0]


def test_colours_of_a_map_get_lighter_with_the_value_in_even_steps() -> None:
    steps = np.diff(lightness(feature_maps.colorize(torch.linspace(0, 1, 33)[None])[0]))
    assert (steps > 0).all()
    assert steps.max() < 1.6 * steps.mean()


def test_colours_can_have_given_ends_and_a_flat_map_has_one_colour() -> None:
    wide = feature_maps.colorize(torch.tensor([[0.5]]), low=0, high=1)
    assert np.array_equal(wide, feature_maps.colorize(torch.tensor([[0.0, 0.5, 1.0]]))[:, 1:2])
    assert len(np.unique(feature_maps.colorize(torch.full((4, 4), 7.0)).reshape(-1, 3), axis=0)) == 1


def test_an_overlay_cuts_the_padding_off_and_stretches_the_rest_over_the_image() -> None:
    pixels = torch.zeros(3, 60, 80, dtype=torch.uint8)
    values = torch.tensor([[0.0, 1.0, 5.0], [2.0, 3.0, 5.0]])  # the last column is padding
    covered = feature_maps.covered_by_image((64, 64), (3, 64, 96))
    assert covered == (1.0, pytest.approx(2 / 3))
    image = feature_maps.overlay(pixels, values, covered, opacity=1.0)
    colors = feature_maps.colorize(values)
    assert image.shape == (60, 80, 3)
    for (y, x), (row, column) in {(5, 5): (0, 0), (5, 75): (0, 1), (55, 5): (1, 0), (55, 75): (1, 1)}.items():
        assert np.array_equal(image[y, x], colors[row, column])
    assert np.array_equal(feature_maps.overlay(pixels, values, covered, opacity=0.0), np.zeros((60, 80, 3)))


def test_a_grid_shows_each_channel_in_its_place() -> None:
    maps = torch.rand(5, 7, 7, generator=torch.Generator().manual_seed(0))
    grid = feature_maps.channel_grid(maps, torch.tensor([4, 0, 2]), columns=2, cell=14)
    assert grid.shape == (29, 29, 4)
    assert np.array_equal(grid[1:14:2, 1:14:2, :3], feature_maps.colorize(maps[4]))
    assert np.array_equal(grid[16:29:2, 1:14:2, :3], feature_maps.colorize(maps[2]))
    assert (grid[:, 14, 3] == 0).all() and (grid[15:, 15:, 3] == 0).all()
    assert (grid[:14, :14, 3] == 255).all()


def test_a_cell_heatmap_keeps_every_value() -> None:
    values = torch.randn(7, 7, generator=torch.Generator().manual_seed(2))
    assert np.array_equal(feature_maps.cell_heatmap(values).data[0].z, values.numpy())
