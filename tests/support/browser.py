"""Debian's Chromium for Playwright, and what a test of a Streamlit page has to wait for."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 120_000  # a first run imports torch and loads the detector, on two busy cores

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_launch_options() -> dict[str, Any]:
    """Options for Playwright's launch: the system's own browser, since its download is not ours to make."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.fail("the browser tests need Chromium: install it (Debian: apt-get install chromium)")
    return {"executable_path": executable, "args": FLAGS, "headless": True}


def open_app(page: Page, url: str) -> None:
    """Open a page of the app and wait until it has drawn itself, without an error."""
    page.goto(url)
    expect(page.locator("[data-testid=stMainBlockContainer]")).to_be_visible(timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def wait_until_idle(page: Page) -> None:
    """Wait until the script run in progress, if there is one, has ended.

    A run that a click has just asked for may not have begun yet: after a change, wait for what the change
    should show (`expect(...)`) and use this only to look at the finished page.
    """
    page.wait_for_function(
        """() => {
            const app = document.querySelector('[data-testid=stApp]');
            return app !== null && app.getAttribute('data-test-script-state') === 'notRunning'
                && app.getAttribute('data-test-connection-state') === 'CONNECTED';
        }""",
        timeout=PATIENCE_MS,
    )


def slider(page: Page, label: str) -> Locator:
    """The thumb of the sidebar's slider `label`: focus it and press arrow keys."""
    return page.get_by_test_id("stSidebar").locator(f'input[type=range][aria-label="{label}"]')


def click_point(page: Page, point: Locator) -> None:
    """Click a point of a plotly chart, once it has stopped moving; it may be invisible on purpose.

    A chart that is drawn anew takes its points away: a click of Playwright's own would fail on the old one.
    """
    wait_until_idle(page)
    before = None
    for _ in range(PATIENCE_MS // 250):
        point.evaluate("point => point.scrollIntoView({block: 'center'})")
        place = point.bounding_box()
        if place is not None and place == before:
            page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
            return
        before = place
        page.wait_for_timeout(250)
    pytest.fail("the point of the chart never stood still")


def screenshot(page: Page, path: Path) -> None:
    """Save the finished page as PNG."""
    wait_until_idle(page)
    # Tables and code load their own script after the page is done.
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=PATIENCE_MS)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
