"""`boxscope tune`: thresholds with two workers on one SQLite file, a study of two small trainings, and mistakes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from support.server import boxscope_command

from detector.models.losses import LossWeights
from detector.training.config import DataConfig, ModelConfig, Recipe, RunConfig
from detector.training.config_file import read_config, write_config
from detector.training.tuning import StudyConfig
from detector.training.tuning_launch import look_at, prepare
from detector.training.tuning_results import BEST_CONFIG, view_of, write_best
from detector.training.tuning_training import latency
from detector.training.tuning_worker import Stopping, objective_of, work
from viz_app import cli
from viz_app.commands.tune import study_of, study_text

SMALL = {"body": "small", "channels": 8, "hidden": 12, "min_size": 64, "max_size": 64}


def command(tmp_path: Path, *more: str) -> list[str]:
    parameters = "box_score=0.1..0.9,box_nms"
    return [
        "tune",
        "thresholds",
        "shapes:4:3",
        "--out",
        str(tmp_path / "s"),
        "--parameters",
        parameters,
        *more,
    ]


def test_thresholds_are_tuned_by_two_workers_on_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(command(tmp_path, "--trials", "10", "--workers", "2", "--objective", "F1")) == 0
    shown = capsys.readouterr()
    view = look_at(tmp_path / "s")
    assert view.count("done") == len(view.trials) == 10
    top = view.top
    assert top is not None
    assert top.measured is not None
    assert shown.out.startswith(
        "thresholds.shapes.shapes-4-3: 10 trials (10 done, 0 ended early, 0 failed)\n"
    )
    assert f"F1 {view.before['F1']:.4f} -> {top.measured['F1']:.4f}" in shown.out
    assert shown.out.rstrip().endswith(" ".join(f"--{k} {v:.6g}" for k, v in (top.parameters or {}).items()))
    assert "10 of 10 trials" in shown.err
    # The same command has nothing left to do, and says the same as JSON.
    assert cli.run(command(tmp_path, "--trials", "10", "--objective", "F1", "--json")) == 0
    best = json.loads(capsys.readouterr().out)
    assert best["trial"] == top.number
    assert best["thresholds"] == view.best_thresholds
    assert best["values"] == [top.measured["F1"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--config is missing"),
        (["thresholds"], "DATASET is missing"),
        (["everything"], "WHAT is 'everything'; expected training or thresholds"),
        (["thresholds", "shapes:3", "--config", "run.yaml"], "--config goes with training"),
        (["--config", "run.yaml", "--model", "shapes"], "model goes with `tune thresholds`"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["thresholds", "shapes:3", "--parameters", "lr"], "a study cannot change 'lr'"),
        (["thresholds", "shapes:3", "--objective", "latency"], "the objective is 'latency'"),
        (["thresholds", "shapes:3", "--trials", "0"], "trials is 0"),
        (["thresholds", "shapes:3", "--workers", "0"], "workers is 0"),
        (["thresholds", "shapes:3", "--storage", "file"], "the storage is no URL"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["tune", *arguments, "--out", str(tmp_path / "s")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("boxscope: ")
    assert said in last
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("was_there", [False, True])
def test_a_study_that_ends_before_its_first_trial_leaves_nothing(
    was_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(config: StudyConfig, folder: Path, url: str | None, **_: object) -> None:
        prepare(config, folder, url)
        raise ValueError("there is no data set 'nowhere'")

    monkeypatch.setattr("detector.training.tuning_launch.conduct", refuse)
    if was_there:
        (tmp_path / "s").mkdir()
    assert cli.run(["tune", "thresholds", "nowhere", "--out", str(tmp_path / "s")]) == 2
    assert "there is no data set 'nowhere'" in capsys.readouterr().err
    assert (tmp_path / "s").exists() == was_there


def test_a_study_that_is_asked_to_stop_says_that_it_goes_on(tmp_path: Path) -> None:
    arguments = [*boxscope_command(), *command(tmp_path, "--trials", "5000")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "s" / "log.txt").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "boxscope: stopped; the same command goes on from here"
    assert "Traceback" not in said + (tmp_path / "s" / "log.txt").read_text()
    assert look_at(tmp_path / "s").count("running") == 0
    patience = time.monotonic() + 60
    while at_work_in(tmp_path / "s") and time.monotonic() < patience:
        time.sleep(0.1)
    assert not at_work_in(tmp_path / "s"), "a worker outlives its study"


def at_work_in(folder: Path) -> list[int]:
    """Processes that were started for a folder."""
    found = psutil.process_iter(["pid", "cmdline"])
    return [one.info["pid"] for one in found if str(folder) in (one.info["cmdline"] or ())]


def test_two_trainings_are_compared_and_the_best_is_written_as_a_run(tmp_path: Path) -> None:
    run = RunConfig(
        model=ModelConfig(source="pyramid", pyramid=SMALL),
        data=DataConfig(train="shapes:6:1", val="shapes:3:7", batch_size=3),
        recipe=Recipe(unfreeze_epoch=0, warmup_steps=1),
        epochs=1,
        probes=0,
    )
    write_config(tmp_path / "run.yaml", run)
    options = cli.build_parser("tune").parse_args(
        ["tune", "--config", str(tmp_path / "run.yaml"), "--trials", "2", "--objective", "recall/RPN_NMS"]
    )["tune"]
    config = study_of(options)
    assert [one.name for one in config.parameters][:5] == [
        "lr",
        "lambda_1",
        "lambda_2",
        "lambda_3",
        "lambda_4",
    ]
    opened = prepare(config, tmp_path / "s")
    work(opened, tmp_path / "s", objective_of(opened, tmp_path / "s"), Stopping())
    view = view_of(opened)
    assert [row.state for row in view.trials] == ["done", "done"], [row.problem for row in view.trials]
    assert view.trials[0].parameters != view.trials[1].parameters
    top = view.top
    assert top is not None
    assert top.measured is not None
    assert top.values == (top.measured["RPN_NMS"],)
    for row in view.trials:
        own = read_config(tmp_path / "s" / "trials" / row.run / "config.yaml")
        assert own.recipe.lr == (row.parameters or {})["lr"]
        assert own.monitor == "recall/RPN_NMS"
    write_best(view, tmp_path / "s")
    best = read_config(tmp_path / "s" / BEST_CONFIG)
    assert best.monitor == "recall/RPN_NMS"
    params = top.parameters or {}
    assert best.recipe.loss_weights == LossWeights(*(params[f"lambda_{k}"] for k in (1, 2, 3, 4)))
    assert (best.model.dropout, best.model.box_nms, best.data) == (
        params["dropout"],
        params["box_nms"],
        run.data,
    )
    assert "boxscope train --config" in study_text(view, tmp_path / "s")
    checkpoint = tmp_path / "s" / "trials" / top.run / "checkpoints" / "best.safetensors"
    assert latency(checkpoint, run.data.val) > 0
