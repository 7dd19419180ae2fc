"""The Evaluate and Compare pages on real diagnoses: their numbers, cells and links, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from support.app import calm, open_app, said

from detector.judging.comparison import compare
from detector.judging.comparison_records import Change
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.evaluation import evaluation_of
from detector.models.zoo import load_detector
from detector.tracing.thresholds import Thresholds
from viz_app.app_pages import compare_numbers, evaluate_exports
from viz_app.app_pages.compare_numbers import category_table
from viz_app.app_pages.compare_objects import object_table
from viz_app.app_pages.compare_pair import spec_of
from viz_app.app_pages.compare_shown import moved_objects
from viz_app.jobs import workspace
from viz_app.jobs.job import JOB_FILE, Job
from viz_app.sidebar.file_words import FileWords

pytestmark = pytest.mark.usefixtures("fresh_caches")

SCENES = "shapes:7:3"
A = Job(SCENES, "shapes")
B = Job(SCENES, "shapes", thresholds=(("box_score", 0.2),))
OTHER = Job("shapes:2:9", "shapes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two diagnoses of one data set, and one of another."""
    place = tmp_path_factory.mktemp("workspace")
    detector = load_detector("shapes")
    own = Thresholds.from_model(detector.model)
    for job in (A, B, OTHER):
        folder = place / "diagnoses" / job.name
        thresholds = own.replace(**dict(job.thresholds))
        diagnose_dataset(
            detector, job.dataset, folder, thresholds=thresholds, remedies=False, recommend=False
        )
        (folder / JOB_FILE).write_text(job.to_json())
    return place


@pytest.fixture(autouse=True)
def in_workspace(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(place))


def folder(place: Path, job: Job) -> Path:
    return place / "diagnoses" / job.name


def shown(app: AppTest) -> str:
    """All Markdown and captions of the page, without backslashes."""
    texts = [element.value for element in (*app.main.markdown, *app.main.caption, *app.main.subheader)]
    return re.sub(r"\\(.)", r"\1", " ".join(texts))


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.main.metric}


def gallery(app: AppTest, key: str) -> list[str]:
    return app.selectbox(key=key).options


def test_an_evaluation_shows_its_numbers_and_a_cell_by_link_holds_its_objects(place: Path) -> None:
    evaluation = evaluation_of(folder(place, A))
    counts = evaluation.confusion.counts
    missed = int(counts[1:, 0].argmax()) + 1
    assert counts[missed, 0] > 0
    app = open_app("evaluate", data=SCENES, cell=f"{missed}.0")
    assert said(app) == ""
    for name in ("AP", "AP50", "AP75"):
        assert metrics(app)[name] == f"{evaluation.statistics[name]:.3f}"
    assert f"{counts[missed, 0]} object" in shown(app) and "not found as anything" in shown(app)
    assert len(gallery(app, "cell.open")) == counts[missed, 0]
    worst = min(evaluation.by_category, key=lambda name: evaluation.by_category[name].AP or 0)
    assert f"{worst} is lowest with AP" in shown(app)
    app.select_slider(key="evaluate.iou").set_value(0.75)
    calm(app.run())
    assert "At IoU 0.75" in shown(app)
    app.button(key="evaluate.close").click()
    calm(app.run())
    assert "cell" not in app.query_params and "not found as anything" not in shown(app)
    app.selectbox(key="gallery.open").set_value(0)
    assert "Why was" in shown(calm(app.run())), "a card of the other gallery leads to its Why?"


def test_a_link_to_a_cell_or_a_class_that_there_is_not_is_told() -> None:
    app = open_app("evaluate", data=SCENES, cell="99.0", category="nothing")
    assert "a cell that this matrix does not have" in shown(app) and "No such object" in shown(app)
    assert "cell is" in said(open_app("evaluate", data=SCENES, cell="a.b"))


@pytest.mark.parametrize(("score", "heard"), [("0.5", True), ("0.2", True), ("0.3", False)])
def test_the_doctor_listens_to_a_diagnosis_under_the_same_thresholds_only(score: str, heard: bool) -> None:
    app = open_app("doctor", data=SCENES, box_score=score)
    app.button(key="doctor.examine").click()
    calm(app.run())
    first = [one for one in app.main.subheader if one.value == "What to do first"]
    assert any("the diagnosis" in one.help for one in first) == heard


@pytest.mark.parametrize("title", ["evaluate", "compare"])
def test_with_nothing_there_each_page_says_what_it_needs(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    app = open_app(title, data="shapes:3:1")
    words = "Not evaluated yet" if title == "evaluate" else "Nothing to compare yet"
    assert words in shown(app) and app.button(key="dataset.diagnose").label == "Diagnose"


def test_files_to_take_away_hold_the_evaluation(place: Path) -> None:
    here = folder(place, A)
    numbers = json.loads(evaluate_exports._numbers(here))
    assert numbers["statistics"]["AP"] == evaluation_of(here).statistics["AP"]
    assert len(json.loads(evaluate_exports._results(here, SCENES))) == len(
        evaluate_exports._table(here, "detections", "csv").splitlines()
    ) - 1  # fmt: skip
    for name in evaluate_exports._TABLES:
        assert evaluate_exports._table(here, name, "parquet")[:4] == b"PAR1"
    report = evaluate_exports._report(here, SCENES)
    assert report.startswith(b"<!doctype html>") and b'src="http' not in report
    both = here, folder(place, B)
    objects = compare(*both).objects
    assert len(compare_numbers._csv(*both).splitlines()) == len(objects) + 1
    changed = [one for one in objects if one.change is not Change.KEPT]
    assert len(json.loads(compare_numbers._json(*both))["objects"]) == len(changed) > 0


def test_a_comparison_shows_who_moved_and_one_object_in_both(place: Path) -> None:
    found = compare(folder(place, A), folder(place, B))
    gained = moved_objects(found, Change.GAINED)
    app = open_app("compare", run=A.name, versus=B.name)
    assert said(app) == "" and f"{len(found.objects)} objects B finds {len(gained)}" in shown(app)
    assert metrics(app)["AP of A"] == f"{found.AP_a:.3f}" and metrics(app)["AP of B"] == f"{found.AP_b:.3f}"
    assert metrics(app)["Gained"] == str(len(gained))
    still = moved_objects(found, Change.STILL_LOST)
    assert still
    app.segmented_control(key="compare.move").set_value("still lost")
    calm(app.run())
    assert app.query_params["moved"] == "still lost" and len(gallery(app, "compare.open")) == len(still)
    app.selectbox(key="compare.open").set_value(0)
    calm(app.run())
    one = still[0]
    assert app.query_params["pair"] == f"{one.image_index}.{one.object}"
    assert f"#{one.object} {one.category} on {one.image}: still lost" in shown(app)
    components = [element.proto.id for element in app.get("bidi_component")]
    assert sum("compare.picture" in key for key in components) == 2
    assert sum("compare_ladder" in key for key in components) == 2, "both ladders"
    app.button(key="compare.swap").click()
    calm(app.run())
    assert (app.query_params["run"], app.query_params["versus"]) == (B.name, A.name)
    assert metrics(app)["AP of A"] == f"{found.AP_b:.3f}"


def test_only_diagnoses_of_one_data_set_are_compared(place: Path) -> None:
    app = open_app("compare", run=A.name, versus=OTHER.name)
    assert app.query_params["versus"] == B.name, "the other is of another data set"
    assert OTHER.label not in app.selectbox(key="compare.b").options
    alone = open_app("compare", run=OTHER.name)
    assert "a second one is missing" in shown(alone) and metrics(alone) == {}
    assert alone.text_input(key="dataset.source").value == OTHER.dataset


def test_objects_of_a_comparison_by_move_and_as_rows(place: Path) -> None:
    found = compare(folder(place, A), folder(place, B))
    parts = [moved_objects(found, change) for change in Change]
    assert sum(map(len, parts)) == len(found.objects)
    rungs = {f"{one.rung_a}.{one.rung_b}" for one in found.objects}
    assert sum(len(moved_objects(found, move)) for move in rungs) == len(found.objects)
    ring = moved_objects(found, "kept", "ring")
    assert {one.category for one in ring} == {"ring"}
    table = object_table(ring)
    assert list(table["score B"]) == [one.score_b for one in ring] and set(table["A"]) == {"Found"}
    by_class = category_table(found)
    assert sum(by_class["objects"]) == len(found.objects)
    changes = [abs(value) for value in by_class["B − A"]]
    assert changes == sorted(changes, reverse=True)


def test_the_detector_of_a_diagnosis_is_the_one_of_the_sidebar() -> None:
    words = FileWords(("background", "cat"), anchor_sizes=((8.0, 16.0), (32.0,)), min_size=200)
    job = Job.from_json(Job("x", "y.pt", words=words.said()).to_json())
    assert spec_of(job).words == words, "tuples again, or it would be loaded twice"
