"""What can be taken away from a page: the same picture, table and trace that the page shows."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
from playwright.sync_api import Page, expect
from support.app import PAGES, open_app
from support.browser import PATIENCE_MS
from support.browser import open_app as open_in_browser
from support.models import random_image, shared_detector

from detector import capture
from detector.data.images import read_image
from detector.tracing.trace_file import parse_trace
from viz_app import downloads
from viz_app.figures.exports import chart_page, picture_sheet, sheet_page, sheet_png, table_csv, trace_bytes
from viz_app.figures.picture import BoxGroup
from viz_app.figures.sheet import draw_sheet
from viz_app.scenes import bundled_scenes

pytestmark = pytest.mark.usefixtures("fresh_caches")

GREY = torch.full((3, 40, 60), 100, dtype=torch.uint8)
BOXES = BoxGroup(torch.tensor([[10.0, 5.0, 50.0, 35.0]]), "one box", "#C80000", hover=("a box",))


def test_a_picture_is_the_drawn_sheet() -> None:
    overlay = torch.tensor([[[0, 200, 0, 255]]], dtype=torch.uint8)
    sheet = picture_sheet("RPN", GREY, [BOXES], overlay)
    pixels = read_image(sheet_png(sheet)).pixels.permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, draw_sheet(sheet))
    assert (pixels == (200, 0, 0)).all(axis=2).any() and (pixels == (0, 200, 0)).all(axis=2).any()


def test_a_figure_is_one_page_that_answers_the_pointer() -> None:
    page = sheet_page(picture_sheet("RPN", GREY, [BOXES])).decode()
    assert "a box" in page and "one box" in page and "Plotly.newPlot" in page


def test_a_chart_is_one_page_with_its_own_numbers() -> None:
    page = chart_page(go.Figure(go.Bar(x=["found"], y=[4.25], name="objects")), "RPN: a < b").decode()
    assert "<h1>RPN: a &lt; b</h1>" in page
    assert "4.25" in page and "found" in page and "Plotly.newPlot" in page
    assert "<script src" not in page.split("Plotly.newPlot")[0][:2000]


def test_a_table_keeps_names_and_digits() -> None:
    table = pd.DataFrame({"object": ["#0", "größer, ja"], "IoU": [1 / 3, 0.5]})
    back = pd.read_csv(io.BytesIO(table_csv(table)))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)


def test_a_trace_comes_back_as_it_was() -> None:
    trace = capture(shared_detector("pyramid_per_class"), random_image())
    back = parse_trace(trace_bytes(trace), "a.trace")
    assert torch.equal(back.rpn.objectness, trace.rpn.objectness)
    assert torch.equal(back.detections.boxes, trace.detections.boxes)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_offers_its_picture_and_the_trace(page: str) -> None:
    app = open_app(page)
    offered = {button.proto.label for button in app.get("download_button")}
    assert {"Picture (PNG)", "Figure (HTML, with hover)", "save this trace"} <= offered
    # The first picture of Input & backbone has no table beside it.
    assert any(label.startswith("Table: ") for label in offered) or page == "backbone"


@pytest.mark.browser
def test_files_are_made_when_they_are_asked_for(page: Page, app_url: str) -> None:
    open_in_browser(page, app_url)
    page.get_by_role("button", name="Download").first.click()
    png = page.get_by_role("button", name="Picture (PNG)")
    expect(png).to_be_visible()
    with page.expect_download() as download:
        png.click()
    image = read_image(download.value.path().read_bytes())
    assert download.value.suggested_filename == "full_network_picture.png"
    assert min(image.size) > 600
    with page.expect_download() as download:
        page.get_by_role("button", name="Table: objects (CSV)").click()
    known = bundled_scenes()[0].annotations
    assert known is not None
    assert list(pd.read_csv(download.value.path())["object"]) == [f"#{n}" for n in range(len(known.truth))]
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="save this trace").click()
    assert download.value.suggested_filename == "scene_00.trace"
    assert parse_trace(download.value.path().read_bytes(), "it").input.name == "scene_00.png"


@pytest.mark.browser
def test_every_chart_has_a_button_that_saves_it(page: Page, app_url: str) -> None:
    open_in_browser(page, app_url)
    page.get_by_test_id("stButtonGroup").locator("button").filter(has_text="Thresholds").click()
    charts = page.get_by_test_id("stPlotlyChart")
    expect(charts).to_have_count(2, timeout=PATIENCE_MS)
    save = page.get_by_role("button", name="Save the chart (HTML)")
    expect(save).to_have_count(2)
    with page.expect_download() as download:
        save.first.click()
    assert download.value.suggested_filename == "full_network_box_score.html"
    assert "detections" in download.value.path().read_text()


@pytest.mark.parametrize(
    ("key", "title"),
    [("rpn.recall", "RPN: recall"), ("fast_rcnn.per_class.3", "Fast R-CNN: per class"), ("train", "Train")],
)
def test_a_saved_chart_is_called_by_its_page_and_what_it_shows(key: str, title: str) -> None:
    assert downloads._chart_title(key) == title
