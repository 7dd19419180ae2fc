"""The strip under a real pointer: a click goes to the stage or explains the object, and nothing is forgotten."""

import re

import pytest
from playwright.sync_api import Page, expect
from support.browser import PATIENCE_MS, open_app

pytestmark = pytest.mark.browser


def test_a_click_goes_to_the_stage_and_keeps_the_thresholds(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/?box_score=0.35")
    strip = page.locator(".strip")
    detections = strip.locator('[data-stage="detections"]')
    expect(detections).to_have_attribute("aria-current", "step", timeout=PATIENCE_MS)
    counts = strip.locator(".count").all_inner_texts()
    # A reload would start a new session and lose what only this one knows.
    page.evaluate("window.sameDocument = true")

    strip.locator('[data-stage="top_n"]').click()
    expect(strip.locator('[data-stage="top_n"]')).to_have_attribute(
        "aria-current", "step", timeout=PATIENCE_MS
    )
    expect(page).to_have_url(re.compile(r"/rpn\?.*box_score=0\.35"), timeout=PATIENCE_MS)
    assert strip.locator(".count").all_inner_texts() == counts

    strip.get_by_role("button", name="why was object").first.click()
    expect(page).to_have_url(re.compile(r"/why\?.*select=object\.\d"), timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="Why was #")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("window.sameDocument") is True
