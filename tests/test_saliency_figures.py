"""Saliency as pictures and as a section of a page: the right colour at the right place, whatever is asked."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from support.app import calm
from support.models import random_image, shared_detector, single_map_detector

from detector import Trace, capture
from detector.explaining.logits import ClassLogit, ObjectnessLogit
from detector.explaining.occlusion import OcclusionMap
from viz_app.app_pages import why_saliency_facts
from viz_app.figures import saliency as figures
from viz_app.figures.palette import ACCENT, SELECTED, VERMILLION, YELLOW, rgba

ABOUT = ClassLogit(torch.tensor([40.0, 30.0, 72.0, 60.0]), 1)


@pytest.fixture(scope="module")
def trace() -> Trace:
    """288 x 432 px of image on 128 x 192 px of network."""
    return capture(shared_detector("pyramid_per_class"), random_image(3, (288, 432)))


def test_heat_is_clear_at_zero_and_brightest_at_its_bound() -> None:
    values = torch.linspace(0, 1, 400).reshape(20, 20)
    layer = figures.heat_overlay(values, opacity=1.0)
    assert figures.heat_bound(values) == pytest.approx(0.995, abs=0.002)
    alpha = layer[..., 3].flatten().int()
    assert alpha[0] == 0 and alpha[-1] == 255
    assert bool((alpha[1:] >= alpha[:-1]).all())
    assert torch.equal(layer[-1, -1, :3], layer[-1, -2, :3])  # both over the bound
    nothing = figures.heat_overlay(torch.zeros(4, 5))
    assert not bool(nothing[..., 3].any())
    values[3, 3] = torch.nan
    assert figures.heat_overlay(values, opacity=1.0)[3, 3].tolist() == [213, 94, 0, 255]


def test_a_sign_is_a_colour_and_a_magnitude_is_its_strength() -> None:
    layer = figures.signed_overlay(torch.tensor([[-2.0, -0.5, 0.0, 0.5, 2.0, torch.nan]]), opacity=1.0)[0]
    assert [tuple(pixel) for pixel in layer[:, :3].tolist()] == [
        rgba(color)[0] for color in (ACCENT, ACCENT, VERMILLION, VERMILLION, VERMILLION, YELLOW)
    ]
    alpha = layer[:, 3].tolist()
    assert alpha[0] == alpha[4] == alpha[5] == 255 and alpha[2] == 0
    assert alpha[1] == alpha[3] and 0 < alpha[1] < 255
    assert not bool(figures.signed_overlay(torch.zeros(2, 2))[..., 3].any())


def test_a_pixel_shows_the_mean_of_the_patches_over_it() -> None:
    drops = torch.arange(6.0).reshape(2, 3) - 2
    found = OcclusionMap(
        ABOUT, 1.0, drops, torch.tensor([2, 5]), torch.tensor([1, 4, 7]), 5, (10, 12), (10, 12)
    )
    seen = figures.covering_map(found)
    for y in range(10):
        for x in range(12):
            over = [
                float(drops[row, column])
                for row, top in enumerate((2, 5))
                for column, left in enumerate((1, 4, 7))
                if top <= y < top + 5 and left <= x < left + 5
            ]
            assert float(seen[y, x]) == pytest.approx(sum(over) / len(over) if over else 0.0, abs=1e-6)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_cell_is_painted_around_its_point_on_the_small_picture(trace: Trace, level: int) -> None:
    rows, columns, _ = trace.rpn.grid[level]
    stride = trace.input.tensor.shape[-1] // columns
    y, x = 48 // stride, 64 // stride
    values = torch.zeros(rows, columns)
    values[y, x] = 1.0
    drawn = figures.level_picture(trace, values, 1.0, ABOUT)
    x1, y1, x2, y2 = figures.surroundings(trace, ABOUT).tolist()
    assert (x1, y1, x2, y2) == (8, 0, 104, 90)
    scale = max(drawn.shape[:2]) / (x2 - x1)
    painted = np.argwhere((drawn == rgba(VERMILLION)[0]).all(axis=2))
    low, high = painted.min(axis=0) / scale, (painted.max(axis=0) + 1) / scale
    for axis, (cell, first) in enumerate(((y, y1), (x, x1))):
        assert low[axis] == pytest.approx(max((cell - 0.5) * stride - first, 0), abs=1.2)
        assert high[axis] == pytest.approx(min((cell + 0.5) * stride - first, 96), abs=1.2)
    framed = np.argwhere((drawn == rgba(SELECTED)[0]).all(axis=2)) / scale
    assert framed.min(axis=0) == pytest.approx([30 - y1, 40 - x1], abs=1)
    assert framed.max(axis=0) == pytest.approx([60 - y1, 72 - x1], abs=1)


def test_the_surroundings_stay_in_the_image_and_the_levels_have_their_names(trace: Trace) -> None:
    outside = ClassLogit(torch.tensor([500.0, 500.0, 520.0, 530.0]), 1)
    assert figures.surroundings(trace, outside).tolist() == [0, 0, 192, 128]
    tiny = ClassLogit(torch.tensor([90.0, 60.0, 92.0, 62.0]), 1)
    assert figures.surroundings(trace, tiny).tolist() == [74, 44, 108, 78]
    levels = {name: torch.zeros(values.shape[1:]) for name, values in trace.backbone.pyramid.items()}
    assert list(figures.level_labels(trace, levels).values()) == ["P2", "P3", "P4"]
    anchor = figures.about_group(trace, ObjectnessLogit(5))
    assert bool((anchor.boxes >= 0).all()) and anchor.name == "the anchor"


def alone(model: str, ask: str) -> None:
    """The section alone on one random image; runs inside AppTest, which takes the source of this function alone."""
    import streamlit as st
    import torch
    from support.models import random_image, shared_detector, single_map_detector

    from detector import Replayer, capture
    from viz_app.app_pages.why_saliency import show_saliency
    from viz_app.scene import Scene

    if "replayer" not in st.session_state:
        detector = single_map_detector() if model == "single map" else shared_detector(model)
        st.session_state["replayer"] = Replayer(capture(detector, random_image(3)), detector)
    replayer = st.session_state["replayer"]
    scene = Scene(
        None if ask == "no model" else replayer.detector, replayer.trace, replayer, replayer.replay(), None
    )
    if ask == "anchor":
        show_saliency(scene, None, 12, 2)
    elif ask == "box":
        show_saliency(scene, None, None, 1, torch.tensor([20.0, 20.0, 60.0, 60.0]))
    elif ask == "nothing":
        show_saliency(scene, None, None, 1)
    else:
        show_saliency(scene, 7, None, None)


def open_section(model: str = "pyramid_per_class", ask: str = "slot") -> AppTest:
    app = AppTest.from_function(alone, default_timeout=300, kwargs={"model": model, "ask": ask})
    return calm(app.run())


def chooser(app: AppTest, what: str) -> Any:
    return next(one for one in app.segmented_control if f"why.saliency.{what}" in str(one.key))


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


@pytest.mark.parametrize(
    ("model", "levels"),
    [("pyramid_best_class", 3), ("fasterrcnn_resnet50_fpn", 5), ("single map", 1)],
)
def test_a_slot_is_asked_for_its_class_the_background_and_its_anchor(model: str, levels: int) -> None:
    app = open_section(model)
    detector = single_map_detector() if model == "single map" else shared_detector(model)
    trace = capture(detector, random_image(3))
    roi, slot_label = divmod(7, detector.num_classes - 1)
    name = detector.categories[slot_label + 1]
    assert chooser(app, "logit").options == [name, "background", "objectness"]
    for option, logit in (
        (name, trace.head.class_logits[roi, slot_label + 1]),
        ("background", trace.head.class_logits[roi, 0]),
        ("objectness", trace.rpn.objectness[trace.head.anchor[roi]]),
    ):
        chooser(app, "logit").set_value(option)
        calm(app.run())
        said = f"{float(logit):.2f}".replace("-", "−")
        assert f"logit **{said}**" in words(app)
    assert len(re.findall(r"\*\*[CP]\d\*\* \d+%", words(app))) == levels
    assert words(app).count(" 100%") == 1 and words(app).count(" 0%") == levels - 1
    assert not app.error


def test_covering_the_image_on_request_shows_what_that_does() -> None:
    app = open_section()
    assert "covered by a patch" not in words(app)
    next(one for one in app.button if "Occlusion" in one.label).click()
    calm(app.run())
    assert "covered by a patch" in words(app)
    chooser(app, "shown").set_value("gradient")
    calm(app.run())
    assert "covered by a patch" not in words(app) and "Bright:" in words(app)


def test_a_large_image_is_asked_on_request_and_then_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why_saliency_facts, "QUICK_PIXELS", 1000)
    app = open_section()
    assert "logit **" not in words(app)
    next(one for one in app.button if one.label == "Work out the gradient").click()
    for _ in range(2):
        assert "logit **" in words(calm(app.run()))
        assert "Work out the gradient" not in [one.label for one in app.button]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        ("anchor", "RoIAlign pools this RoI from P"),
        ("box", "RoIAlign pools this RoI from P"),
        ("no model", "This needs the model itself"),
        ("nothing", "no box is at hand"),
    ],
)
def test_it_asks_about_whatever_there_is(ask: str, sentence: str) -> None:
    app = open_section(ask=ask)
    assert sentence in words(app)
    assert bool(app.button) == (ask in ("anchor", "box"))
