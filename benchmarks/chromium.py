"""The system's own Chromium, for what is measured in a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]


@contextmanager
def chromium(size: tuple[int, int]) -> Iterator[Page]:
    """A page of this width and height; it paints without a graphics card. Its context takes more pages."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        raise FileNotFoundError("this is measured in Chromium: install it (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        try:
            yield browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
        finally:
            browser.close()
