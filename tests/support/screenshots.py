"""Pictures of every page from the running app: `make screenshots` writes docs/screenshots."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from support.browser import chromium_launch_options, open_app, screenshot
from support.server import running_app

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
PAGES = ("full_network", "backbone", "rpn", "fast_rcnn")
SIZE = {"width": 1440, "height": 1000}


def take() -> None:
    """One picture per page in light, and the first page in dark too."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**chromium_launch_options())
        for scheme, pages in (("light", PAGES), ("dark", PAGES[:1])):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme)
            for name in pages:
                open_app(page, f"{server.url}/{'' if name == PAGES[0] else name}")
                suffix = "" if scheme == "light" else "_dark"
                screenshot(page, FOLDER / f"{name}{suffix}.png")
        browser.close()


if __name__ == "__main__":
    take()
