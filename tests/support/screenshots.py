"""Pictures of every page from the running app: `make screenshots` writes docs/screenshots."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from support.browser import PATIENCE_MS, chromium_launch_options, open_app, screenshot, wait_until_idle
from support.server import running_app

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
FIRST = "full_network"
PAGES = {
    FIRST: "",
    "backbone": "backbone",
    "rpn": "rpn",
    "fast_rcnn": "fast_rcnn",
    "why": "why",
    "dataset": "dataset?data=shapes:24:3",
    "doctor": "doctor?data=shapes:24:3",
}
"""Name of each picture and what is opened for it."""
SIZE = {"width": 1440, "height": 1000}


def take() -> None:
    """One picture per page in light, and the first page in dark too."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**chromium_launch_options())
        for scheme, pages in (("light", tuple(PAGES)), ("dark", (FIRST,))):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme)
            for name in pages:
                open_app(page, f"{server.url}/{PAGES[name]}")
                _make_ready(page, name)
                suffix = "" if scheme == "light" else "_dark"
                screenshot(page, FOLDER / f"{name}{suffix}.png")
        browser.close()


def _make_ready(page: Page, name: str) -> None:
    """Let the pages about a data set do their work first."""
    if name == "dataset":
        page.get_by_role("button", name="Diagnose").click()
        expect(page.get_by_text("Where objects are lost")).to_be_visible(timeout=PATIENCE_MS)
    elif name == "doctor":
        page.get_by_role("button", name="Examine").click()
        expect(page.get_by_role("heading", name="Findings")).to_be_visible(timeout=PATIENCE_MS)
    wait_until_idle(page)


if __name__ == "__main__":
    take()
