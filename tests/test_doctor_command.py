"""`boxscope doctor`: what it prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.datasets import yolo_folder

from detector.data import ShapesDataset, write_coco
from viz_app import cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with one box of no area."""
    folder = tmp_path_factory.mktemp("doctor") / "coco"
    file = write_coco(ShapesDataset(3, seed=3, size=96), folder)
    document = json.loads(file.read_text())
    document["annotations"][1]["bbox"][2] = 0
    file.write_text(json.dumps(document))
    return folder


def test_a_sound_data_set_with_its_model_is_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "shapes:3:7", "--model", "shapes"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("shapes:3:7 with shapes: 3 images")
    assert "The RPN draws" in shown.out
    assert shown.err == ""


def test_an_error_is_status_1_and_says_where_and_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["doctor", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "ERROR  degenerate_box" in shown
    assert "scene_00000.png, annotation 2" in shown
    assert "-> Draw them again or remove them" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_json_is_for_a_machine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["doctor", str(folder), "--json", "--split", str(folder), "--split", "shapes:2:9"]
    assert cli.run([*arguments, "--limit", "2"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["images"], document["model"], document["errors"]) == (2, None, 2)
    found = {finding["check"]: finding for finding in document["findings"]}
    assert found["leak"]["count"] == 2
    assert found["degenerate_box"]["annotation"] == 2
    assert found["degenerate_box"]["places"] == [{"image": "scene_00000.png", "annotation": 2}]
    assert set(found["leak"]) == {
        "severity", "check", "message", "remedy", "image", "annotation", "count", "places",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no data set 'nowhere'"),
        (["shapes:2", "--limit", "0"], "--limit is 0"),
        (["shapes:2", "--weights", "DEFAULT"], "--weights goes with --model"),
        (["shapes:2", "--model", "shapez"], "there is no detector 'shapez'"),
        (["shapes:2", "--split", "nowhere"], "there is no data set 'nowhere'"),
    ],
)
def test_a_callers_mistake_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["doctor", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert words in shown.err


def test_a_finding_that_begins_with_a_file_keeps_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = yolo_folder(tmp_path / "yolo")
    label = next(path for path in sorted(folder.rglob("*.txt")) if path.parent.name != "yolo")
    label.write_text("0 .5 .5 .2\n")
    assert cli.run(["doctor", str(folder)]) == 1
    assert f"  {label.relative_to(folder)}: line 1 holds 4 values" in capsys.readouterr().out
