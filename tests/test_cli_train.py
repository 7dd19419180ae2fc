"""`boxscope train`: settings from a file and from options, a folder of its own, and one line for each mistake."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from support.training import RUN

from detector.models.zoo import load_detector
from detector.training.config import RunConfig
from detector.training.config_file import read_config, write_config
from detector.training.run_directory import RunDirectory, runs_in
from detector.training.stopping import RunStopped
from viz_app import cli
from viz_app.commands import train


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.yaml"
    write_config(path, RUN)
    return str(path)


def test_a_file_and_options_make_a_run_in_the_workspace(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path / "workspace"))
    options = [
        "--recipe.lr",
        "3e-4",
        "--data.limit_train=2",
        "--epochs=1",
        "--model.dropout",
        "null",
        "--json",
    ]
    assert cli.run(["train", "--config", config, *options]) == 0
    (run,) = runs_in(tmp_path / "workspace" / "runs")
    settings = read_config(RunDirectory(run.folder).config)
    assert (settings.recipe.lr, settings.data.limit_train, settings.epochs) == (3e-4, 2, 1)
    assert settings.data.augmentation == RUN.data.augmentation
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["best"]["epoch"] == 0 and Path(told["run"]) == run.folder
    assert load_detector(told["checkpoint"]).num_classes == 7
    assert f"training into {run.folder}" in said.err and "epoch 1, step 1: AP" in said.err


MISTAKES = {
    "--recipe.lr fast": "recipe.lr is 'fast'; expected a number",
    "--recipe.lr -1": "recipe.lr is -1.0; expected a number above 0",
    "--recipe.rate 1": "--recipe.rate 1 is not understood",
    "--config gone.yaml": "gone.yaml: there is no such file",
    "--data.train nowhere": "there is no data set 'nowhere'",
    "--trainer.devices 0 --trainer.accelerator cpu": "trainer.* asks for what this machine has not",
}


@pytest.mark.parametrize("options", MISTAKES)
def test_a_mistake_is_one_line(options: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "--out", str(tmp_path / "run"), *options.split()]) == cli.USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert MISTAKES[options] in line and line.startswith("boxscope: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "SLURM_NTASKS"])
def test_processes_started_from_outside_are_told_where(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "2")
    assert cli.run(["train"]) == cli.USAGE_ERROR
    assert "--out DIR tells them all where" in capsys.readouterr().err


def test_a_stopped_run_says_how_it_goes_on(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(row: object) -> None:
        raise RunStopped("it was stopped after step 1")

    monkeypatch.setattr(train, "_tell", stop)
    out = str(tmp_path / "run")
    options = ["--out", out, "--data.limit_train", "2", "--probes", "0", "--data.limit_val", "1"]
    assert cli.run(["train", "--config", config, *options]) == 130
    assert f"it was stopped after step 1; `boxscope resume {out}` goes on" in capsys.readouterr().err
    assert RunDirectory(Path(out)).resume.is_file()


def test_a_run_that_was_interrupted_before_it_began_leaves_nothing(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(*_given: object, **_words: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except Exception as error:  # as readers of files do
            raise ValueError("the file is damaged") from error

    monkeypatch.setattr("detector.training.fit.build_model", build)
    assert cli.run(["train", "--config", config, "--out", str(tmp_path / "run")]) == 130
    said = "it was stopped before its first batch; nothing was saved: `boxscope train` begins anew"
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    (tmp_path / "launched").mkdir()
    assert cli.run(["train", "--config", config, "--out", str(tmp_path / "launched")]) == 130
    assert (tmp_path / "launched" / "status.json").is_file()


def test_a_run_is_not_spread_among_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert cli.run(["train", "--out", str(tmp_path)]) == cli.USAGE_ERROR
    assert "there is something already; expected a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_help_explains_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.run(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--recipe.warmup_steps WHOLE" in shown
    assert "linear from 0 to `lr`; then a cosine down to 0 at the last step; 100 by default" in shown
    assert RunConfig().recipe.warmup_steps == 100
