"""Figures of a comparison, and of an image as a run saw it, by their values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from detector.data.shapes import ShapesDataset
from detector.explaining.rungs import Rung
from detector.judging.comparison_records import Change, ComparedObject, Comparison, Interval
from detector.judging.confusion_cells import ConfusedPair, confused_pairs
from detector.judging.evaluation_records import ImageScore
from detector.judging.rows import Found, ImageReport, Truth
from viz_app.figures.compared_cards import change_words
from viz_app.figures.confusion_cards import confusion_items
from viz_app.figures.count_grid import CELLS
from viz_app.figures.difference import difference_figure, difference_words, price_words
from viz_app.figures.image_ranking import image_card, ranking_words
from viz_app.figures.side_by_side import SeenObject, outcome_groups, seen_of_compared, seen_on
from viz_app.figures.transitions import drawn_rungs, move_words, transitions_figure
from viz_app.jobs.kept_reports import KeptDetection

NAMES = ("background", "cat", "dog")
BOX = (10.0, 10.0, 30.0, 30.0)


def compared(a: str, b: str, number: int = 0) -> ComparedObject:
    scores = (0.62 if a == "FOUND" else None, 0.43 if b == "FOUND" else None)
    reasons = ("found" if a == "FOUND" else "scored as dog", "found" if b == "FOUND" else "suppressed")
    change = {(True, True): Change.KEPT, (True, False): Change.LOST, (False, True): Change.GAINED}.get(
        (a == "FOUND", b == "FOUND"), Change.STILL_LOST
    )
    return ComparedObject(3, "x.png", number, 7, "cat", "small", BOX, a, b, *scores, *reasons, change)


def comparison(difference: float | None, low: float | None, high: float | None) -> Comparison:
    interval = Interval(low, high, 0.95, 1000, 0, 0.9)
    # Neither words nor figure look at the evaluations.
    none: object = None
    return Comparison(
        "a", "b", "d", none, none, 0.5, None, difference, interval, (), np.zeros((12, 12)), 0, 0, 0  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.02, 0.01, 0.03, "B has the better AP, and not by chance"),
        (-0.02, -0.03, -0.01, "A has the better AP, and not by chance"),
        (0.02, -0.01, 0.05, "That may be chance"),
        (0.0, 0.0, 0.0, "Both have the same AP"),
        (None, None, None, "There is no object"),
    ],
)
def test_the_difference_says_whether_it_is_more_than_chance(
    value: float | None, low: float | None, high: float | None, said: str
) -> None:
    one = comparison(value, low, high)
    assert said in difference_words(one)
    figure = difference_figure(one)
    assert len(figure.data) == (0 if value is None else 2)
    if value is not None:
        assert list(figure.data[0].x) == [low, high] and list(figure.data[1].x) == [value]
        assert figure.layout.xaxis.range[0] < min(value, low or 0) and len(figure.layout.shapes) == 1


@pytest.mark.parametrize(
    ("value", "false_b", "said"),
    [
        (0.1, 30, "B makes 20 false detections more"),
        (-0.1, 9, "A makes 1 false detection more"),
        (0.1, 9, ""),
    ],
)
def test_the_price_of_a_better_ap_is_said(value: float, false_b: int, said: str) -> None:
    one = replace(comparison(value, 0.0, 0.2), false_positives_a=10, false_positives_b=false_b)
    assert said in price_words(one) and bool(price_words(one)) is bool(said)


def test_transitions_show_every_move_under_its_own_click() -> None:
    moves = np.zeros((12, 12), dtype=np.int64)
    moves[Rung.BOX_NMS, Rung.FOUND], moves[Rung.FOUND, Rung.ROI_CLASS], moves[Rung.FOUND, Rung.FOUND] = (
        5,
        2,
        90,
    )
    assert drawn_rungs(moves) == [Rung.ROI_CLASS, Rung.BOX_NMS, Rung.FOUND]
    figure = transitions_figure(moves, "BOX_NMS.FOUND")
    cells = next(trace for trace in figure.data if trace.name == CELLS)
    said = dict(zip(cells.customdata, cells.hovertext, strict=True))
    assert said["BOX_NMS.FOUND"] == "5 objects: lost at Box NMS in A, found in B"
    assert set(said) == {"BOX_NMS.FOUND", "FOUND.ROI_CLASS", "FOUND.FOUND", ""}
    same, gained, lost, _ = (np.array(trace.z, dtype=float) for trace in figure.data[:4])
    assert gained[1, 2] == 1 and lost[2, 0] == pytest.approx(0.4) and np.isfinite(same).sum() == 3
    assert len(figure.layout.shapes) == 1 and move_words("still lost").endswith("found in neither")


def test_an_image_shows_what_a_run_found_lost_and_made_up() -> None:
    objects = (compared("FOUND", "BOX_NMS", 0), compared("BOX_NMS", "BOX_NMS", 1))
    detections = (KeptDetection(BOX, 1, 0.62, 0), KeptDetection((0, 0, 5, 5), 2, 0.8, -1))
    before = outcome_groups(seen_of_compared(objects, second=False), detections, NAMES, pointed=1)
    assert [(group.name, len(group)) for group in before] == [
        ("false positives", 1), ("found", 1), ("lost objects", 1), ("#1 cat", 1)
    ]  # fmt: skip
    assert before[0].hover == ("dog 0.80",) and before[2].hover == ("#1 cat: scored as dog",)
    after = outcome_groups(seen_of_compared(objects, second=True), (), NAMES)
    assert [len(group) for group in after] == [0, 0, 2]
    assert change_words(objects[0]) == "A: found 0.62 → B: suppressed"
    row = {"object": 4, "category": "cat", "x1": 1, "y1": 2, "x2": 3, "y2": 4, "rung": "FOUND", "reason": ""}
    table = pd.DataFrame([{"image_index": 0, **row}, {"image_index": 9, **row, "object": 5}])
    assert seen_on(table, 0) == (SeenObject(4, "cat", (1, 2, 3, 4), "FOUND", ""),) and seen_on(table, 1) == ()


def test_worst_images_carry_their_numbers() -> None:
    bad, good = ImageScore(3, "x.png", 0.25, 4, 1, 3, 2), ImageScore(0, "y.png", 1.0, 2, 2, 2, 0)
    said = ranking_words((good, bad, ImageScore(1, "z.png", None, 0, 0, 0, 0)))
    assert said.startswith("On 1 of 2 images everything is found") and "x.png is worst with AP 0.25" in said
    pixels = torch.zeros((3, 40, 80), dtype=torch.uint8)
    card = image_card(bad, pixels, seen_of_compared([compared("BOX_NMS", "FOUND")], second=False), (), NAMES)
    assert (card.title, card.note, card.place) == ("AP 0.25", "1 of 4 found, 2 false", "x.png")
    assert card.picture.shape == (240, 240, 3) and card.picture.max() > 128, "the lost object is drawn"
    assert "No image holds an object" in ranking_words(())


def report() -> ImageReport:
    """Object 0 found as another class, object 1 missed, a crowd region with a detection in it, one on nothing."""
    far, crowd = (100.0, 100.0, 130.0, 130.0), (60.0, 0.0, 90.0, 30.0)
    truth = (Truth(BOX, 1, False, 400), Truth(far, 2, False, 900), Truth(crowd, 1, True, 900))
    found = (
        Found((0.0, 90.0, 20.0, 110.0), 1, 0.9, -1), Found(BOX, 2, 0.8, -1),
        Found(crowd, 1, 0.7, 2), Found(far, 2, 0.3, 1),
    )  # fmt: skip
    return ImageReport(5, "x", (140, 140), truth=truth, detections=found)


def test_each_pair_of_a_confusion_knows_its_object_and_its_detection() -> None:
    pairs = list(confused_pairs([report()], 0.5, 0.5))
    assert sorted((p.true, p.found, p.object, p.detection) for p in pairs) == [
        (0, 1, -1, 0), (1, 2, 0, 1), (2, 0, 1, -1)
    ]  # fmt: skip
    low = list(confused_pairs([report()], 0.2, 0.5))
    assert (2, 2, 1, 3) in [(p.true, p.found, p.object, p.detection) for p in low], "a lower score finds it"
    assert next(p for p in pairs if p.object == 1).detection_box is None


def test_cards_of_a_cell_lead_to_their_object_or_to_the_anchor_of_the_detection() -> None:
    dataset = ShapesDataset(1, 3)
    pairs = [replace(pair, image_index=0) for pair in confused_pairs([report()], 0.5, 0.5)]
    items = {
        (pair.true, pair.found): item
        for pair, item in zip(pairs, confusion_items(pairs, dataset, NAMES, {(0, 0): 17}), strict=True)
    }
    assert str(items[1, 2].selected) == "object.0" and items[1, 2].card.note == "found as dog 0.80"
    assert str(items[0, 1].selected) == "detection.17.1" and items[0, 1].card.title == "cat 0.90"
    assert items[2, 0].card.note == "not found as anything"
    alone = ConfusedPair(0, 0, 1, -1, 9, None, BOX, 0.5)
    assert confusion_items([alone], dataset, NAMES, {})[0].selected is None, "its anchor is not known"
