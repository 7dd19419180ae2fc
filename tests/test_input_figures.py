"""The input as figures: frames, padding, normalisation and its undoing, on real traces of several models."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.models import build_detector, random_image, random_truth, shared_detector

from detector import Detector, GroundTruth, Trace, capture
from viz_app.figures import input_image as figures
from viz_app.figures.input_image import InputRules
from viz_app.links import Selected

NAME = "maskrcnn_resnet50_fpn"  # resizes 128 x 96 px to 170 x 128 and pads to 192 x 128


@pytest.fixture(scope="module")
def detector() -> Detector:
    return shared_detector(NAME)


@pytest.fixture(scope="module")
def trace(detector: Detector) -> Trace:
    return capture(detector, random_image(), random_truth())


@pytest.fixture(scope="module")
def rules(detector: Detector) -> InputRules:
    return InputRules.from_detector(detector)


def test_the_rules_are_those_of_the_model(rules: InputRules) -> None:
    assert rules == InputRules((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 128, 192, None, 32)
    fixed = build_detector("pyramid_per_class")
    fixed.model.transform.fixed_size = (160, 96)  # torchvision: (width, height)
    assert InputRules.from_detector(fixed).fixed_size == (96, 160)
    assert InputRules.from_detector(fixed).min_size is None
    assert capture(fixed, random_image()).input.network_size == (96, 160)
    fixed.model.transform.fixed_size, fixed.model.transform._skip_resize = None, True
    assert InputRules.from_detector(fixed).max_size is None


def test_factors_and_padding_are_told_apart(trace: Trace) -> None:
    assert trace.input.network_size == (128, 170)
    assert figures.factors(trace) == (128 / 96, 170 / 128)
    assert figures.padding(trace) == (0, 22)
    edge = figures.padding_groups(trace)[0].boxes.tolist()
    assert edge == [[0, 0, 170, 128]]


def test_without_padding_nothing_is_marked() -> None:
    trace = capture(shared_detector("pyramid_per_class"), random_image(0, (128, 128)))
    assert figures.padding(trace) == (0, 0)
    assert figures.padding_groups(trace) == []


def test_the_normalisation_undone_is_the_resized_image(trace: Trace, rules: InputRules) -> None:
    expected = F.interpolate(random_image()[None], size=(128, 170), mode="bilinear")[0]
    found = figures.turned_back(trace, rules)
    assert found.shape == (3, 128, 170)
    # torchvision normalises before it resizes; both are linear.
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_network_picture_shows_the_image_and_stripes_the_padding(trace: Trace, rules: InputRules) -> None:
    values = figures.turned_back(trace, rules)
    picture = figures.network_picture(values, trace.input.tensor.shape)
    assert picture.shape == (3, 128, 192) and picture.dtype == torch.uint8
    assert torch.equal(picture[:, :, :170], (values * 255).round().clamp(0, 255).to(torch.uint8))
    padding = picture[:, :, 170:]
    assert len(padding.unique()) == 2 and torch.equal(padding[0], padding[2])


def test_objects_have_their_boxes_in_both_frames(trace: Trace) -> None:
    truth = trace.ground_truth
    assert truth is not None
    inside, outside = figures.truth_groups(trace, "network")[0], figures.truth_groups(trace, "image")[0]
    assert torch.equal(outside.boxes, truth.boxes)
    factor_y, factor_x = figures.factors(trace)
    torch.testing.assert_close(inside.boxes, truth.boxes * torch.tensor([factor_x, factor_y] * 2))
    assert inside.items == outside.items == tuple(Selected("object", index) for index in range(4))
    assert all("network frame" in text for text in inside.hover)
    assert outside.labels[0] == f"#0 {trace.categories[int(truth.labels[0])]}"
    table = figures.object_frames_table(trace)
    assert len(table) == 4
    assert table["image frame, px"].tolist()[0] != table["network frame, px"].tolist()[0]


@pytest.mark.parametrize("truth", [None, GroundTruth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))])
def test_without_objects_no_box_is_drawn(trace: Trace, truth: GroundTruth | None) -> None:
    assert figures.truth_groups(dataclasses.replace(trace, ground_truth=truth), "image") == []


def test_the_channel_table_holds_the_numbers_of_a_slow_count(trace: Trace, rules: InputRules) -> None:
    rows = figures.channel_table(trace, rules).to_dict("records")
    assert [row["channel"] for row in rows] == ["red", "green", "blue"]
    part = trace.input.tensor[:, :128, :170].double().numpy()
    for index, row in enumerate(rows):
        assert row["mean of the image"] == pytest.approx(trace.input.pixels[index].double().mean() / 255)
        assert (row["minus"], row["divided by"]) == (rules.mean[index], rules.std[index])
        assert row["mean"] == pytest.approx(part[index].mean(), abs=1e-5)
        assert row["std"] == pytest.approx(part[index].std(), abs=1e-5)
        assert (row["lowest"], row["highest"]) == pytest.approx((part[index].min(), part[index].max()))


def test_histograms_share_out_all_pixels_of_the_image_and_none_of_the_padding(trace: Trace) -> None:
    for figure in (figures.file_histogram(trace), figures.normalised_histogram(trace)):
        assert [line.name for line in figure.data] == ["red", "green", "blue"]
        assert [sum(line.y) for line in figure.data] == pytest.approx([1, 1, 1])
        assert figure.layout.xaxis.title.text and figure.layout.yaxis.title.text
    values = trace.input.tensor[:, :128, :170]
    red = figures.normalised_histogram(trace).data[0]
    counts, _ = np.histogram(values[0].numpy(), 64, (float(values.min()), float(values.max())))
    assert np.abs(np.array(red.y) * values[0].numel() - counts).max() <= 2  # edges of bins round differently


def test_values_that_are_not_finite_leave_the_rest_to_see(trace: Trace, rules: InputRules) -> None:
    tensor = trace.input.tensor.clone()
    tensor[0, :5] = float("nan")
    broken = dataclasses.replace(trace, input=dataclasses.replace(trace.input, tensor=tensor))
    assert sum(figures.normalised_histogram(broken).data[1].y) == pytest.approx(1)
    picture = figures.network_picture(figures.turned_back(broken, rules), tensor.shape)
    assert int(picture[0, :5, :170].max()) == 0


@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_a_pixel_is_told_with_what_the_network_gets_of_it(trace: Trace, share: float) -> None:
    height, width = trace.input.image_size
    words = figures.pixel_words(trace, share * width, share * height)
    column, row = int(share * width), int(share * height)
    red, green, blue = trace.input.pixels[:, row, column].tolist()
    assert f"Pixel ({column}, {row}): red {red}, green {green}, blue {blue}." in words
    given = trace.input.tensor[:, int(share * 128), int(share * 170)].tolist()
    assert ", ".join(f"{value:+.2f}" for value in given) in words
