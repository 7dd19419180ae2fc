"""Pictures of every page from the running app: `make screenshots` writes docs/screenshots."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from support.browser import PATIENCE_MS, chromium_launch_options, open_app, screenshot, wait_until_idle
from support.server import boxscope_command, clean_environment, running_app

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
FIRST = "full_network"
PAGES = {
    FIRST: "",
    "backbone": "backbone",
    "rpn": "rpn",
    "fast_rcnn": "fast_rcnn",
    "why": "why",
    "data": "data?data=shapes:24:3",
    "train": "train",
    "tune": "tune?data=shapes:24:3",
    "dataset": "dataset?data=shapes:24:3",
    "doctor": "doctor?data=shapes:24:3",
    "evaluate": "evaluate?data=shapes:24:3",
    "compare": "compare?data=shapes:24:3",
}
"""Name of each picture and what is opened for it."""
SIZE = {"width": 1440, "height": 1000}
BEFOREHAND = (
    ("evaluate", "shapes:24:3"),
    ("evaluate", "shapes:24:3", "--box_score", "0.2"),
    (
        *("train", "--data.train", "shapes:96:1", "--data.val", "shapes:12:7", "--epochs", "4"),
        *("--data.batch_size", "4", "--recipe.warmup_steps", "10", "--probes", "4", "--trace_every", "24"),
    ),
    ("tune", "thresholds", "shapes:24:3", "--trials", "40"),
)
"""What the pages about runs have to show."""


def take() -> None:
    """One picture per page in light, and the first page in dark too."""
    with tempfile.TemporaryDirectory() as folder:
        for words in BEFOREHAND:
            environment = clean_environment(Path(folder))
            subprocess.run([*boxscope_command(), *words], check=True, env=environment, cwd=folder)
        _take_all(Path(folder))


def _take_all(folder: Path) -> None:
    with (
        running_app(folder) as server,
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
        stop = page.get_by_role("button", name="Stop")
        expect(stop).to_be_visible(timeout=PATIENCE_MS)
        expect(stop).to_be_hidden(timeout=PATIENCE_MS)
        expect(page.get_by_text("Where objects are lost")).to_be_visible(timeout=PATIENCE_MS)
    elif name == "doctor":
        page.get_by_role("button", name="Examine").click()
        expect(page.get_by_role("heading", name="Findings")).to_be_visible(timeout=PATIENCE_MS)
    elif name == "evaluate":
        expect(page.get_by_role("heading", name="Precision against recall")).to_be_visible(
            timeout=PATIENCE_MS
        )
    wait_until_idle(page)


if __name__ == "__main__":
    take()
