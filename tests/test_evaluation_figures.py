"""Figures of an evaluation by their values: what is drawn is what the records say, and each cell knows itself."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from detector.judging.evaluation_records import Calibration, CalibrationBin, CategoryScore, Confusion, Curves
from viz_app.figures.average_precision import (
    average_precision_figure,
    average_precision_words,
    lowest_first,
    picked_group,
)
from viz_app.figures.calibration import calibration_figure, calibration_words, worst_bin
from viz_app.figures.confusion import (
    MOST_CATEGORIES,
    cell_words,
    confusion_figure,
    confusion_words,
    drawn_labels,
    most_confused,
)
from viz_app.figures.count_grid import CELLS
from viz_app.figures.precision_recall import (
    MOST_CURVES,
    average_precisions,
    curve_words,
    precision_recall_figure,
)

NAMES = ("background", "cat", "dog", "bird")


def confusion(counts: list[list[int]], names: tuple[str, ...] = NAMES) -> Confusion:
    return Confusion(np.array(counts), names, 0.5, 0.5)


def curves(*reached: float) -> Curves:
    """For each category a curve of precision 1 up to this recall at IoU .50, half of it at .55; -1: no objects."""
    recalls = np.linspace(0, 1, 101)
    precision = np.zeros((10, 101, len(reached)))
    for k, end in enumerate(reached):
        precision[0, :, k] = np.where(recalls <= end, 1.0, 0.0) if end >= 0 else -1
        precision[1, :, k] = precision[0, :, k] / 2 if end >= 0 else -1
        precision[2:, :, k] = 0 if end >= 0 else -1
    return Curves(np.linspace(0.5, 0.95, 10), recalls, precision, precision * 0.9)


def areas(figure: go.Figure) -> dict[str, tuple[float, float]]:
    """(column, row) of the middle of every cell that answers a click, by its key."""
    trace = next(trace for trace in figure.data if trace.name == CELLS)
    middles = np.array(trace.base) + np.array(trace.y) / 2
    return {key: (x, y) for key, x, y in zip(trace.customdata, trace.x, middles, strict=True) if key}


def texts(figure: go.Figure) -> dict[tuple[int, int], str]:
    """What stands in each cell, by (row, column)."""
    found = {}
    for trace in figure.data:
        if isinstance(trace, go.Scatter) and trace.mode == "text":
            found |= {(y, x): text for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)}
    return found


MATRIX = confusion([[0, 2, 0, 1], [3, 10, 4, 0], [0, 1, 20, 0], [1, 0, 0, 5]])


def test_every_count_of_the_confusion_matrix_stands_in_its_own_clickable_cell() -> None:
    figure = confusion_figure(MATRIX, "1.2")
    order, written, clicks = [1, 2, 3, 0], texts(figure), areas(figure)
    for row, true in enumerate(order):
        for column, found in enumerate(order):
            count = int(MATRIX.counts[true, found])
            if true == found == 0:
                assert (row, column) not in written
                continue
            assert written[row, column] == (str(count) if count else "·")
            assert (f"{true}.{found}" in clicks) is (count > 0), "an empty cell answers no click"
            if count:
                assert clicks[f"{true}.{found}"] == pytest.approx((column, row))
    assert list(figure.layout.xaxis.ticktext) == ["cat", "dog", "bird", "missed"]
    frame = figure.layout.shapes[0]
    assert (frame.x0 + frame.x1) / 2 == pytest.approx(1) and (frame.y0 + frame.y1) / 2 == pytest.approx(0)


def test_right_cells_are_of_one_colour_and_wrong_ones_of_another() -> None:
    right, wrong = confusion_figure(MATRIX).data[:2]
    assert np.isfinite(np.array(right.z, dtype=float)).sum() == 3
    assert np.isfinite(np.array(wrong.z, dtype=float)).sum() == 16 - 3 - 1
    assert right.z[0][0] == pytest.approx(10 / 17), "the shade is the share of the row"


def test_confusion_is_said_with_its_own_numbers() -> None:
    assert confusion_words(MATRIX).startswith("35 of 44 objects are found as what they are")
    assert confusion_words(MATRIX).endswith("cat is taken for dog, 4 times.")
    assert most_confused(np.eye(4, dtype=int)) is None
    assert "no class is taken for another" in confusion_words(confusion(np.eye(4, dtype=int).tolist()))
    assert cell_words(MATRIX, 0, 1) == "2 detections of cat on no object"
    assert cell_words(MATRIX, 3, 0) == "1 object: bird, not found as anything"


def test_of_many_categories_those_that_are_mixed_up_are_drawn() -> None:
    size = MOST_CATEGORIES + 11
    counts = np.eye(size, dtype=int) * 5
    counts[0, 0] = 0
    counts[size - 1, size - 2] = 1
    big = Confusion(counts, tuple(map(str, range(size))), 0.5, 0.5)
    drawn = drawn_labels(big)
    assert len(drawn) == MOST_CATEGORIES and {size - 1, size - 2} <= set(drawn) and drawn == sorted(drawn)
    assert drawn_labels(confusion([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])) == [1]


def test_curves_end_where_they_fall_and_stand_by_ap() -> None:
    labels = {"cat": 1, "dog": 2, "none": 3}
    found = curves(0.5, 0.8, -1)
    values = average_precisions(found, labels, 0.5)
    assert list(values) == ["cat", "dog"] and values["cat"] == pytest.approx(51 / 101)
    figure = precision_recall_figure(found, labels, 0.5)
    assert [trace.name for trace in figure.data] == ["cat 0.50", "dog 0.80", "mean 0.65"]
    first = np.array(figure.data[0].y, dtype=float)
    assert (first[:51] == 1).all() and first[51] == 0 and np.isnan(first[52:]).all()
    assert "weakest is cat with 0.50, whose curve ends at a recall of 0.50" in curve_words(found, labels, 0.5)
    half = precision_recall_figure(found, labels, 0.55)
    assert half.data[0].name == "cat 0.25", "another IoU has curves of its own"
    assert "of which none is found" in curve_words(found, labels, 0.9)
    assert curve_words(curves(-1), {"none": 1}, 0.5).startswith("There is no object")


def test_of_many_curves_the_lowest_have_colours() -> None:
    many = curves(*(0.1 * (k % 10) for k in range(12)))
    figure = precision_recall_figure(many, {str(k): k for k in range(1, 13)}, 0.5)
    *each, _ = figure.data
    assert [bool(trace.showlegend) for trace in each] == [False] * 5 + [True] * MOST_CURVES, (
        "the others beneath"
    )


def test_calibration_shows_each_bin_and_says_which_is_furthest_off() -> None:
    bins = (
        CalibrationBin(0.0, 0.25, 0.125, None, 0),
        CalibrationBin(0.25, 0.5, 0.4, 0.1, 1),
        CalibrationBin(0.5, 0.75, 0.6, 0.4, 20),
        CalibrationBin(0.75, 1.0, 0.95, 0.9, 80),
    )
    calibration = Calibration(bins, 0.082, 0.3, 0.5, 101)
    _, true, gaps, counts = calibration_figure(calibration).data
    assert list(true.y) == [0.1, 0.4, 0.9] and list(counts.y) == [1, 20, 80]
    assert np.allclose(np.array(gaps.base) + np.array(gaps.y), [0.4, 0.6, 0.95]), (
        "each ends at the mean score"
    )
    assert worst_bin(calibration) is bins[2], "a single detection does not make the worst bin"
    said = calibration_words(calibration)
    assert "0.082" in said and "too sure" in said and "40% of these 20 are true" in said
    empty = Calibration((bins[0],), None, None, 0.5, 0)
    assert "no detection" in calibration_words(empty) and len(calibration_figure(empty).data[1].x) == 0


SCORES = {
    "cat": CategoryScore(1, 0.4, 0.7, 0.3, 0.2, None, 0.5, 12, 15),
    "dog": CategoryScore(2, 0.1, 0.3, 0.05, 0.1, None, None, 3, 9),
    "none": CategoryScore(3, None, None, None, None, None, None, 0, 2),
}
STATISTICS = {"AP": 0.25, "AP50": 0.5, "AP75": 0.175, "AP_small": 0.15, "AP_medium": None, "AP_large": 0.5}


def test_ap_stands_by_class_and_size_lowest_first_with_its_objects() -> None:
    counts = {("cat", "small"): 8, ("cat", "large"): 4, ("dog", "small"): 3}
    figure = average_precision_figure(SCORES, STATISTICS, counts, ("cat", "small"))
    assert list(figure.layout.yaxis.ticktext) == ["all · 15", "dog · 3", "cat · 12"]
    written, clicks = texts(figure), areas(figure)
    assert written[0, 0] == "0.25" and written[1, 0] == "0.10" and written[2, 3] == "0.20"
    assert written[2, 4] == "–", "no medium cat"
    assert clicks["cat\nsmall"] == pytest.approx((3, 2)) and clicks["dog"][1] == pytest.approx(1)
    assert picked_group("cat\nsmall") == ("cat", "small") and picked_group("dog") == ("dog", None)
    assert not any(key.startswith(("all", "none")) for key in clicks)
    hover = " ".join(next(trace for trace in figure.data if trace.name == CELLS).hovertext)
    assert "cat, small: 0.200 on 8 objects" in hover and len(figure.layout.shapes) == 1
    assert lowest_first(SCORES) == ["dog", "cat"]
    said = average_precision_words(SCORES, STATISTICS)
    assert said == (
        "dog is lowest with AP 0.100 on 3 objects, cat highest with 0.400; by size, small objects reach 0.150 and "
        "large ones 0.500."
    )
