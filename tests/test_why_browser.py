"""The Why? page under a real pointer: a drawn box is asked about and in the link, a click asks, a button mends."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import PATIENCE_MS, open_app

pytestmark = pytest.mark.browser


def stage(page: Page) -> tuple[Locator, dict[str, float]]:
    """The picture, and where it is."""
    found = page.locator(".stage").first
    expect(found).to_be_visible(timeout=PATIENCE_MS)
    found.scroll_into_view_if_needed()
    bounds = found.bounding_box()
    assert bounds is not None
    return found, {name: float(value) for name, value in bounds.items()}  # type: ignore[attr-defined]


def asks(page: Page, question: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", name=question)).to_be_visible(timeout=PATIENCE_MS)


def test_a_drawn_box_is_answered_and_lives_in_the_link(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/why")
    asks(page, "Why was #3 ring lost?")
    _, at = stage(page)
    # A quarter to a half of the picture, both ways: 64 to 128 px of its 256.
    page.mouse.move(at["x"] + at["width"] / 4, at["y"] + at["height"] / 4)
    page.mouse.down()
    page.mouse.move(at["x"] + at["width"] / 3, at["y"] + at["height"] / 3)
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.up()
    asks(page, "Why is a circle not found here?")
    expect(page.locator('.ladder [aria-current="step"]')).to_have_count(1, timeout=PATIENCE_MS)
    found = re.search(
        r"ask=([\d.]+)(?:,|%2C)([\d.]+)(?:,|%2C)([\d.]+)(?:,|%2C)([\d.]+)(?:,|%2C)1\b", page.url
    )
    assert found is not None, page.url
    assert [float(value) for value in found.groups()] == pytest.approx([64, 64, 128, 128], abs=1)
    open_app(page, page.url)
    asks(page, "Why is a circle not found here?")


def test_a_click_asks_about_an_object_and_the_button_brings_a_lost_one_back(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/why")
    picture, at = stage(page)
    # Inside the ring at (63, 95, 76, 108), which was found.
    picture.click(position={"x": at["width"] * 69.5 / 256, "y": at["height"] * 101.5 / 256})
    asks(page, "Why was #5 ring found?")
    expect(page).to_have_url(re.compile(r"select="), timeout=PATIENCE_MS)
    page.get_by_role("button", name="why was object 3 lost?").click()
    asks(page, "Why was #3 ring lost?")
    page.get_by_role("button", name="Apply").click()
    asks(page, "Why was #3 ring found?")
    expect(page).to_have_url(re.compile(r"box_nms=0\.58"), timeout=PATIENCE_MS)
    expect(page.locator(".ladder li.passed")).to_have_count(11, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
