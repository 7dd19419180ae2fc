"""The Data set page on a real diagnosis: its numbers, its parts, its way to Why?, and images by link."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, counts, open_app, said, slider

from detector.judging.dataset_diagnosis import diagnose_dataset, load_diagnosis
from detector.judging.status import State, Status, write_status
from detector.models.zoo import load_detector
from viz_app.jobs import workspace
from viz_app.jobs.job import JOB_FILE, Job
from viz_app.sidebar.file_words import anchor_sizes_from_text, aspect_ratios_from_text

pytestmark = pytest.mark.usefixtures("fresh_caches")

SCENES = "shapes:7:3"
JOB = Job(SCENES, "shapes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one diagnosis in it."""
    place = tmp_path_factory.mktemp("workspace")
    folder = place / "diagnoses" / JOB.name
    diagnose_dataset(load_detector("shapes"), SCENES, folder)
    (folder / JOB_FILE).write_text(JOB.to_json())
    return place


@pytest.fixture(autouse=True)
def in_workspace(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(place))


def shown(app: AppTest) -> str:
    """All Markdown and captions of the page, without backslashes."""
    texts = [element.value for element in (*app.main.markdown, *app.main.caption, *app.main.subheader)]
    return re.sub(r"\\(.)", r"\1", " ".join(texts))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.main.metric}


def test_a_data_set_that_was_not_diagnosed_can_be(place: Path) -> None:
    app = open_app("dataset", data="shapes:5:9")
    assert "Not diagnosed yet" in shown(app) and "5 images, 6 categories" in shown(app)
    button = app.button(key="dataset.diagnose")
    assert button.label == "Diagnose" and not button.disabled
    assert app.selectbox(key="dataset.run").options == [JOB.label], "the earlier one is offered"
    assert not any("strip" in element.proto.id for element in app.get("bidi_component"))
    app.text_input(key="dataset.source").set_value("no/such/folder")
    assert "no/such/folder is not in a folder that the app may read" in said(calm(app.run()))
    assert app.button(key="dataset.diagnose").disabled


def test_a_result_shows_its_numbers_and_each_part_holds_its_objects(place: Path) -> None:
    result = load_diagnosis(place / "diagnoses" / JOB.name)
    summary = result.summary
    app = open_app("dataset", data=SCENES)
    assert said(app) == ""
    assert metrics(app)["Objects"] == str(summary.objects) and metrics(app)["Found"] == str(summary.found)
    assert metrics(app)["AP"] == f"{summary.coco.AP:.3f}"
    lost = summary.objects - summary.found
    assert lost > 0 and f"{lost} object" in shown(app)
    rung = next(fall for fall in summary.waterfall if fall.lost)
    app.selectbox(key="gallery.part").set_value(f"rung.{rung.rung}")
    calm(app.run())
    assert app.query_params["part"] == f"rung.{rung.rung}"
    assert len(app.selectbox(key="gallery.open").options) == rung.lost
    app.selectbox(key="gallery.part").set_value("rung.FOUND")
    calm(app.run())
    assert f"{summary.found} objects" in shown(app)
    assert len(app.selectbox(key="gallery.open").options) == 12, "a dozen on a page"
    app.selectbox(key="gallery.category").set_value("star")
    calm(app.run())
    assert app.query_params["category"] == "star"
    assert f"{summary.by_category['star'].found} objects, star only" in shown(app)


def test_a_link_names_the_part_and_a_broken_one_is_followed_as_far_as_it_goes(place: Path) -> None:
    errors = load_diagnosis(place / "diagnoses" / JOB.name).summary.tide["Loc"].count
    assert errors > 1
    app = open_app("dataset", run=JOB.name, data=SCENES, part="tide.Loc", size="small")
    assert f"{errors} false positives" in shown(app), "errors have no size"
    assert app.selectbox(key="gallery.size").disabled
    broken = open_app(
        "dataset", run="../../etc", data=SCENES, part="rung.TOP", size="tiny", category="nothing"
    )
    for word in ("run", "part", "size"):
        assert f"{word} is" in said(broken)
    assert "No such object" in shown(broken), "a category that there is not holds nothing"


def test_one_of_the_gallery_is_opened_in_why(place: Path) -> None:
    objects = load_diagnosis(place / "diagnoses" / JOB.name).objects
    first = objects[objects["rung"] != "FOUND"].iloc[0]
    app = open_app("dataset", data=SCENES)
    slider(app, "box_nms").set_value(0.9)
    calm(app.run())
    app.selectbox(key="gallery.open").set_value(0)
    calm(app.run())
    assert app.query_params["image"] == f"{SCENES}/{first['image_index']}"
    assert app.query_params["select"] == f"object.{first['object']}"
    assert slider(app, "box_nms").value == 0.5, "under the thresholds of the diagnosis"
    assert f"#{first['object']} {first['category']}" in shown(app) and said(app) == ""


def test_a_recommendation_moves_the_slider(place: Path) -> None:
    tried = load_diagnosis(place / "diagnoses" / JOB.name).summary.recommendations
    assert tried
    app = open_app("dataset", data=SCENES)
    app.button(key="dataset.apply").click()
    calm(app.run())
    assert slider(app, tried[0].field).value == pytest.approx(tried[0].after)
    assert app.query_params["run"] == JOB.name, "what is shown stays, though a new diagnosis would be another"


def test_anchors_that_fit_better_go_into_the_train_panel_as_they_are(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "diagnoses" / JOB.name
    shutil.copytree(place / "diagnoses" / JOB.name, folder)
    summary = load_diagnosis(folder).summary
    assert summary.anchors is not None
    fit = replace(summary.anchors, recall_before=0.5, recall_after=0.75)
    (folder / "summary.json").write_text(replace(summary, anchors=fit).to_json())
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    app = open_app("dataset", data=SCENES)
    app.button(key="dataset.train").click()
    calm(app.run())
    assert not app.button(key="train.launch").disabled and said(app) == ""
    sizes = anchor_sizes_from_text(app.text_input(key="train.anchors").value)
    assert len(sizes) == len(fit.sizes)
    for given, wanted in zip(sizes, fit.sizes, strict=True):
        assert given == pytest.approx(wanted, rel=1e-3)
    ratios = aspect_ratios_from_text(app.text_input(key="train.ratios").value)
    assert ratios == pytest.approx(fit.ratios, rel=1e-2)
    assert app.text_input(key=f"train.data.train@{SCENES}").value == SCENES


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED])
def test_what_ended_early_can_go_on(place: Path, state: State) -> None:
    job = Job("shapes:9:1", "shapes", limit=8)
    folder = place / "diagnoses" / job.name
    folder.mkdir(exist_ok=True)
    (folder / JOB_FILE).write_text(job.to_json())
    message = "the disk is full" if state is State.FAILED else ""
    write_status(folder, Status(state, 3, 8, None, None, 1, 0.0, message=message))
    app = open_app("dataset", run=job.name, data=job.dataset)
    assert "3 of 8 images are finished and kept" in shown(app) and message in shown(app)
    assert app.button(key="dataset.go_on.run").label == "Go on" and metrics(app) == {}
    app.selectbox(key="dataset.run").set_value(JOB.name)
    assert metrics(calm(app.run()))["Images"] == "7", "another one can be looked at instead"
    assert app.text_input(key="dataset.source").value == SCENES


def test_without_an_image_the_page_opens_too() -> None:
    def page() -> None:
        from viz_app.app_pages import dataset

        dataset.render(None)

    app = AppTest.from_function(page, default_timeout=120).run()
    assert not app.exception
    assert app.button(key="dataset.diagnose").disabled, "no detector was ever opened"


def test_an_image_of_a_data_set_is_looked_at_by_link(tmp_path: Path) -> None:
    app = open_app(image=f"{SCENES}/2")
    assert said(app) == "" and app.query_params["image"] == f"{SCENES}/2"
    other = open_app()
    assert counts(app) != counts(other)
    options = app.sidebar.selectbox(key="image").options
    assert any(label.startswith(f"{SCENES} · 2 · ") for label in options)
    app.sidebar.selectbox(key="image").set_value("scene_01.png")
    assert calm(app.run()).query_params["image"] == "scene_01.png"
    app.sidebar.selectbox(key="image").set_value(f"{SCENES}/2")
    assert calm(app.run()).query_params["image"] == f"{SCENES}/2", "it stays among the images"


@pytest.mark.parametrize(
    ("image", "word"), [(f"{SCENES}/7", "no image 7"), ("no/such/3", "no/such is not in a folder")]
)
def test_an_image_that_a_data_set_does_not_have_is_told(image: str, word: str) -> None:
    app = open_app(image=image)
    assert word in said(app) and app.query_params["image"] == "scene_00.png"
