"""The Tune page: a study read from its files, its best thresholds on the sliders, and one started by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page, expect
from support.app import calm, open_app, said, slider
from support.browser import PATIENCE_MS, wait_until_idle
from support.browser import open_app as open_page

from detector.training.tuning import StudyConfig, write_study
from detector.training.tuning_launch import prepare
from detector.training.tuning_results import StudyView, TrialRow
from detector.training.tuning_space import parameters_of
from detector.training.tuning_worker import Stopping, objective_of, work
from viz_app.app_pages.tune_result import trial_table
from viz_app.figures import study as figures
from viz_app.jobs import workspace

pytestmark = pytest.mark.usefixtures("fresh_caches")
TRIALS = 9


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a study that is done, and one that failed before its first trial."""
    place = tmp_path_factory.mktemp("workspace")
    failed = place / "studies" / "failed"
    write_study(failed, StudyConfig("failed", "thresholds", parameters_of("thresholds"), dataset="nowhere"))
    (failed / "problem.txt").write_text("there is no data set 'nowhere'")
    folder = place / "studies" / "done"
    parameters = parameters_of("thresholds", ["box_score", "box_nms=0.25..0.6"])
    config = StudyConfig("done", "thresholds", parameters, ("F1",), trials=TRIALS, dataset="shapes:4:3")
    opened = prepare(config, folder)
    work(opened, folder, objective_of(opened, folder), Stopping())
    return place


@pytest.fixture
def in_workspace(place: Path, monkeypatch: pytest.MonkeyPatch) -> StudyView:
    monkeypatch.setenv(workspace.VARIABLE, str(place))
    from detector.training.tuning_launch import look_at

    return look_at(place / "studies" / "done")


def test_a_study_shows_its_numbers_and_its_best_goes_to_the_sliders(in_workspace: StudyView) -> None:
    top = in_workspace.top
    assert top is not None
    app = open_app("tune")
    assert said(app) == ""
    assert app.selectbox(key="tune.study").value == "done"
    metrics = {metric.label: metric.value for metric in app.main.metric}
    assert metrics["Trials"] == f"{TRIALS} of {TRIALS}"
    assert metrics["Best F1"] == f"{top.values[0]:.4g}"
    assert metrics["Before"] == f"{in_workspace.before['F1']:.4g}"
    assert len(app.dataframe[0].value) == TRIALS
    calm(app.button(key="tune.apply").click().run())
    for name, value in (top.parameters or {}).items():
        assert slider(app, name).value == pytest.approx(value, abs=1e-6)
    assert app.button(key="tune.apply").disabled
    failed = calm(app.selectbox(key="tune.study").set_value("failed").run())
    assert any("there is no data set 'nowhere'" in one.value for one in failed.main.markdown)
    assert not failed.button(key="tune.go_on").disabled


def test_a_taken_name_and_an_empty_wish_are_refused(in_workspace: StudyView) -> None:
    app = open_app("tune", data="shapes:4:3")
    app.text_input(key="tune.name").set_value("done")
    calm(app.run())
    assert "'done' cannot name a new study" in said(calm(app.button(key="tune.start").click().run()))
    calm(app.multiselect(key="tune.parameters.thresholds").set_value([]).run())
    assert app.button(key="tune.start").disabled
    training = calm(app.segmented_control(key="tune.kind").set_value("training").run())
    assert "lr" in training.multiselect(key="tune.parameters.training").value
    assert any("10 epochs each" in one.value for one in training.main.caption)


def test_the_charts_show_the_trials_that_are_done(in_workspace: StudyView) -> None:
    view = in_workspace
    history, slices = figures.history_figure(view), figures.slices_figure(view)
    assert history is not None
    assert slices is not None
    done = [row.values[0] for row in view.trials]
    assert list(history.data[0].y) == pytest.approx(done)
    assert max(history.data[1].y) == pytest.approx(max(done))
    assert history.layout.shapes[0].y0 == view.before["F1"]
    assert [list(trace.x) for trace in slices.data] == [
        [(row.parameters or {})[name] for row in view.trials] for name in ("box_score", "box_nms")
    ]
    importance, parallel = figures.importance_figure(view), figures.parallel_figure(view)
    assert importance is not None
    assert isinstance(parallel, go.Figure)
    assert sum(importance.data[0].x) == pytest.approx(1)
    assert figures.front_figure(view) is None


def test_a_front_and_every_kind_of_end_are_told() -> None:
    config = StudyConfig("f", "thresholds", parameters_of("thresholds"), ("AP", "F1"), dataset="shapes:2")
    values = {"box_score": 0.5, "box_nms": 0.5}
    rows = (
        TrialRow(0, "done", (0.5, 0.1), values),
        TrialRow(1, "done", (0.4, 0.05), values),
        TrialRow(2, "done", (0.3, 0.4), values, 1.5),
        TrialRow(3, "failed", problem="AP is nan"),
        TrialRow(4, "running", parameters=values, retry_of=3),
        TrialRow(5, "waiting"),
    )
    view = StudyView(config, rows, (0, 2), {}, {})
    front = figures.front_figure(view)
    assert front is not None
    assert [list(trace.x) for trace in front.data] == [[0.4], [0.3, 0.5]]
    table = trial_table(view)
    assert isinstance(table, pd.DataFrame)
    assert list(table["trial"]) == ["5", "4", "3", "★ 2", "1", "★ 0"]
    assert list(table["remark"])[:3] == ["", "does trial 3 again", "AP is nan"]
    assert figures.importance_figure(view) is None
    nothing = StudyView(config, (), (), {}, {})
    drawn = (figures.history_figure, figures.slices_figure, figures.parallel_figure, figures.front_figure)
    assert [draw(nothing) for draw in drawn] == [None] * 4


@pytest.mark.browser
def test_a_study_is_started_watched_and_its_thresholds_are_applied(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/tune?data=shapes:4:3")
    page.get_by_role("spinbutton", name="Trials").fill("6")
    page.get_by_role("spinbutton", name="Trials").press("Enter")
    wait_until_idle(page)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENCE_MS)
    page.reload()  # all it needs lies in files
    expect(page.get_by_text("6 of 6", exact=True)).to_be_visible(timeout=2 * PATIENCE_MS)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=PATIENCE_MS)
    wait_until_idle(page)
    page.get_by_role("button", name="Apply to the sliders").click()
    wait_until_idle(page)
    expect(page).to_have_url(re.compile("box_score=.*box_nms=|box_nms=.*box_score="), timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
