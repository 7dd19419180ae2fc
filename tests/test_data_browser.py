"""The Data page under a real pointer: a zip file is brought, its samples are seen with boxes, one is opened."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support.browser import PATIENCE_MS, open_app, wait_until_idle
from support.datasets import coco_folder

from viz_app.figures.palette import category_color, rgba

pytestmark = pytest.mark.browser


def test_an_uploaded_data_set_is_seen_with_its_boxes(page: Page, app_url: str, tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "set", {"a.png": [(4, 4, 20, 20)], "b.png": []})
    Image.new("RGB", (40, 30), (230, 230, 230)).save(folder / "images" / "a.png")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in filter(Path.is_file, folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    open_app(page, f"{app_url}/data?data=shapes:2:1")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.locator("input[type=file][accept*='.zip']").set_input_files(
        {"name": "things.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}
    )
    expect(page).to_have_url(re.compile(r"data=.*datasets%2Fthings"), timeout=PATIENCE_MS)
    cards = page.locator(".gallery button")
    expect(cards).to_have_count(2, timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(cards.first).to_have_attribute("aria-label", "a.png, 1 thing: open it in Inspect")
    # The picture is of one grey: what is blue on the card is the box of the first category.
    edge, inside = cards.first.locator("img").evaluate(
        """image => {
            const canvas = document.createElement("canvas");
            canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
            const context = canvas.getContext("2d"), scale = image.naturalWidth / 40;
            context.drawImage(image, 0, 0);
            const color = ([x, y]) => Array.from(context.getImageData(x * scale, y * scale, 1, 1).data).slice(0, 3);
            return [[4, 14], [14, 14]].map(color);
        }"""
    )
    assert edge == pytest.approx(list(rgba(category_color(0))[0]), abs=30)
    assert inside == pytest.approx([230] * 3, abs=6)
    cards.first.click()
    expect(page).to_have_url(re.compile(r"image=.*datasets%2Fthings%2F0"), timeout=PATIENCE_MS)
    wait_until_idle(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
