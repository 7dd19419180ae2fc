"""`boxscope export` and `boxscope report`: files of runs, data sets and images; one line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from detector.judging.evaluation import evaluation_of
from viz_app import cli
from viz_app.commands.export import wanted
from viz_app.commands.report import is_dataset

SCENES = "shapes:2:12"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "run"
    assert cli.run(["evaluate", SCENES, "--out", str(out), "--json"]) == 0
    return out


def test_a_finished_run_leaves_results_tables_and_pictures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", str(folder), "--out", str(tmp_path), "--format", "parquet", "--pictures", "1"]
    assert cli.run(command) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / name) for name in ("results.json", "tables", "pictures")
    ]
    evaluation = evaluation_of(folder)
    assert len(json.loads((tmp_path / "results.json").read_text())) == sum(
        one.detections for one in evaluation.images
    )
    assert len(pd.read_parquet(tmp_path / "tables" / "images.parquet")) == 2
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["000000_image-0.png"]


def test_a_data_set_is_evaluated_first_and_no_detection_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path / "workspace"))
    out = tmp_path / "out"
    assert cli.run(["export", "shapes:1:12", "--out", str(out), "--what", "coco", "--box_score", "1"]) == 0
    assert "the file holds one placeholder" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["results.json"]
    assert json.loads((out / "results.json").read_text())[0]["placeholder"] is True


def test_reports_of_a_run_and_of_a_scene(folder: Path, tmp_path: Path) -> None:
    assert cli.run(["report", str(folder), "--out", str(tmp_path / "run.html")]) == 0
    assert "shapes on shapes:2:12" in (tmp_path / "run.html").read_text()
    assert cli.run(["report", "scene_00", "--out", str(tmp_path / "scene.html")]) == 0
    assert "scene_00.png through shapes" in (tmp_path / "scene.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "RUN", "--what", "pdf"], "--what is 'pdf'; expected coco, tables, pictures"),
        (["export", "RUN", "--model", "shapes"], "--model goes with a data set"),
        (["export", "RUN", "--dataset", "shapes:3:12"], "this is another data set"),
        (["export", "RUN", "--pictures", "0"], "--pictures is 0"),
        (["export", SCENES, "--dataset", SCENES], "--dataset goes with a finished run"),
        (["report", "RUN", "--box_score", "0.5"], "--box_score goes with a data set"),
        (["report", "RUN", "--target", "x.json"], "--target goes with an image"),
        (["report", "scene_00", "--limit", "3"], "--limit goes with a data set"),
        (["report", "scene_00", "--most", "0"], "--most is 0"),
        (["report"], "SUBJECT is missing"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / ("out.html" if arguments[0] == "report" else "out")
    given = [str(folder) if word == "RUN" else word for word in arguments]
    assert cli.run([*given, "--out", str(out)]) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1
    assert not out.exists()


def test_words() -> None:
    assert wanted("tables, coco") == ("coco", "tables")
    assert is_dataset("shapes:3") and is_dataset("a/val.json") and not is_dataset("photo.jpg")
