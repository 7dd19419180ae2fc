"""Full network under a real pointer: a cell of the matrix selects, the path leads on, nothing is forgotten."""

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser import PATIENCE_MS, click_point, open_app, slider, wait_until_idle

pytestmark = pytest.mark.browser


def look(page: Page, view: str) -> None:
    page.get_by_test_id("stButtonGroup").locator("button").filter(has_text=view).click()
    wait_until_idle(page)


def test_a_cell_of_the_matrix_selects_its_detection_and_then_its_object(page: Page, app_url: str) -> None:
    open_app(page, app_url)
    look(page, "Matches")
    # Invisible squares over the cells; they are drawn anew after each click.
    pair = page.get_by_test_id("stPlotlyChart").locator(".scatterlayer .points path.point").first
    for selected in (r"select=detection\.\d+\.\d+", r"select=object\.\d+"):
        click_point(page, pair)
        expect(page).to_have_url(re.compile(selected), timeout=PATIENCE_MS)
        wait_until_idle(page)


def test_the_path_leads_to_a_stage_and_keeps_the_thresholds(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/?box_score=0.35")
    page.evaluate("window.sameDocument = true")
    page.get_by_test_id("stPageLink").filter(has_text="open").nth(3).click()
    expect(page).to_have_url(re.compile(r"/rpn\?.*box_score=0\.35"), timeout=PATIENCE_MS)
    assert page.evaluate("window.sameDocument") is True


def test_a_button_brings_a_detection_back(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/?box_score=1.0")
    count = page.locator('[data-stage="detections"] .count')
    expect(count).to_have_text("0", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Show the strongest").click()
    expect(count).not_to_have_text("0", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(r"box_score=0\.\d+"))


def test_the_picture_follows_a_slider_of_the_sidebar_before_it_is_released(page: Page, app_url: str) -> None:
    open_app(page, app_url)
    chip = page.locator('[data-stage="detections"] .count')
    count, drawn = page.locator(".canvas .count").first, chip.inner_text()
    assert count.inner_text() == ""
    thumb = slider(page, "Score").locator("xpath=../..")
    thumb.scroll_into_view_if_needed()
    place = thumb.bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=3)
    # One of the six detections scores 0.56; nothing has been asked of the server yet.
    expect(count).to_have_text("5 detections", timeout=PATIENCE_MS)
    assert chip.inner_text() == drawn == "6"
    page.mouse.up()
    expect(chip).to_have_text("5", timeout=PATIENCE_MS)
    expect(count).to_have_text("", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(r"box_score=0\.\d+"))
