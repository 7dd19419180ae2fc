"""Training from the sidebar under a real pointer: to the end and into Inspect; stopped, gone on with, killed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browser import PATIENCE_MS, open_app, wait_until_idle

from detector.training.run_status import read_status

pytestmark = pytest.mark.browser


def launch(page: Page, name: str, train: str, epochs: int) -> None:
    """Fill the Train panel and launch; the page of the run is open then."""
    page.get_by_test_id("stSidebar").get_by_role("button", name="Train …").click()
    panel = page.get_by_role("dialog")
    expect(panel.get_by_role("button", name="Launch")).to_be_enabled(timeout=PATIENCE_MS)
    fields = {"Train on": train, "Validate on": "shapes:4:7", "Epochs": str(epochs), "Name": name}
    for label, text in fields.items():
        field = panel.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")
    wait_until_idle(page)
    panel.get_by_role("button", name="Launch").click()
    expect(page).to_have_url(re.compile(rf"/train\?.*training={name}"), timeout=PATIENCE_MS)
    expect(panel).to_have_count(0, timeout=PATIENCE_MS)


def badge(page: Page) -> Locator:
    """How the shown run stands."""
    return page.get_by_role("heading", level=4).locator(".stMarkdownBadge")


def test_a_run_of_one_epoch_is_watched_to_its_end_and_opened_in_inspect(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/train")
    launch(page, "one", "shapes:64:1", 1)
    expect(badge(page)).to_have_text(re.compile("starting|running"), timeout=PATIENCE_MS)
    page.reload()  # what is known of it lies in its folder
    expect(badge(page)).to_have_text("done", timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(4, timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page.get_by_role("button", name="Open in Inspect").click()
    expect(page).to_have_url(re.compile(r"/\?model=.*one.*best\.safetensors"), timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(page.get_by_text("Objects", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_a_run_is_stopped_goes_on_and_says_so_when_it_was_killed(page: Page, app_url: str) -> None:
    open_app(page, f"{app_url}/train")
    launch(page, "long", "shapes:64:1", 40)
    expect(page.get_by_text(re.compile(r"Epoch 1 of 40: training · step [1-9]"))).to_be_visible(
        timeout=PATIENCE_MS
    )
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(badge(page)).to_have_text("stopped", timeout=PATIENCE_MS)
    wait_until_idle(page)  # the page is drawn anew when a run ends
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(re.compile(r"training · step [1-9]"))).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("Log and settings").click()
    folder = Path(page.get_by_text(re.compile(r"runs/long$")).inner_text(timeout=PATIENCE_MS))
    status = read_status(folder)
    assert status is not None and status.is_alive
    os.kill(status.pid, signal.SIGKILL)
    expect(badge(page)).to_have_text("died", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stAlert")).to_contain_text("Its process is gone", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
