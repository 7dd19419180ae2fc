"""Figures show the numbers of the trace: coordinates, counts and colours, read back and compared."""

from __future__ import annotations

import base64
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from support.models import shared_detector
from torch import Tensor
from torchvision.ops import box_iou

from detector import DetectionFate, GroundTruth, ProposalFate, Replay, Replayer, capture
from detector.tracing.sampling import training_view
from viz_app.figures import (
    feature_maps,
    full_network,
    module_tree,
    palette,
    rpn,
    rpn_filter,
    rpn_samples,
    rpn_tables,
)
from viz_app.figures.feature_maps import colorize
from viz_app.figures.picture import BoxGroup, box_path, legend_html, picture

MODELS = ("pyramid_best_class", "pyramid_per_class", "fasterrcnn_mobilenet_v3_large_fpn")
HEIGHT, WIDTH = 150, 210  # neither square nor a multiple of any stride: the network input is padded


@cache
def replayed(name: str = "pyramid_per_class") -> Replay:
    detector = shared_detector(name)
    pixels = (
        torch.randint(0, 256, (3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1)).float() / 255
    )
    truth = GroundTruth(
        torch.tensor([[20.0, 30.0, 90.0, 110.0], [120.0, 40.0, 150.0, 75.0]]), torch.tensor([1, 3])
    )
    trace = capture(detector, pixels, truth)
    return Replayer(trace, detector).replay()


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


def decoded_by_hand(replay: Replay, anchor: int) -> list[float]:
    """The clipped box of one anchor, image frame, in plain arithmetic."""
    trace = replay.trace
    x1, y1, x2, y2 = trace.rpn.anchors[anchor].double().tolist()
    dx, dy, dw, dh = trace.rpn.deltas[anchor].double().tolist()
    width, height = x2 - x1, y2 - y1
    cx, cy = (x1 + x2) / 2 + dx * width, (y1 + y2) / 2 + dy * height
    w, h = width * np.exp(min(dw, 4.135166556742356)), height * np.exp(min(dh, 4.135166556742356))
    high, wide = trace.input.network_size
    scale_x, scale_y = WIDTH / wide, HEIGHT / high
    xs = [min(max(x, 0), wide) * scale_x for x in (cx - w / 2, cx + w / 2)]
    ys = [min(max(y, 0), high) * scale_y for y in (cy - h / 2, cy + h / 2)]
    return [xs[0], ys[0], xs[1], ys[1]]


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


# --- RPN ---


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


def test_anchors_are_dotted_and_their_decoded_boxes_solid() -> None:
    replay = replayed()
    anchors = rpn.top_anchors(replay, 6)
    figure = picture(replay.trace.input.pixels, rpn.top_groups(replay, anchors))
    before, after = drawn_boxes(figure, "anchors"), drawn_boxes(figure, "moved by their deltas")
    scale = np.array(
        [WIDTH / replay.trace.input.network_size[1], HEIGHT / replay.trace.input.network_size[0]] * 2
    )
    assert np.allclose(before, replay.trace.rpn.anchors[anchors].numpy() * scale, atol=1e-3)
    assert np.allclose(after, [decoded_by_hand(replay, anchor) for anchor in anchors.tolist()], atol=1e-3)
    lines = {trace.name: trace.line.dash for trace in figure.data if trace.mode == "lines"}
    assert (lines["anchors"], lines["moved by their deltas"]) == ("dot", "solid")


def test_the_histogram_counts_every_anchor_and_every_proposal() -> None:
    replay = replayed()
    figure = rpn.objectness_histogram(replay)
    assert sum(figure.data[0].y) == len(replay.proposals)
    assert sum(figure.data[1].y) == len(replay.proposals.kept)
    assert [bar.marker.color for bar in figure.data] == [palette.GREY, palette.ACCENT]


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


def test_a_duel_names_a_stronger_kept_box_that_overlaps_over_the_threshold() -> None:
    replay = replayed()
    lost = replay.proposals.with_fate(ProposalFate.SUPPRESSED)[:20].tolist()
    for anchor in lost:
        found = rpn_filter.duel(replay, anchor)
        assert found is not None
        pair = replay.proposals.boxes[[anchor]], replay.proposals.boxes[[found.suppressor]]
        assert found.iou == pytest.approx(float(box_iou(*pair)))
        assert found.iou > replay.thresholds.rpn_nms - 1e-4
        assert found.gap >= 0
        assert found.suppressor in replay.proposals.winners.tolist()
    assert rpn_filter.duel(replay, int(replay.proposals.kept[0])) is None


@pytest.mark.parametrize("name", MODELS)
def test_coverage_falls_from_step_to_step_and_ends_at_the_proposals(name: str) -> None:
    replay = replayed(name)
    truth = replay.trace.ground_truth
    assert truth is not None
    steps = rpn_filter.recall_steps(replay, truth)
    assert [step.boxes for step in steps[:2]] == [len(replay.trace.rpn.anchors)] * 2
    assert steps[-1].boxes == len(replay.proposals.kept)
    for first, second in pairwise(steps[1:]):
        assert (second.best <= first.best).all()
    kept = replay.trace.to_image(replay.proposals.boxes[replay.proposals.kept])
    expected = [max(float(box_iou(box[None], other[None])) for other in kept) for box in truth.boxes]
    assert steps[-1].best.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_recall_bars_add_up_to_the_objects() -> None:
    steps = [
        rpn_filter.RecallStep("a", 9, torch.tensor([0.9, 0.5, 0.1])),
        rpn_filter.RecallStep("b", 0, torch.zeros(3)),
    ]
    figure = rpn_filter.recall_figure(steps, iou=0.5)
    assert list(figure.data[0].x) == [2, 0]
    assert list(figure.data[1].x) == [1, 3]
    assert list(figure.data[0].text) == ["2 of 3", "0 of 3"]


def test_rpn_tables_say_what_the_ledger_says() -> None:
    replay = replayed()
    levels = rpn_tables.level_table(replay)
    assert sum(levels["anchors"].tolist()) == len(replay.proposals)
    assert sum(levels["proposals"].tolist()) == len(replay.proposals.kept)
    assert (
        sum(levels["top-n"].tolist())
        == len(replay.proposals) - replay.proposals.counts()[ProposalFate.BELOW_TOP_N]
    )
    anchors = rpn.top_anchors(replay, 9)
    table = rpn_tables.anchor_table(replay, anchors)
    assert table["anchor"].tolist() == anchors.tolist()
    for row, anchor in zip(table.itertuples(), anchors.tolist(), strict=True):
        assert row.fate == palette.fate_words(ProposalFate(int(replay.proposals.fate[anchor])))
        assert row.objectness == float(replay.proposals.scores[anchor])
    x1, _, x2, _ = decoded_by_hand(replay, int(anchors[0]))
    scale = replay.trace.input.network_size[1] / WIDTH
    clipped = rpn_tables.delta_table(replay, int(anchors[0])).iloc[3]
    assert clipped["w"] == pytest.approx((x2 - x1) * scale, abs=1e-3)
    assert clipped["x"] == pytest.approx((x1 + x2) / 2 * scale, abs=1e-3)


def test_sampled_anchors_are_drawn_where_they_are_and_targets_on_their_objects() -> None:
    replay = replayed()
    trace = replay.trace
    view = training_view(shared_detector("pyramid_per_class"), trace, seed=3)
    shown = ("positives", "targets", "negatives", "rescued", "ignored")
    figure = picture(trace.input.pixels, rpn_samples.sample_groups(trace, view, shown))
    for name, members in (
        ("sampled positives", view.anchors.positives),
        ("sampled negatives", view.anchors.negatives),
    ):
        expected = trace.to_image(trace.rpn.anchors[members]).numpy()
        assert np.allclose(drawn_boxes(figure, name), expected, atol=1e-3)
    assert trace.ground_truth is not None
    objects = trace.ground_truth.boxes[view.anchors.matched[view.anchors.positives]].numpy()
    assert len(objects) > 0
    assert np.allclose(drawn_boxes(figure, "targets"), objects, atol=0.05)
    counts = rpn_samples.label_counts(view)
    assert counts["positive"] + counts["negative"] + counts["ignored"] == len(trace.rpn.anchors)
    table = rpn_tables.sample_table(replay, view)
    assert len(table) == len(view.anchors.positives) + len(view.anchors.negatives)
    assert sum(table["objectness loss"].tolist()) == pytest.approx(view.losses.rpn_cls, rel=1e-4)
    assert sum(table["box loss"].tolist()) == pytest.approx(view.losses.rpn_bbox, rel=1e-4)


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


# --- full network ---


def test_detections_beside_ground_truth_in_their_colours() -> None:
    replay = replayed()
    assert len(replay.labels) > 3
    figure = full_network.overview_picture(replay, lost=[1], false=[0, 2])
    lines = {trace.name: trace.line for trace in figure.data if trace.mode == "lines"}
    assert (lines["lost"].color, lines["lost"].dash) == (palette.LOST, "dash")
    assert (lines["ground truth"].color, lines["ground truth"].dash) == ("#FFFFFF", "dash")
    assert lines["false positives"].color == palette.ORANGE
    assert lines["detections"].color == palette.ACCENT
    truth = replay.trace.ground_truth
    assert truth is not None
    assert np.allclose(drawn_boxes(figure, "lost"), truth.boxes[[1]].numpy())
    assert np.allclose(drawn_boxes(figure, "ground truth"), truth.boxes[[0]].numpy())
    assert np.allclose(drawn_boxes(figure, "false positives"), replay.boxes[[0, 2]].numpy(), atol=1e-4)
    assert len(drawn_boxes(figure, "detections")) == len(replay.labels) - 2


@pytest.mark.parametrize("name", [*MODELS, "maskrcnn_resnet50_fpn"])
def test_the_module_tree_counts_every_parameter_once(name: str) -> None:
    replay = replayed(name)
    model = shared_detector(name).model
    rows = module_tree.module_rows(shared_detector(name), replay)
    total = sum(value.numel() for value in model.parameters())
    assert sum(row.parameters for row in rows if row.depth == 0) == total
    outputs = {row.name: row.output for row in rows}
    rois, embedding = replay.head.embedding.shape if isinstance(replay.head.embedding, Tensor) else (0, 0)
    assert outputs["roi_heads.box_head"] == f"{rois} × {embedding}"
    assert outputs["rpn"] == f"{len(replay.proposals.kept):,} proposals"
    assert ("roi_heads.mask_predictor" in outputs) == name.startswith("maskrcnn")
    table = module_tree.module_table(rows)
    assert sum(table["share"][[row.depth == 0 for row in rows]].tolist()) == pytest.approx(1)
