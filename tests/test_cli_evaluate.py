"""`boxscope evaluate`: the table, the JSON, a run by its name, going on, and one line for every mistake."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file
from pathlib import Path

import pytest

from detector.judging.evaluation import evaluation_of
from detector.judging.parts import part_files
from detector.models.zoo import _BUNDLED_FILE
from viz_app import cli
from viz_app.commands.evaluate import evaluation_text
from viz_app.commands.models import find_model

SCENES = "shapes:3:12"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluate") / "out"
    assert cli.run(["evaluate", SCENES, "--out", str(out), "--losses"]) == 0
    return out


def test_the_table_says_what_was_kept(folder: Path) -> None:
    evaluation = evaluation_of(folder)
    text = evaluation_text(evaluation)
    assert text.startswith(f"shapes on {SCENES}\n")
    assert f"{evaluation.summary.found} of {evaluation.objects} objects found in 3 images" in text
    for name, score in evaluation.by_category.items():
        assert (f"\n{name} " in text) == bool(score.objects)
    assert f"(ECE over {evaluation.calibration.count} detections" in text
    worst = min(evaluation.images, key=lambda one: one.AP)
    assert f"lowest AP by itself:\n{worst.image}: AP {worst.AP:.3f}" in text
    assert "highest loss:" in text


def test_the_json_is_the_file_and_a_second_call_looks_at_no_image_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [path.read_bytes() for path in part_files(folder, "diagnose")]
    assert cli.run(["evaluate", SCENES, "--out", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((folder / "evaluation.json").read_text())
    assert shown["statistics"] == evaluation_of(folder).statistics
    assert len(shown["by_image"]) == 3 and shown["by_image"][0]["loss"] > 0
    assert [path.read_bytes() for path in part_files(folder, "diagnose")] == before


def test_a_run_is_named_by_its_name_its_folder_and_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path))
    checkpoints = tmp_path / "runs" / "night" / "checkpoints"
    checkpoints.mkdir(parents=True)
    with as_file(_BUNDLED_FILE) as bundled:
        for name in ("best", "last", "epoch_0003"):
            shutil.copy(bundled, checkpoints / f"{name}.safetensors")
    assert find_model("night").source == str(checkpoints / "best.safetensors")
    assert find_model("night/last").run == "night/last"
    assert find_model("night/epoch_0003").source == str(checkpoints / "epoch_0003.safetensors")
    assert find_model(str(tmp_path / "runs" / "night")).run == "night/best"
    assert find_model("shapes").run == find_model("nowhere").run == ""
    assert cli.run(["evaluate", "shapes:1:12", "--model", "night/last"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("night/last on shapes:1:12\n")
    kept = Path(shown.splitlines()[-1].removeprefix("kept in "))
    assert kept.parent == tmp_path / "diagnoses" and evaluation_of(kept).model == "night/last"
    assert cli.run(["evaluate", SCENES, "--model", "night/first"]) == 2
    assert "the run night has no checkpoint 'first'; it has best, epoch_0003, last" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "'nowhere'"),
        ([SCENES, "--model", "nothing"], "there is no detector 'nothing'"),
        ([SCENES, "--box_score", "2"], "box_score is 2.0"),
        ([SCENES, "--limit", "0"], "limit is 0"),
        ([], "DATASET is missing"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_another_model_in_the_same_folder_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["evaluate", SCENES, "--out", str(folder), "--box_score", "0.3"]) == 2
    assert "holds a diagnosis with other thresholds" in capsys.readouterr().err
