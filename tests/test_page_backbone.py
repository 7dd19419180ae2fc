"""The Input & backbone page: every view in the real app and on models of other kinds, clicks, links, odd maps."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from support.app import calm, counts, open_app, said
from support.browser import PATIENCE_MS
from support.browser import open_app as open_in_browser

pytestmark = pytest.mark.usefixtures("fresh_caches")

PATIENCE = 300
VIEWS = ("Feature maps", "Weights", "Input")


def alone(model: str, trouble: str) -> None:
    """The page alone on one random image; runs inside AppTest, which takes the source of this function alone."""
    import dataclasses

    import streamlit as st
    import torch
    from support.models import (
        build_detector,
        random_image,
        random_truth,
        shared_detector,
        single_map_detector,
    )

    from detector import GroundTruth, Replayer, capture
    from viz_app.app_pages import backbone
    from viz_app.scene import Scene

    def build() -> Replayer:
        if trouble == "broken weights":
            detector = build_detector(model)
            torch.nn.init.constant_(detector.model.backbone.body.layer2[0].conv1.weight, float("nan"))
            torch.nn.init.zeros_(detector.model.rpn.head.conv[0][0].weight)
        else:
            detector = single_map_detector() if model == "single map" else shared_detector(model)
        truth = random_truth(3, classes=detector.num_classes) if trouble == "" else None
        if trouble == "no object":
            truth = GroundTruth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
        trace = capture(detector, random_image(3), truth)
        if trouble == "no maps":
            bare = dataclasses.replace(trace.backbone, body={}, pyramid={}, exact=False)
            trace = dataclasses.replace(trace, backbone=bare)
        return Replayer(trace, detector)

    if "replayer" not in st.session_state:
        st.session_state["replayer"] = build()
    replayer = st.session_state["replayer"]
    backbone.render(Scene(replayer.detector, replayer.trace, replayer, replayer.replay(), None))


def open_page(model: str = "pyramid_per_class", trouble: str = "") -> AppTest:
    kwargs = {"model": model, "trouble": trouble}
    return calm(AppTest.from_function(alone, default_timeout=PATIENCE, kwargs=kwargs).run())


def view(app: AppTest, name: str) -> AppTest:
    app.segmented_control(key="backbone.view").set_value(name)
    return calm(app.run())


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.subheader, app.warning)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def cell_words(app: AppTest) -> str:
    return next(element.value for element in app.markdown if ", cell (" in element.value)


def test_every_view_of_the_bundled_image_and_the_chips_that_lead_here() -> None:
    app = open_app("backbone")
    assert "Image frame: 256 × 256 px" in words(app)
    assert any("image frame, px" in table.value for table in app.dataframe)
    for name in VIEWS:
        view(app, name)
        assert counts(app)["pyramid"] == "3 maps"
        assert not app.error
    assert "None of" in words(view(app, "Weights"))


def test_an_upload_is_padded_and_says_by_how_much() -> None:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (90, 130, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    app = open_app("backbone")
    app.file_uploader(key="uploads").set_value([("mine.png", file.getvalue(), "image/png")])
    calm(app.run())
    assert "Image frame: 130 × 90 px" in words(app)
    assert re.search(r"padded by \d+ px below to \d+ × \d+ px", words(app))
    assert "No ground truth is known for this image." in words(app)
    assert "P2, cell (" in cell_words(view(app, "Feature maps")) or "C2, cell (" in cell_words(app)


def test_a_link_to_a_cell_shows_the_map_and_its_field() -> None:
    app = open_app("backbone", select="cell.4195")  # 64 x 64 cells before it: cell 99 of 32 x 32 is (3, 3)
    view(app, "Feature maps")
    assert said(app) == ""
    assert "**P3, cell (3, 3)**" in cell_words(app)
    assert "Receptive field" in words(app) and "of 256 × 256" in words(app)
    rows = next(one for one in app.number_input if one.label == "Cell row y")
    rows.set_value(5)
    calm(app.run())
    assert "**P3, cell (5, 3)**" in cell_words(app)
    assert app.query_params["select"] == "cell.4259"  # two rows of 32 further


@pytest.mark.parametrize("model", ["maskrcnn_resnet50_fpn", "single map"])
def test_other_models_have_every_view_too(model: str) -> None:
    app = open_page(model)
    for name in VIEWS:
        view(app, name)
    found = words(app)
    assert ("no pyramid" in found) == (model == "single map")
    assert ("**P6**" in found) == (model != "single map")
    fences = [line for line in found.splitlines() if "$$" in line]
    assert fences and all(line == "$$" for line in fences)


def test_any_channel_of_any_map_can_be_shown() -> None:
    app = view(open_page(), "Feature maps")
    maps = next(one for one in app.pills if str(one.key).startswith("backbone.map."))
    assert maps.options == ["C2", "C3", "C4", "P2", "P3", "P4"]
    maps.set_value("P4")
    calm(app.run())
    shown = next(one for one in app.selectbox if str(one.key).startswith("backbone.shown.P4"))
    shown.set_value(5)
    calm(app.run())
    assert re.search(r"\*\*P4, cell \(\d+, \d+\)\*\*: channel 5", cell_words(app))


def test_maps_full_of_nan_are_shown_as_such_and_their_weights_named() -> None:
    app = view(open_page(trouble="broken weights"), "Feature maps")
    table = next(table.value for table in app.dataframe if "not finite" in table.value)
    broken = dict(zip(table["map"], table["not finite"], strict=True))
    assert (broken["C2"], broken["C3"], broken["P2"]) == (0, 1, 1)
    view(app, "Weights")
    assert "2 of " in words(app) and "1 NaN or infinity, 1 all zero" in words(app)
    rows = app.dataframe[0].value.to_dict("records")
    assert {row["tensor"]: row["alert"] for row in rows if row["alert"]} == {
        "backbone.body.layer2.0.conv1.weight": "NaN or infinity",
        "rpn.head.conv.0.0.weight": "all zero",
    }


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("no maps", "stored without its feature maps"),
        ("no object", "The annotations say that this image holds no object."),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(trouble: str, sentence: str) -> None:
    app = open_page(trouble=trouble)
    told = words(app)
    for name in VIEWS:
        told += words(view(app, name))
    assert sentence in told


@pytest.mark.browser
def test_a_click_on_a_map_selects_its_cell_and_puts_it_into_the_link(page: Page, app_url: str) -> None:
    open_in_browser(page, f"{app_url}/backbone?image=scene_04.png")
    page.get_by_test_id("stMain").get_by_text("Feature maps", exact=True).click()
    cell = page.locator("p", has_text=", cell (")
    expect(cell).to_contain_text("C2, cell (32, 32)", timeout=PATIENCE_MS)
    box = page.locator(".stage").first.bounding_box()
    assert box is not None
    # 256 px and 64 cells on each side: three quarters to the right, one quarter down.
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    expect(cell).to_contain_text("C2, cell (16, 48)", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(rf"select=cell\.{16 * 64 + 48}\b"), timeout=PATIENCE_MS)
