"""P2 and P4: AP over the epochs, and the bands of what each rung loses."""

from __future__ import annotations

import pytest

from detector.explaining.rungs import Rung
from detector.training.metrics_log import EpochRow
from viz_app.figures.epoch_curves import ap_figure, epoch_name, overlaid_recall, recall_figure
from viz_app.figures.palette import FOUND
from viz_app.figures.run_curves import RunCurve, run_color
from viz_app.figures.waterfall import rung_color

RUNGS = [rung.name for rung in Rung if rung is not Rung.FOUND]
LAST = RUNGS[-1]


def row(epoch: int, ap: float | None, *alive: float) -> EpochRow:
    recall = (
        dict(zip(RUNGS, [*alive, *[alive[-1]] * (len(RUNGS) - len(alive))], strict=True)) if alive else {}
    )
    return EpochRow(epoch, 10 * (epoch + 1), ap, ap, ap, None, None, None, recall, 40, 1.0)


ROWS = [row(-1, 0.3, 1.0, 0.9, 0.5), row(0, 0.2, 1.0, 1.0, 0.6), row(1, 0.25, 1.0, 1.0, 0.75), row(2, None)]


def curve(place: int = 0, rows: list[EpochRow] = ROWS) -> RunCurve:
    return RunCurve(f"run {place}", [], rows, None, run_color(place))


def test_the_bands_add_up_to_all_objects_in_every_epoch() -> None:
    figure = recall_figure(curve())
    assert [trace.name for trace in figure.data] == ["found", "lost at RPN rank", "lost at RPN box"]
    assert [sum(shares) for shares in zip(*(trace.y for trace in figure.data), strict=True)] == pytest.approx(
        [100] * 3
    )
    assert list(figure.data[0].y) == pytest.approx([50, 60, 75]) and figure.data[0].line.color == FOUND
    assert list(figure.data[2].y) == pytest.approx([10, 0, 0])
    assert figure.data[2].line.color == rung_color("RPN_BOX")
    assert list(figure.layout.xaxis.ticktext) == ["start", "1", "2"]


def test_the_star_is_the_best_epoch_of_the_training_not_what_it_began_with() -> None:
    figure = ap_figure([curve()])
    star = figure.data[-1]
    assert (list(star.x), list(star.y), star.text[0]) == ([1], [0.25], "0.250")
    assert [trace.name for trace in figure.data[:3]] == ["AP50", "AP75", "AP"]
    assert list(figure.data[2].y) == [0.3, 0.2, 0.25, None]


def test_several_runs_are_lines_of_their_own_colour() -> None:
    runs = [curve(0), curve(1, ROWS[:2])]
    ap = [trace for trace in ap_figure(runs).data if trace.mode != "markers+text"]
    assert [trace.name for trace in ap] == ["run 0", "run 1"]
    recall = overlaid_recall(runs, LAST).data
    assert [list(trace.y) for trace in recall] == [pytest.approx([50, 60, 75]), pytest.approx([50, 60])]
    assert [trace.line.color for trace in recall] == [run_color(0), run_color(1)]


def test_a_run_without_a_validation_has_empty_charts() -> None:
    for figure in (
        recall_figure(curve(0, [])),
        ap_figure([curve(0, [])]),
        overlaid_recall([curve(0, [])], LAST),
    ):
        assert not any(len(trace.x) for trace in figure.data)
    assert [epoch_name(epoch) for epoch in (-1, 0, 9)] == ["start", "1", "10"]
