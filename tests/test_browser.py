"""The app in a real browser: it opens on a detector at work, and a threshold moves its counts."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import PATIENCE_MS, open_app, slider

pytestmark = pytest.mark.browser

NUMBER = re.compile(r"^\d[\d,]*$")


def _count(page: Page, stage: str) -> Locator:
    return page.locator(f'[data-stage="{stage}"] .count')


def test_a_threshold_moves_the_count_of_detections(page: Page, app_url: str) -> None:
    open_app(page, app_url)
    count = _count(page, "detections")
    expect(count).to_have_text(NUMBER, timeout=PATIENCE_MS)
    before = count.inner_text()
    assert int(before.replace(",", "")) > 0

    thumb = slider(page, "Score")
    value = thumb.get_attribute("value")
    thumb.focus()
    thumb.press("End")

    # No score reaches the highest threshold: the strip follows, without a reload.
    expect(count).to_have_text("0", timeout=PATIENCE_MS)
    assert thumb.get_attribute("value") != value

    thumb.press("Home")
    expect(count).not_to_have_text("0", timeout=PATIENCE_MS)
    assert int(count.inner_text().replace(",", "")) >= int(before.replace(",", ""))
