"""The canvas under a real pointer and keyboard, in a bare page, where nothing else can answer."""

import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from support.canvas_mount import chosen, color_at, mount, rerun, screen_point, sent

from viz_app.canvas.packet import pack
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
