"""The canvas under a real pointer and keyboard; most of it in a bare page, where nothing else can answer."""

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from support.browser import PATIENCE_MS, open_app, wait_until_idle
from support.canvas_mount import chosen, color_at, mount, rerun, screen_point, sent
from support.models import shared_detector
from support.server import Server, free_port, running

from detector import Replayer, capture, load_detector
from detector.data.images import read_image
from viz_app.bundled import sample_images_folder
from viz_app.canvas.candidates import preview_of
from viz_app.canvas.component import script
from viz_app.canvas.packet import pack
from viz_app.figures.full_network import overview_groups
from viz_app.figures.picture import BoxGroup

pytestmark = pytest.mark.browser

HEIGHT, WIDTH = 100, 200
PIXELS = torch.full((3, HEIGHT, WIDTH), 200, dtype=torch.uint8)
OUTER, MIDDLE, INNER, ASIDE, MUTE = (
    [10.0, 10, 150, 90], [40.0, 20, 120, 80], [60.0, 30, 100, 60], [160.0, 50, 190, 90], [60.0, 30, 70, 40],
)  # fmt: skip
GROUPS = [
    BoxGroup(torch.tensor([OUTER, INNER]), "first", "#0072B2", hover=("outer", "<b>inner</b><br>line two")),
    BoxGroup(
        torch.tensor([MIDDLE, ASIDE]),
        "second",
        "#D55E00",
        hover=("middle", "aside"),
        labels=("m 0.9", "a 0.4"),
    ),
    BoxGroup(torch.tensor([MUTE]), "mute", "#009E73"),
]
CENTRE = (80.0, 45.0)


def click(page: Page, x: float, y: float) -> None:
    page.mouse.click(*screen_point(page, x, y))


@pytest.fixture
def canvas(page: Page) -> Page:
    mount(page, pack(PIXELS, GROUPS))
    return page


def test_a_click_reports_every_box_smallest_first_and_cycles(canvas: Page) -> None:
    under = [[0, 1], [1, 0], [0, 0]]
    for current, box in enumerate([(0, 1), (1, 0), (0, 0), (0, 1)]):
        click(canvas, *CENTRE)
        ((name, pick),) = sent(canvas)
        assert name == "pick"
        assert (pick["x"], pick["y"]) == pytest.approx(CENTRE, abs=0.3)
        assert pick["boxes"] == under
        assert pick["current"] == current % 3
        assert chosen(canvas) == box
    # Elsewhere it starts from the smallest again.
    click(canvas, 20, 50)
    assert sent(canvas)[0][1]["boxes"] == [[0, 0]]
    click(canvas, *CENTRE)
    assert sent(canvas)[0][1]["current"] == 0
    click(canvas, 155, 5)
    ((_, pick),) = sent(canvas)
    assert (pick["boxes"], pick["current"]) == ([], None)
    assert chosen(canvas) is None


def test_escape_clears_what_is_chosen(canvas: Page) -> None:
    click(canvas, *CENTRE)
    sent(canvas)
    canvas.keyboard.press("Escape")
    assert chosen(canvas) is None
    assert sent(canvas) == [["pick", {"x": -1, "y": -1, "boxes": [], "current": None}]]


def test_arrows_step_through_the_boxes_and_enter_picks(canvas: Page) -> None:
    canvas.locator(".stage").focus()
    seen = []
    for _ in range(5):
        canvas.keyboard.press("ArrowRight")
        seen.append(chosen(canvas))
    # The mute group has nothing to say and is passed over.
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0)]
    canvas.keyboard.press("ArrowLeft")
    assert chosen(canvas) == (1, 1)
    expect(canvas.locator(".said")).to_have_text("aside")
    canvas.keyboard.press("Enter")
    name, pick = sent(canvas)[-1]
    assert (name, pick["boxes"], pick["current"]) == ("pick", [[1, 1]], 0)


def test_hovering_shows_the_text_and_nothing_of_it_is_markup(canvas: Page) -> None:
    tip = canvas.locator(".tip")
    expect(tip).to_be_hidden()
    canvas.mouse.move(*screen_point(canvas, *CENTRE))
    expect(tip).to_have_text("<b>inner</b>\nline two")
    assert tip.locator("b").count() == 0
    canvas.mouse.move(*screen_point(canvas, 175, 70))
    expect(tip).to_have_text("aside")
    # What lies under the pointer after a zoom is something else.
    canvas.locator(".stage").focus()
    canvas.keyboard.press("+")
    expect(tip).to_be_hidden()
    canvas.keyboard.press("0")
    canvas.mouse.move(*screen_point(canvas, 175, 75))
    expect(tip).to_have_text("aside")
    canvas.mouse.move(*screen_point(canvas, 195, 5))
    expect(tip).to_be_hidden()


def test_keys_zoom_around_the_chosen_box(canvas: Page) -> None:
    click(canvas, 175, 70)
    before = screen_point(canvas, 120, 50)
    canvas.keyboard.press("+")
    canvas.keyboard.press("+")
    assert screen_point(canvas, 120, 50)[0] < before[0]
    stage = canvas.locator(".stage").bounding_box()
    x, y = screen_point(canvas, 175, 70)
    assert stage is not None
    assert stage["x"] < x < stage["x"] + stage["width"]
    assert stage["y"] < y < stage["y"] + stage["height"]


def test_wheel_and_keys_zoom_around_a_point_and_a_drag_moves(canvas: Page) -> None:
    zoom = "window.root.canvas.view.zoom"
    x, y = screen_point(canvas, *CENTRE)
    canvas.mouse.move(x, y)
    # The page scrolls past a picture that is not in use.
    canvas.mouse.wheel(0, -400)
    assert canvas.evaluate(zoom) == 1
    canvas.locator(".stage").focus()
    canvas.mouse.wheel(0, -400)
    canvas.wait_for_function(f"{zoom} > 2")
    assert screen_point(canvas, *CENTRE) == pytest.approx((x, y), abs=0.5)

    canvas.mouse.down()
    canvas.mouse.move(x + 60, y + 30, steps=3)
    canvas.mouse.up()
    assert screen_point(canvas, *CENTRE) == pytest.approx((x + 60, y + 30), abs=0.5)
    assert sent(canvas) == []

    canvas.keyboard.press("+")
    assert canvas.evaluate(zoom) > 3
    canvas.keyboard.press("0")
    assert canvas.evaluate(zoom) == 1
    assert screen_point(canvas, *CENTRE) == pytest.approx((x, y), abs=0.5)
    canvas.get_by_role("button", name="Zoom in").click()
    assert canvas.evaluate(zoom) == 1.5
    canvas.mouse.dblclick(*screen_point(canvas, 100, 50))
    assert canvas.evaluate(zoom) == 1


def test_a_drag_draws_a_box_where_the_page_wants_one(canvas: Page) -> None:
    button = canvas.locator("[data-do=draw]")
    expect(button).to_be_hidden()
    rerun(canvas, pack(PIXELS, GROUPS, draw=True))
    expect(button).to_have_attribute("aria-pressed", "true")
    canvas.mouse.move(*screen_point(canvas, 120, 70))
    canvas.mouse.down()
    canvas.mouse.move(*screen_point(canvas, 80, 40), steps=3)
    canvas.mouse.move(*screen_point(canvas, 30, 20))
    canvas.mouse.up()
    ((name, box),) = sent(canvas)
    assert name == "drawn"
    assert box == pytest.approx([30, 20, 120, 70], abs=0.3)
    # It stays within the image, and the button gives the pointer back.
    canvas.mouse.move(*screen_point(canvas, 150, 50))
    canvas.mouse.down()
    canvas.mouse.move(*screen_point(canvas, 230, 150), steps=3)
    canvas.mouse.up()
    assert sent(canvas)[0][1] == pytest.approx([150, 50, WIDTH, HEIGHT], abs=0.3)
    canvas.mouse.move(*screen_point(canvas, 100, 50))
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_lines_lie_on_the_edges_of_their_boxes_in_their_colour(canvas: Page) -> None:
    x1, _, x2, y2 = ASIDE
    vermillion = (0xD5, 0x5E, 0x00, 255)
    for point in ((x1, 70), (x2, 70), (170, y2)):
        assert color_at(canvas, *point) == vermillion
    assert color_at(canvas, 175, 70)[3] == 0
    # The chosen one is pointed out, and the others step back.
    click(canvas, *CENTRE)
    assert color_at(canvas, INNER[0], 50)[:3] == (0xE6, 0x9F, 0x00)
    assert color_at(canvas, x1, 70)[3] < 200


def test_a_rerun_keeps_the_view_and_what_is_chosen_until_the_page_says_otherwise(canvas: Page) -> None:
    click(canvas, *CENTRE)
    canvas.keyboard.press("+")
    before = screen_point(canvas, *CENTRE)
    image = canvas.locator("img.image").get_attribute("src")
    rerun(canvas, pack(PIXELS, GROUPS))
    assert chosen(canvas) == (0, 1)
    renamed = [BoxGroup(GROUPS[0].boxes, "other", "#0072B2", hover=("o", "i")), *GROUPS[1:]]
    rerun(canvas, pack(PIXELS, renamed))
    assert chosen(canvas) == (0, 1)
    assert screen_point(canvas, *CENTRE) == before
    assert canvas.locator("img.image").get_attribute("src") == image

    rerun(canvas, pack(PIXELS, renamed, selected=(1, 1)))
    assert chosen(canvas) == (1, 1)
    rerun(canvas, pack(PIXELS, renamed))
    assert chosen(canvas) is None

    rerun(canvas, pack(PIXELS // 2, renamed))
    assert canvas.evaluate("window.root.canvas.view.zoom") == 1
    assert canvas.locator("img.image").get_attribute("src") != image


def test_a_cleanup_that_was_overtaken_leaves_the_canvas_alone(canvas: Page) -> None:
    canvas.evaluate("window.first = window.cleanUp")
    rerun(canvas, pack(PIXELS, GROUPS, selected=(1, 1)))
    canvas.evaluate("window.first()")
    click(canvas, *CENTRE)
    assert len(sent(canvas)) == 1
    canvas.evaluate("window.cleanUp()")
    assert canvas.evaluate("window.root.canvas === undefined")


def test_it_says_in_words_what_is_drawn(canvas: Page) -> None:
    words = canvas.locator(".words")
    expect(words).to_contain_text("first, 2 boxes: outer; <b>inner</b>.")
    expect(words).to_contain_text("second, 2 boxes: m 0.9; a 0.4.")
    expect(canvas.locator(".stage")).to_have_attribute("aria-describedby", "words")
    click(canvas, *CENTRE)
    expect(canvas.locator(".said")).to_contain_text("inner")


def test_the_picture_fills_its_column_and_is_no_higher_than_the_window(page: Page) -> None:
    mount(page, pack(PIXELS, GROUPS), width=700)
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    assert (stage["width"], stage["height"]) == pytest.approx((700, 350), abs=1)
    tall = torch.zeros((3, 400, 100), dtype=torch.uint8)
    mount(page, pack(tall, []), width=700)
    stage = page.locator(".stage").bounding_box()
    window = page.viewport_size
    assert stage is not None
    assert window is not None
    assert stage["height"] == pytest.approx(0.85 * window["height"], abs=2)
    assert stage["width"] == pytest.approx(stage["height"] / 4, abs=2)


def test_lines_are_whole_pixels_on_a_fine_screen(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 700}, device_scale_factor=2)
    try:
        mount(page, pack(PIXELS, GROUPS[1:2]))
        assert page.evaluate("window.root.canvas.surface.width") == 1600
        column = page.evaluate(
            """() => {
              const { view, painter, surface } = window.root.canvas;
              const y = Math.round((70 * view.scale + view.y) * painter.ratio);
              const row = painter.pen.getImageData(0, y, surface.width, 1).data;
              return Array.from(row.filter((_, n) => n % 4 === 3)).filter((alpha) => alpha > 0);
            }"""
        )
        # Four upright edges of two boxes, 2 px wide each, that is four pixels of this screen; none half covered.
        assert column == [255] * 16
    finally:
        page.close()


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
