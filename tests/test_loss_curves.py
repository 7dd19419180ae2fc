"""P1 and P4: how thousands of steps become lines, against slow loops; what is drawn where."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.training.metrics_log import StepRow
from viz_app.figures.loss_curves import LOSSES, losses_figure, overlaid_losses, pace_figure
from viz_app.figures.run_curves import (
    MOST_POINTS,
    RunCurve,
    epoch_ends,
    finished,
    run_color,
    smoothed,
    thinned,
)


def rows(count: int, seed: int = 0) -> list[StepRow]:
    values = np.random.default_rng(seed).uniform(0.1, 2.0, (count, 6))
    return [StepRow(i + 1, i // 10, *map(float, row[:4]), float(row[:4].sum()), *map(float, row[4:]), float(i))
            for i, row in enumerate(values)]  # fmt: skip


def curve(count: int, place: int = 0) -> RunCurve:
    return RunCurve(f"run {place}", rows(count, place), [], 1.0, run_color(place))


@pytest.mark.parametrize("count", [1, 4, 60, 301, 5000])
def test_the_strong_line_is_the_mean_of_the_latest_steps(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    values[count // 2] = math.nan
    window = min(max(count // 20, 5), 100)
    for place, mean in enumerate(smoothed(values).tolist()):
        latest = [v for v in values[max(0, place - window + 1) : place + 1].tolist() if math.isfinite(v)]
        assert (mean == pytest.approx(sum(latest) / len(latest))) if latest else math.isnan(mean)


@pytest.mark.parametrize("count", [1, 999, MOST_POINTS, MOST_POINTS + 1, 12_345])
def test_a_thinned_line_keeps_its_ends_and_every_peak(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    places = thinned(values)
    assert len(places) <= MOST_POINTS + 2 and (np.diff(places) > 0).all()
    assert {0, count - 1, int(values.argmax()), int(values.argmin())} <= set(places.tolist())
    if count <= MOST_POINTS:
        assert len(places) == count


def test_each_loss_is_a_line_through_its_steps_and_epochs_are_parted() -> None:
    one = curve(25)
    figure = losses_figure(one)
    named = {trace.name: trace for trace in figure.data if trace.showlegend}
    assert list(named) == [name for name, _ in LOSSES.values()]
    faint = next(trace for trace in figure.data if trace.name == "RPN box" and not trace.showlegend)
    assert list(faint.y) == [row.rpn_bbox for row in one.steps] and list(faint.x) == list(range(1, 26))
    assert (
        [shape.x0 for shape in figure.layout.shapes]
        == [step + 0.5 for step in epoch_ends(one.steps)]
        == [10.5, 20.5]
    )


def test_the_bound_of_the_gradient_is_a_line_and_a_single_step_is_a_point() -> None:
    figure = pace_figure([curve(25)])
    norms = [trace for trace in figure.data if trace.yaxis == "y2"]
    assert list(norms[0].y) == [row.grad_norm for row in rows(25)]
    assert [shape.y0 for shape in figure.layout.shapes] == [1.0]
    assert {trace.mode for trace in pace_figure([curve(1)]).data} == {"markers"}


def test_several_runs_have_a_panel_for_each_loss_and_a_colour_each() -> None:
    runs = [curve(25, 0), curve(40, 1)]
    figure = overlaid_losses(runs)
    assert [trace.name for trace in figure.data if trace.showlegend] == ["run 0", "run 1"]
    assert {trace.line.color for trace in figure.data} == {run_color(0), run_color(1)}
    assert len({trace.yaxis for trace in figure.data}) == len(LOSSES)
    last = [trace for trace in figure.data if trace.yaxis == "y5" and trace.opacity]
    assert [list(trace.y) for trace in last] == [[row.fast_rcnn_bbox for row in run.steps] for run in runs]


def test_a_finished_chart_is_drawn_as_it_was() -> None:
    figure = losses_figure(curve(25))
    before = figure.to_json()
    assert finished(figure).to_json() == before and figure.to_dict() is figure.to_dict()
