"""Pictures I4 and I5: samples of a data set with their boxes, and what the augmentation makes of one of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.data import GroundTruth, ShapesDataset, ground_truth_of
from detector.data.augmentation import Augmentation, augmented, draws_of
from detector.data.items import as_boxes
from viz_app.figures.augmented_samples import augmented_draws, augmented_sheet, dropped_words
from viz_app.figures.dataset_samples import (
    DataSample,
    category_groups,
    content_words,
    legend_groups,
    sample_card,
)
from viz_app.figures.gallery import gallery_html
from viz_app.figures.palette import category_color, rgba

NAMES = ("background", "cat", "dog")
TRUTH = GroundTruth(
    torch.tensor([[10.0, 10, 30, 30], [40, 5, 60, 25], [5, 35, 60, 45], [50, 30, 70, 40]]),
    torch.tensor([2, 1, 2, 2]),
    torch.tensor([False, False, True, False]),
)
STRONG = Augmentation(flip=0.5, scale=(0.5, 2.0), colour=0.5, crop=0.8)


def sample(truth: GroundTruth = TRUTH, height: int = 48, width: int = 80) -> DataSample:
    return DataSample("a<b>.png", torch.zeros((3, height, width), dtype=torch.uint8), truth)


def test_every_box_is_drawn_once_in_the_colour_of_its_category_and_crowd_is_dashed() -> None:
    groups = category_groups(TRUTH, NAMES)
    assert [(one.name, one.dash, len(one)) for one in groups] == [
        ("cat", "solid", 1), ("dog", "solid", 2), ("dog", "dash", 1)
    ]  # fmt: skip
    assert [one.color for one in groups] == [category_color(label) for label in (0, 1, 1)]
    drawn = torch.cat([one.boxes for one in groups]).tolist()
    assert sorted(drawn) == sorted(TRUTH.boxes.tolist())


def test_the_boxes_of_all_other_categories_are_faint() -> None:
    of = {one.name: one.opacity for one in category_groups(TRUTH, NAMES, only="cat")}
    assert of["cat"] == 1 and 0 < of["dog"] < 0.5
    assert {one.opacity for one in category_groups(TRUTH, NAMES)} == {1}


def test_a_card_shows_the_whole_image_with_its_boxes_where_they_are() -> None:
    only_cat = GroundTruth(TRUTH.boxes[1:2], TRUTH.labels[1:2])
    card = sample_card(sample(only_cat), NAMES)
    assert card.picture.shape == (144, 240, 3), "48 x 80 keeps its shape; the longer side is 240"
    blue = np.abs(card.picture.astype(int) - rgba(category_color(0))[0]).sum(axis=2) < 60
    rows, columns = blue.nonzero()
    assert (rows.min(), rows.max()) == pytest.approx((15, 75), abs=2)
    assert (columns.min(), columns.max()) == pytest.approx((120, 180), abs=2)


def test_a_card_of_one_category_shows_the_others_faintly() -> None:
    def strength(only: str | None) -> float:
        """How much of the orange of the dog's first box is on the card; the image is black."""
        picture = sample_card(sample(), NAMES, only).picture
        return float(picture[30 + 10 : 90 - 10, 28:33].astype(float).sum(axis=2).max(axis=1).mean())

    assert strength("dog") == strength(None) > 1.8 * strength("cat") > 0


def test_a_card_says_what_is_on_the_image_and_where_it_leads() -> None:
    card = sample_card(sample(), NAMES)
    assert (card.title, card.note, card.place) == ("a<b>.png", "3 dog, 1 cat", "80 × 48 px")
    markup = gallery_html([card])
    assert 'aria-label="a&lt;b&gt;.png, 3 dog, 1 cat: open it in Inspect"' in markup and "<b>" not in markup
    assert content_words(GroundTruth(torch.zeros((0, 4)), torch.zeros(0)), NAMES) == "no object"
    many = GroundTruth(torch.tensor([[0.0, 0, 1, 1]]).repeat(8, 1), torch.tensor([1, 1, 1, 2, 3, 4, 5, 6]))
    assert content_words(many, NAMES) == "3 cat, 1 dog, 1 category 3, 1 category 4 and 2 more"


def test_the_legend_counts_the_objects_of_all_samples() -> None:
    groups = legend_groups([sample(), sample()], NAMES)
    assert [(one.name, len(one)) for one in groups] == [("cat", 2), ("dog", 6)]


def test_the_draws_are_those_of_a_training_run_with_that_seed() -> None:
    item = ShapesDataset(4, seed=3, size=64)[2]
    draws = augmented_draws(item, "image 2", 2, STRONG, seed=5, epochs=4)
    assert torch.equal(draws.original.pixels, item[0]) and len(draws.drawn) == 4
    for epoch, one in enumerate(draws.drawn):
        pixels, target = augmented(item, STRONG, draws_of(5, epoch, 2))
        assert torch.equal(one.pixels, pixels) and torch.equal(one.truth.boxes, ground_truth_of(target).boxes)
    again = augmented_draws(item, "image 2", 2, STRONG, seed=6, epochs=4)
    assert any(
        a.pixels.shape != b.pixels.shape or not torch.equal(a.pixels, b.pixels)
        for a, b in zip(draws.drawn, again.drawn, strict=True)
    )


def test_boxes_follow_a_flip() -> None:
    item = ShapesDataset(1, seed=1, size=64)[0]
    draws = augmented_draws(item, "image 0", 0, Augmentation(flip=1.0), seed=0, epochs=1)
    x1, y1, x2, y2 = draws.original.truth.boxes.unbind(dim=1)
    assert torch.equal(draws.drawn[0].truth.boxes, torch.stack((64 - x2, y1, 64 - x1, y2), dim=1))
    assert torch.equal(draws.drawn[0].pixels, item[0].flip(2))
    assert draws.dropped == (0,) and dropped_words(draws) == "Over this draw every box was kept."


def test_dropped_boxes_are_counted() -> None:
    item = ShapesDataset(1, seed=1, size=64)[0]
    zoom = Augmentation(flip=0.0, scale=(3.0, 3.0), smallest_side=64.0)
    draws = augmented_draws(item, "image 0", 0, zoom, seed=0, epochs=2)
    whole = len(draws.original.truth)
    left = [len(one.truth) for one in draws.drawn]
    assert draws.dropped == tuple(whole - count for count in left) and sum(draws.dropped) > 0
    assert dropped_words(draws).startswith(
        f"Over these 2 draws {2 * whole - sum(left)} of {2 * whole} boxes were dropped"
    )
    empty = {"boxes": as_boxes(torch.zeros((0, 4)), (64, 64)), "labels": torch.zeros(0, dtype=torch.int64)}
    nothing = augmented_draws((item[0], empty), "x", 0, zoom, seed=0, epochs=1)
    assert "no object" in dropped_words(nothing)


def test_the_sheet_holds_the_original_and_every_draw() -> None:
    item = ShapesDataset(1, seed=1, size=64)[0]
    draws = augmented_draws(item, "image 0", 0, Augmentation(), seed=0, epochs=2)
    sheet = augmented_sheet(draws, ShapesDataset.categories)
    side = sheet.shape[0]
    assert sheet.dtype == np.uint8 and side >= 480 and sheet.shape[1] == 3 * side + 2 * 8
