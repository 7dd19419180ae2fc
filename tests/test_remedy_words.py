"""Remedies and prices in words, as the Why? page says them."""

from __future__ import annotations

import pytest
from support.lost import lost_replay

from detector import GroundTruth, diagnose
from detector.explaining.ladder_text import RUNG_NAMES
from detector.explaining.price import Price
from detector.explaining.remedies import remedy_for
from detector.explaining.rungs import Rung
from detector.judging.price_on import DatasetPrice
from viz_app.figures.remedy_words import (
    FIELD_WORDS,
    change_words,
    dataset_price_words,
    effect_words,
    number_words,
    plain_words,
    price_words,
    title_words,
)
from viz_app.sidebar.knobs import BOX_KNOBS, RPN_KNOBS


def test_the_words_of_fields_are_those_of_the_sliders() -> None:
    assert {knob.field: knob.label for knob in (*RPN_KNOBS, *BOX_KNOBS)} == FIELD_WORDS


def test_a_remedy_is_said_with_its_values() -> None:
    replayer, replay = lost_replay(Rung.ROI_CLASS)
    assert isinstance(replay.trace.ground_truth, GroundTruth)
    diagnosis = diagnose(replay, replay.trace.ground_truth)
    remedy = remedy_for(replayer, diagnosis, diagnosis.verdicts[0])
    assert remedy is not None
    assert change_words(remedy).startswith("Score 0.05 → 0.0")
    assert title_words(remedy) == "Smallest change"
    assert effect_words(remedy, "#0") == "Brings #0 back (verified by replay)."
    assert price_words(remedy.price).startswith("Price on this image: +")


@pytest.mark.parametrize(
    ("value", "before", "said"),
    [
        (0.5880137681, 0.5, "0.588014"), (0.5880131, 0.5, "0.588014"), (0.5880139, 0.7, "0.588013"),
        (0.43, 0.5, "0.43"), (2.00000049e-05, 0.5, "2e-05"), (0.6, 0.5, "0.6"), (0.0, 0.5, "0"), (1.0, 0.9, "1"),
        (1200, 100, "1,200"), (0.99999999, 0.5, "1"),
    ],
)  # fmt: skip
def test_a_value_that_is_said_is_no_smaller_a_change_than_the_one_that_works(
    value: float, before: float, said: str
) -> None:
    assert number_words(value, before) == said
    read = float(said.replace(",", ""))
    assert abs(read - before) >= abs(value - before) - 1e-12 and abs(read - value) <= 1.01e-5 * abs(value)


def test_names_of_the_engine_are_said_as_the_app_shows_them() -> None:
    said = plain_words(
        "6 are lost at ROI_CLASS, 2 at BOX_NMS: lower box_score, not rpn_nms; my_box_score stays"
    )
    assert (
        said == "6 are lost at RoI class, 2 at Box NMS: lower “Score”, not “RPN NMS IoU”; my_box_score stays"
    )


@pytest.mark.parametrize(
    ("price", "known", "said"),
    [
        (Price(), True, "none, no detection comes or goes."),
        (Price(came_true=(3,)), True, "+1 detection, a true one."),
        (Price(came_true=(3,), came_false=(4, 5)), True, "+3 detections, 2 of them false."),
        (Price(came_false=(4, 5), went_true=(1,), lost=(2,)), True,
         "+2 detections, all false; −1 detection, a true one; #2 lost by it."),
        (Price(came_false=(4, 5), turned_false=(1,)), True, "+2 detections, all false; 1 detection turned false."),
        (Price(came_true=(3,), came_false=(4, 5)), False, "+3 detections."),
    ],
)  # fmt: skip
def test_a_price_is_one_sentence(price: Price, known: bool, said: str) -> None:
    assert price_words(price, known=known) == f"Price on this image: {said}"


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (DatasetPrice(2, 9), "On 2 images of shapes:2 (9 objects): no detection comes or goes."),
        (DatasetPrice(3, 9, came_true=2, came_false=5, found=((0, 1), (2, 0)), skipped=("a",)),
         "On 3 images of shapes:2 (9 objects): +2 true, +5 false; 2 objects found by it, 0 lost. "
         "1 image could not be used."),
        (DatasetPrice(1, 1, went_true=1, lost=((0, 0),)),
         "On 1 image of shapes:2 (1 object): −1 true, −0 false; 0 objects found by it, 1 lost."),
    ],
)  # fmt: skip
def test_a_price_on_a_data_set_is_said_with_its_images(price: DatasetPrice, said: str) -> None:
    assert dataset_price_words(price, "shapes:2") == said


def test_names_of_rungs_are_short_and_complete() -> None:
    assert set(RUNG_NAMES) == set(Rung) and max(map(len, RUNG_NAMES.values())) <= 12
