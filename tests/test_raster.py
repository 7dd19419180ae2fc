"""Pictures drawn as pixels: the colours on, beside and between the lines, and the sheet they are laid out on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from viz_app.figures.lettering import Lettering
from viz_app.figures.palette import rgba, text_on
from viz_app.figures.picture import BoxGroup, legend_words, picture
from viz_app.figures.raster import box_coverage, draw_picture
from viz_app.figures.sheet import Panel, Sheet, draw_legend, draw_sheet, sheet_html

GREY = torch.full((3, 40, 60), 100, dtype=torch.uint8)
BOX = torch.tensor([[10.0, 5.0, 50.0, 35.0]])
AS_IS = (60, 60)


def drawn(
    *groups: BoxGroup, sides: tuple[int, int] = AS_IS, overlay: torch.Tensor | None = None
) -> np.ndarray:
    return draw_picture(GREY, groups, sides=sides, overlay=overlay)


def test_a_line_of_two_pixels_covers_the_pixels_on_either_side_of_the_edge() -> None:
    image = drawn(BoxGroup(BOX, "box", "#C80000", width=2))
    for row in (4, 5, 34, 35):
        assert image[row, 30].tolist() == [200, 0, 0]
    for column in (9, 10, 49, 50):
        assert image[20, column].tolist() == [200, 0, 0]
    for row, column in ((3, 30), (6, 30), (33, 30), (36, 30), (20, 8), (20, 11), (20, 30)):
        assert image[row, column].tolist() == [100, 100, 100]
    assert image[4, 9].tolist() == [200, 0, 0], "corners are closed"


def test_a_pixel_that_is_half_covered_is_half_coloured() -> None:
    image = drawn(BoxGroup(BOX, "box", "#C80000", width=1))
    assert image[4, 30].tolist() == image[5, 30].tolist() == [150, 50, 50]
    faint = drawn(BoxGroup(BOX, "box", "#C80000", width=2, opacity=0.5))
    assert faint[5, 30].tolist() == [150, 50, 50]


def test_coverage_adds_up_to_the_area_of_the_outline() -> None:
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        x, y, w, h = (torch.rand(4, generator=generator) * 10 + 6).tolist()
        width = 0.5 + 3 * float(torch.rand((), generator=generator))
        covered = box_coverage(np.array([[x, y, x + w, y + h]]), (40, 40), width)
        outline = (w + width) * (h + width) - (w - width) * (h - width)
        # Where two edges meet within one pixel the higher coverage counts, not the union.
        assert covered.sum() == pytest.approx(outline, abs=4 * 0.3)
        assert covered.max() <= 1


def test_dashes_and_gaps_are_of_one_length() -> None:
    covered = box_coverage(np.array([[10.0, 10.0, 90.0, 60.0]]), (80, 120), 2.0, dash=5)
    line = covered[10, 10:90]
    assert line[:5].tolist() == [1.0] * 5 and line[5:10].tolist() == [0.0] * 5
    assert line.mean() == pytest.approx(0.5, abs=0.02)
    image = drawn(BoxGroup(BOX, "box", "#C80000", dash="dot", width=3, halo="rgba(0,0,255,1.0)"))
    colors = {tuple(color) for color in image[5, 11:49].tolist()}
    assert colors == {(200, 0, 0), (0, 0, 255)}, "the halo runs on beneath the gaps"


def test_a_small_image_is_enlarged_by_a_whole_number_and_a_large_one_reduced() -> None:
    image = draw_picture(GREY, [BoxGroup(BOX, "box", "#C80000")])
    assert image.shape == (440, 660, 3)
    assert image[5 * 11, 30 * 11].tolist() == [200, 0, 0]
    small = draw_picture(GREY, [BoxGroup(BOX, "box", "#C80000")], sides=(10, 30))
    assert small.shape == (20, 30, 3)
    assert small[2, 15].tolist() != [100, 100, 100]


def test_the_overlay_is_stretched_beneath_the_boxes() -> None:
    overlay = torch.tensor([[[0, 200, 0, 255], [0, 0, 200, 0]]], dtype=torch.uint8)
    image = drawn(BoxGroup(BOX, "box", "#C80000"), overlay=overlay)
    assert image[20, 29].tolist() == [0, 200, 0]
    assert image[20, 30].tolist() == [100, 100, 100], "clear on the right"
    assert image[5, 20].tolist() == [200, 0, 0]


def test_a_label_stands_above_its_box_and_not_on_another() -> None:
    pixels = torch.full((3, 200, 200), 100, dtype=torch.uint8)
    boxes = torch.tensor([[20.0, 100, 120, 180], [20.0, 100, 121, 181]])
    one = draw_picture(pixels, [BoxGroup(boxes[:1], "a", "#0000C8", labels=("seal",))], sides=(200, 200))
    two = draw_picture(pixels, [BoxGroup(boxes, "a", "#0000C8", labels=("seal", "seal"))], sides=(200, 200))
    ground = (0, 0, 200)
    above, inside = (slice(86, 98), slice(21, 40)), (slice(103, 115), slice(23, 40))
    assert (one[above] == ground).all(axis=2).mean() > 0.3
    assert (one[inside] == ground).all(axis=2).mean() < 0.1
    assert (two[inside] == ground).all(axis=2).mean() > 0.3


@pytest.mark.parametrize("box", [[-500.0, -500, 900, 900], [70.0, 50, 90, 60], [5.0, 5, 5, 5]])
def test_boxes_outside_and_without_area_do_no_harm(box: list[float]) -> None:
    image = drawn(BoxGroup(torch.tensor([box]), "box", "#C80000", labels=("x",), halo="rgba(0,0,0,0.5)"))
    assert image.shape == (40, 60, 3)


def test_a_box_that_is_not_finite_is_left_out() -> None:
    bad = torch.tensor([[float("nan"), 0, 10, 10], [0, 0, float("inf"), 10]])
    assert np.array_equal(drawn(BoxGroup(bad, "box", "#C80000", labels=("a", "b"))), drawn())


def test_colours_are_read_as_they_are_written() -> None:
    assert rgba("#0072B2") == ((0, 114, 178), 1.0)
    assert rgba("rgba(1, 2, 3, 0.25)") == ((1, 2, 3), 0.25)
    assert text_on("#F0E442") == "#111111" and text_on("#0072B2") == "#FFFFFF"
    with pytest.raises(ValueError, match="salmon"):
        rgba("salmon")


def test_text_is_wrapped_to_its_width_and_no_letter_is_lost() -> None:
    lettering = Lettering(14)
    text = "4 of 5 objects found, " + "x" * 90 + " and\na line"
    lines = lettering.wrapped(text, 200)
    assert all(lettering.size(line)[0] <= 200 for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(text.split())


def test_the_legend_names_every_group_within_its_width() -> None:
    groups = [BoxGroup(BOX.repeat(n + 1, 1), f"group {n}", "#C80000", total=50) for n in range(6)]
    assert legend_words(groups[1]) == "group 1 2 of 50"
    wide, narrow = draw_legend(groups, 1200), draw_legend(groups, 300)
    assert wide.shape[1] == 1200 and narrow.shape[1] == 300
    assert narrow.shape[0] > wide.shape[0]
    swatches = (wide == (200, 0, 0)).all(axis=2).any(axis=0)
    assert np.count_nonzero(np.diff(swatches.astype(int)) == 1) >= 5


def test_a_sheet_lays_its_pictures_side_by_side_on_white() -> None:
    panel = Panel("Boxes", (BoxGroup(BOX, "box", "#C80000"),), note="One box.")
    single = draw_sheet(Sheet("One", GREY, (panel,)))
    four = draw_sheet(Sheet("Four", GREY, (panel,) * 4, words=("Some words.",)))
    assert (single[0] == 255).all() and (single[:, 0] == 255).all()
    assert four.shape[1] > 3 * 480
    red = (four == (200, 0, 0)).all(axis=2)
    assert red[: four.shape[0] // 2].sum() > red[four.shape[0] // 2 :].sum() > 0, "three above, one below"


def test_a_sheet_as_html_escapes_names_and_needs_no_network() -> None:
    group = BoxGroup(BOX, "<b>box</b>", "#C80000", labels=("</script><img src=x>",), hover=("<i>",))
    page = sheet_html(Sheet("<script>alert(1)</script>", GREY, (Panel("<u>", (group,), note="a < b"),)))
    for text in ("<script>alert", "<b>box", "<u>", "a < b", "</script><img"):
        assert text not in page
    assert "Plotly.newPlot" in page and 'src="http' not in page and "<link" not in page


def test_plotly_gets_image_and_overlay_as_two_pictures() -> None:
    """Plotly tells layout images apart by place and size alone, and draws only the first of two that agree."""
    overlay = torch.zeros((2, 2, 4), dtype=torch.uint8)
    images = picture(GREY, overlay=overlay).layout.images
    assert len({(image.x, image.y, image.sizex, image.sizey) for image in images}) == len(images) == 2
    assert images[1].sizex == pytest.approx(60, abs=1e-6)
