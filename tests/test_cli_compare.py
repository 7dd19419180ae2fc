"""`boxscope compare`: two thresholds of one model, finished runs, and one line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.judging.comparison import compare
from detector.judging.comparison_records import Change
from viz_app import cli
from viz_app.commands.compare import comparison_text

SCENES = "shapes:4:12"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "out"
    command = ["compare", "shapes", "shapes", SCENES, "--out", str(folder), "--resamples", "50"]
    assert cli.run([*command, "--a.box_score", "0.9", "--b.box_score", "0.2"]) == 0
    return folder


def test_the_table_says_what_changed(out: Path) -> None:
    found = compare(out / "a", out / "b", resamples=50)
    text = comparison_text(found)
    assert "A: shapes, box_score 0.9\nB: shapes, box_score 0.2" in text
    assert f"{found.difference:+.4f}, 95% interval {found.interval.low:+.4f}" in text
    assert f"objects: gained {found.count(Change.GAINED)}, lost {found.count(Change.LOST)}" in text
    moved = found.transitions[7, 11]
    assert moved > 0 and f"{moved:>7}  ROI_CLASS -> FOUND" in text
    assert f"false positives: {found.false_positives_a} -> {found.false_positives_b}" in text
    kept = json.loads((out / "comparison.json").read_text())
    assert kept["difference"] == found.difference
    assert len(kept["objects"]) == len(found.objects) - found.count(Change.KEPT)


def test_finished_runs_need_neither_model_nor_data_set(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", str(out / "b"), str(out / "a"), "--json", "--resamples", "50"]) == 0
    there, back = json.loads((out / "comparison.json").read_text()), json.loads(capsys.readouterr().out)
    assert back["difference"] == pytest.approx(-there["difference"])
    assert back["changes"]["lost"] == there["changes"]["gained"]


def test_a_run_against_itself_differs_in_nothing(out: Path) -> None:
    text = comparison_text(compare(out / "a", out / "a", resamples=10))
    assert "every object is where it was" in text and "may be chance: the interval holds 0" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shapes"], "B is missing"),
        (["shapes", "shapes"], "name the data set"),
        (["shapes", "shapes", SCENES, "--resamples", "0"], "--resamples is 0"),
        (["shapes", "shapes", SCENES, "--a.box_score", "2"], "box_score is 2.0"),
        (["shapes", "nowhere", SCENES], "there is no detector 'nowhere'"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["compare", *arguments, "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_thresholds_of_a_finished_run_cannot_be_changed(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["compare", str(out / "a"), str(out / "b"), "--a.box_nms", "0.5"]) == 2
    assert "--a.box_nms goes with a model" in capsys.readouterr().err
