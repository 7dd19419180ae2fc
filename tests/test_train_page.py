"""The Train page and the Train panel on a real run of a tiny detector, and the process that the panel starts."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, open_app, said
from support.runs import TINY_RUN, status_of

from detector.training.config_file import read_config
from detector.training.fit import fit
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, write_status
from viz_app.app_pages.train_shown import PROBES, VIEW, XRAY
from viz_app.jobs import launching, training, workspace
from viz_app.sidebar import training_form

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is done."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(replace(TINY_RUN, trace_every=2), folder)
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own, with that run in it."""
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    monkeypatch.delenv(launching.VARIABLE, raising=False)
    shutil.copytree(trained, tmp_path / "runs" / "tiny")
    return tmp_path


def shown(app: AppTest) -> str:
    texts = [element.value for element in (*app.main.markdown, *app.main.caption, *app.main.subheader)]
    return re.sub(r"\\(.)", r"\1", " ".join(texts))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.main.metric}


def look(app: AppTest, view: str) -> AppTest:
    app.session_state[VIEW] = view
    return calm(app.run())


def test_a_run_is_shown_with_its_curves_its_probes_and_what_it_sampled(place: Path) -> None:
    app = open_app("train")
    assert app.query_params["training"] == "tiny"
    table = app.main.dataframe[0].value
    assert (
        list(table["run"]) == ["tiny"]
        and list(table["epochs"]) == ["2 of 2"]
        and list(table["done"]) == [1.0]
    )
    assert "done" in shown(app) and metrics(app)["Epochs done"] == "2 of 2"
    assert len(app.main.get("plotly_chart")) == 4
    assert not any("strip" in element.proto.id for element in app.get("bidi_component"))
    assert [
        button.key for button in app.main.button if str(button.key) in ("train.stop", "train.resume")
    ] == []
    assert "Probe images, after epoch 2" in shown(app) and "objects found" in shown(app)
    assert "epoch 2, step 6: AP" in app.main.code[0].value
    app.button(key=f"train.to.{PROBES}").click()
    calm(app.run())
    assert list(app.select_slider[0].options) == ["start", "1", "2"]
    assert "after epoch 2" in shown(app) and "How far each object came" in shown(app)
    app.select_slider[0].set_value(-1)
    assert "before training" in shown(calm(app.run()))
    look(app, XRAY)
    assert list(app.select_slider[0].options) == ["2", "4", "6"]
    assert "as step 6 learned from it" in shown(app) and "**" in shown(app)


def test_a_run_that_died_says_so_and_one_that_stopped_can_go_on(place: Path) -> None:
    folder = place / "runs" / "tiny"
    write_status(folder, status_of(process_started=1.0))
    app = open_app("train", training="tiny")
    assert "died" in shown(app) and "process is gone" in said(app) and "last checkpoint" in said(app)
    assert app.button(key="train.resume").label == "Resume"
    RunDirectory(folder).resume.unlink()
    write_status(folder, status_of(state=RunState.STOPPED, message="it was stopped"))
    app = open_app("train", training="tiny")
    assert "It was stopped." in said(app)
    assert not [button for button in app.main.button if button.key == "train.resume"], (
        "there is nothing to go on from"
    )


def test_its_checkpoint_opens_in_inspect_in_one_click(place: Path) -> None:
    app = open_app("train", training="tiny")
    app.button(key="train.inspect").click()
    calm(app.run())
    best = RunDirectory(place / "runs" / "tiny").best
    assert app.query_params["model"] == str(best)
    assert app.sidebar.text_input(key="path").value == str(best) and said(app) == ""


def test_a_run_that_is_deleted_while_it_is_watched_is_told(place: Path) -> None:
    folder = place / "runs" / "tiny"
    write_status(folder, status_of())
    shutil.copytree(folder, place / "runs" / "other")
    app = open_app("train", training="tiny")
    assert app.query_params["training"] == "tiny"
    shutil.rmtree(folder)
    assert "There is no run called tiny" in said(calm(app.run()))


def test_links_that_name_no_run_are_followed_as_far_as_they_go(place: Path) -> None:
    assert "There is no run called other" in said(open_app("train", training="other"))
    assert "expected the name of a run" in said(open_app("train", training="../x"))
    (place / "runs" / "tiny" / "status.json").write_text("{")
    assert "not the status of a training run" in said(open_app("train"))
    shutil.rmtree(place / "runs")
    app = open_app("train")
    assert "Nothing was trained yet" in shown(app)
    app.button(key="train.first").click()
    assert calm(app.run()).button(key="train.launch").label == "Launch"


def test_the_panel_is_one_button_until_it_is_opened_and_refuses_in_a_sentence(place: Path) -> None:
    app = open_app("train")
    assert not [field for field in app.number_input if str(field.key).startswith("train.")], (
        "closed it costs nothing"
    )
    app.sidebar.button(key="train.open").click()
    calm(app.run())
    helps = [field.help for field in app.number_input if str(field.key).startswith("train.")]
    assert len(helps) > 10 and all(helps), "every field says what it does"
    app.text_input(key="train.name.0").set_value("tiny")
    app.button(key="train.launch").click()
    assert "there is a run called tiny already" in said(calm(app.run()))
    app.text_input(key="train.anchors").set_value("many")
    calm(app.run())
    assert "anchor sizes are numbers" in said(app) and app.button(key="train.launch").disabled


def test_the_panel_launches_a_process_that_trains_as_it_was_told(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    app = open_app("train")
    app.sidebar.button(key="train.open").click()
    calm(app.run())
    for field in app.number_input:
        if str(field.key).startswith("train.epochs"):
            field.set_value(3)
    for field, text in (
        ("train.data.train@", "shapes:6:1"),
        ("train.data.val@", "shapes:3:2"),
        ("train.name.0", "new"),
    ):
        app.text_input(key=field).set_value(text)
    calm(app.run())
    app.button(key="train.launch").click()
    calm(app.run())
    assert app.query_params["training"] == "new"
    config = read_config(RunDirectory(workspace.run_folder("new")).config)
    assert (config.epochs, config.data.train, config.model.source) == (3, "shapes:6:1", "shapes")
    assert config.recipe.lr == 1e-4, "good weights are tuned gently"
    status = training.look("new").status
    assert status is not None and status.is_alive
    launching.stop("new")
    deadline = time.monotonic() + 120
    while (status := training.look("new").status) and status.is_alive:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status is not None and status.state is RunState.STOPPED


def test_the_fields_make_the_settings_of_a_run() -> None:
    config = training_form.config_from(
        {"recipe.lr": 0.5, "data.limit_val": 3, "model.anchor_sizes": ((8.0,), (16.0,))}
    )
    assert (config.recipe.lr, config.data.limit_val, config.model.anchor_sizes) == (0.5, 3, ((8.0,), (16.0,)))
    assert config.epochs == training_form.config_from({}).epochs
    for key, value in (("recipe.lr", -1.0), ("epochs", 0), ("probes", 9), ("no_setting", 1)):
        with pytest.raises(ValueError, match=key.split(".")[-1]):
            training_form.config_from({key: value})
