"""The RPN page under a real pointer: a box selects its anchor, a place its cell, and both go into the link."""

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser import PATIENCE_MS, open_app, wait_until_idle

pytestmark = pytest.mark.browser

CLICKS = 20


def choose(page: Page, label: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(label, exact=True).first.click()
    wait_until_idle(page)


def click_at(page: Page, x: float, y: float) -> None:
    """Click on the picture, at a share of its width and height."""
    stage = page.locator(".stage").first
    expect(stage).to_be_visible(timeout=PATIENCE_MS)
    size = stage.bounding_box()
    assert size is not None
    stage.click(position={"x": x * size["width"], "y": y * size["height"]})


def test_a_box_selects_its_anchor_and_a_place_its_cell(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/rpn?image=scene_00.png")
    choose(page, "Anchors")
    said = page.get_by_text("anchors around cell")
    expect(said).to_contain_text("cell (32, 32) of level 0", timeout=PATIENCE_MS)
    # A quarter across and three quarters down an image of 256 px, with cells of 4 px.
    click_at(page, 0.25, 0.75)
    expect(said).to_contain_text("cell (48, 16) of level 0", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(rf"select=cell\.{48 * 64 + 16}\b"), timeout=PATIENCE_MS)
    choose(page, "an anchor")
    # Nothing on the page tells when its boxes answer; until then a click chooses the same cell again.
    for _ in range(CLICKS):
        click_at(page, 0.25, 0.75)
        wait_until_idle(page)
        page.wait_for_timeout(500)
        if "select=anchor" in page.url:
            break
    expect(page).to_have_url(re.compile(r"select=anchor\.\d+"), timeout=PATIENCE_MS)
    link = page.url
    choose(page, "Filters")
    expect(page.get_by_text(re.compile(r"Anchor [\d,]+ of level 0, cell \(48, 16\)"))).to_be_visible(
        timeout=PATIENCE_MS
    )
    assert page.url == link
