"""The canvas previews the box filter as the replay would decide, and Streamlit hears of what is done on it."""

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from support.browser import PATIENCE_MS, open_app, wait_until_idle
from support.canvas_mount import mount, rerun, sent
from support.models import shared_detector
from support.server import Server, free_port, running

from detector import Replayer, capture, load_detector
from detector.data.images import read_image
from viz_app.bundled import sample_images_folder
from viz_app.canvas.candidates import preview_of
from viz_app.canvas.component import script
from viz_app.canvas.packet import pack
from viz_app.figures.full_network import overview_groups

pytestmark = pytest.mark.browser

HEIGHT, WIDTH = 100, 200
PIXELS = torch.full((3, HEIGHT, WIDTH), 200, dtype=torch.uint8)


# --- the preview of the box filter ---


@cache
def replayer_of(name: str) -> Replayer:
    if name == "many":
        # Beyond 1,000 boxes torchvision's NMS takes another way.
        detector = shared_detector("fasterrcnn_resnet50_fpn")
        noise = torch.rand((3, 96, 128), generator=torch.Generator().manual_seed(2))
        return Replayer(capture(detector, noise), detector)
    detector = load_detector("shapes")
    return Replayer(capture(detector, read_image(sample_images_folder() / name)), detector)


@pytest.mark.parametrize("name", ["scene_00.png", "scene_03.png", "scene_07.png", "many"])
def test_the_preview_keeps_exactly_what_the_replay_keeps(page: Page, name: str) -> None:
    replayer = replayer_of(name)
    preview = preview_of(replayer.replay())
    if name == "many":
        assert len(preview) > 1000
    page.set_content("<body></body>")
    page.add_script_tag(content=script().replace("export default", "window.canvasComponent ="))
    packet = list(pack(PIXELS, [], preview=preview))
    page.evaluate("(bytes) => { window.found = unpack(Uint8Array.from(bytes)); }", packet)
    asked = [(score, nms) for score in (0.01, 0.05, 0.16, 0.5, 0.9) for nms in (0.0, 0.2, 0.5, 0.75, 1.0)]
    # A threshold that is itself a score or an overlap: the comparison is strict.
    asked.append((float(preview.scores.median()), 0.5))
    kept = page.evaluate(
        "(asked) => asked.map(([s, n]) => keptBy(window.found.header.preview, window.found.part, s, n))",
        [list(pair) for pair in asked],
    )
    lengths = set()
    for (score, nms), places in zip(asked, kept, strict=True):
        replay = replayer.replay(replayer.trace.thresholds.replace(box_score=score, box_nms=nms))
        expected = replay.detections.kept
        lengths.add(len(expected))
        assert len(places) == len(expected), (score, nms)
        # In order of score; among exact ties torch's own sort of more than 1,000 boxes has no order.
        assert torch.equal(preview.scores[places], replay.detections.scores[expected]), (score, nms)
        rows = torch.cat((preview.boxes, preview.labels[:, None]), dim=1)[places].tolist()
        theirs = torch.cat((replay.detections.boxes, replay.detections.labels[:, None]), dim=1)[expected]
        assert sorted(rows) == sorted(theirs.tolist()), (score, nms)
    assert len(lengths) > 3


def test_a_slider_redraws_at_once_and_reports_when_it_is_released(page: Page) -> None:
    replayer = replayer_of("scene_00.png")
    replay = replayer.replay()
    mount(page, pack(replay.trace.input.pixels, overview_groups(replay), preview=preview_of(replay)))
    slider = page.locator("input.score")
    slider.evaluate("(input) => { input.value = 0.9; input.dispatchEvent(new Event('input')); }")
    expected = replayer.replay(replay.trace.thresholds.replace(box_score=0.9))
    expect(page.locator(".count")).to_have_text(
        f"{len(expected.labels)} detection{'' if len(expected.labels) == 1 else 's'}"
    )
    assert sent(page) == []
    slider.evaluate("(input) => input.dispatchEvent(new Event('change'))")
    # The other threshold goes along exactly as it was, whatever the slider's steps are.
    assert sent(page) == [["thresholds", {"score": 0.9, "nms": replay.thresholds.box_nms}]]
    # A page that does nothing with it gets its own thresholds back.
    rerun(page, pack(replay.trace.input.pixels, overview_groups(replay), preview=preview_of(replay)))
    assert float(slider.input_value()) == pytest.approx(replay.thresholds.box_score)
    expect(page.locator(".count")).to_have_text("")


# --- in Streamlit ---


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tests, port = Path(__file__).parent, free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(tests / "support" / "canvas_app.py")]
    command += [f"--server.port={port}", "--server.headless=true", "--server.fileWatcherType=none"]
    # The checkout's own settings give it the app's theme.
    home, checkout = tmp_path_factory.mktemp("canvas"), tests.parent
    with running(command, port, home=home, folder=checkout) as served:
        yield served


def test_streamlit_hears_of_a_click_once(page: Page, server: Server) -> None:
    open_app(page, server.url)
    image = page.locator(".stage img.image")
    expect(image).to_be_visible(timeout=PATIENCE_MS)
    place = image.bounding_box()
    assert place is not None
    runs = page.get_by_text("run ", exact=False)
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    event = page.get_by_text("event ", exact=False)
    expect(event).to_be_visible(timeout=PATIENCE_MS)
    pick = json.loads(event.inner_text().removeprefix("event "))["pick"]
    replay = replayer_of("scene_01.png").replay()
    height, width = replay.trace.input.image_size
    assert (pick["x"], pick["y"]) == pytest.approx((width / 2, height / 2), abs=1)
    before = runs.inner_text()
    page.get_by_role("button", name="again").click()
    expect(runs).not_to_have_text(before, timeout=PATIENCE_MS)
    wait_until_idle(page)
    assert event.count() == 0


def test_it_follows_the_dark_theme(browser: Browser, server: Server) -> None:
    page = browser.new_page(color_scheme="dark", viewport={"width": 1000, "height": 800})
    try:
        open_app(page, server.url)
        expect(page.locator(".knobs")).to_be_visible(timeout=PATIENCE_MS)
        ink = page.locator(".canvas").evaluate("(node) => getComputedStyle(node).color")
        red, green, blue = (int(part) for part in ink.removeprefix("rgb(").removesuffix(")").split(","))
        assert min(red, green, blue) > 180
    finally:
        page.close()
