"""The app in a real browser: it opens on a detector at work, and a threshold moves its counts."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from support.browser import PATIENCE_MS, open_app, slider, wait_until_idle

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


def test_back_and_forward_restore_thresholds_and_page(page: Page, app_url: str) -> None:
    open_app(page, app_url)
    count, thumb = _count(page, "detections"), slider(page, "Score")
    expect(count).to_have_text(NUMBER, timeout=PATIENCE_MS)
    before, own = count.inner_text(), thumb.input_value()
    assert before != "0"

    thumb.focus()
    thumb.press("End")
    expect(count).to_have_text("0", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile("box_score=1.0"))

    page.go_back()
    expect(count).to_have_text(before, timeout=PATIENCE_MS)
    assert slider(page, "Score").input_value() == own
    expect(page).not_to_have_url(re.compile("box_score"))

    page.go_forward()
    expect(count).to_have_text("0", timeout=PATIENCE_MS)
    assert slider(page, "Score").input_value() == "1"
    expect(page).to_have_url(re.compile("box_score=1.0"))

    # What is chosen afterwards starts from there.
    slider(page, "Score").focus()
    slider(page, "Score").press("Home")
    expect(count).not_to_have_text("0", timeout=PATIENCE_MS)


def test_two_browsers_at_once_keep_their_own_image_and_thresholds(browser: Browser, app_url: str) -> None:
    first, second = (browser.new_context().new_page() for _ in range(2))
    open_app(first, f"{app_url}/?image=scene_01.png")
    open_app(second, f"{app_url}/?image=scene_02.png")
    theirs = _count(second, "detections").inner_text()
    slider(first, "Score").focus()
    slider(first, "Score").press("End")
    expect(_count(first, "detections")).to_have_text("0", timeout=PATIENCE_MS)
    # The other one runs its script again, too, and still shows its own.
    stage = second.locator('[data-stage="top_n"]')
    stage.click()
    expect(stage).to_have_attribute("aria-current", "step", timeout=PATIENCE_MS)
    wait_until_idle(second)
    assert _count(second, "detections").inner_text() == theirs
    assert "image=scene_02.png" in second.url
    assert "box_score" not in second.url
    for page in (first, second):
        page.context.close()
