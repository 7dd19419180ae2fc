"""The Data set page under a real pointer: diagnose, click a step of the waterfall, click a card, read its Why?."""

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser import PATIENCE_MS, click_point, open_app, wait_until_idle

from detector.explaining.rungs import Rung

pytestmark = pytest.mark.browser


def test_a_data_set_is_diagnosed_and_a_lost_object_followed_to_its_why(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/dataset?data=shapes:5:3")
    page.get_by_role("button", name="Diagnose").click()
    expect(page).to_have_url(re.compile(r"run=shapes-5-3\.shapes\."), timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENCE_MS)
    page.reload()  # all it needs to go on lies in files
    expect(page.get_by_text("Where objects are lost")).to_be_visible(timeout=PATIENCE_MS)
    wait_until_idle(page)
    # Clear columns over the steps: the block itself may be a hair high.
    columns = (
        page.get_by_test_id("stPlotlyChart").first.locator(".barlayer .trace").last.locator(".point path")
    )
    click_point(page, columns.nth(list(Rung).index(Rung.BOX_NMS) + 1))
    expect(page).to_have_url(re.compile(r"part=rung\.BOX_NMS"), timeout=PATIENCE_MS)
    wait_until_idle(page)
    cards = page.locator(".gallery button")
    expect(cards).to_have_count(1, timeout=PATIENCE_MS)
    expect(cards).to_have_attribute("aria-label", re.compile(r"#\d+ \w+, suppressed by .*: open its Why\?"))
    cards.first.press("Enter")
    expect(page).to_have_url(re.compile(r"/why\?.*image=shapes.+select=object\.\d+"), timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"Why was #\d+ \w+ lost\?"))).to_be_visible(timeout=PATIENCE_MS)
