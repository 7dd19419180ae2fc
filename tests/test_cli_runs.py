"""`boxscope runs`, `boxscope stop` and `boxscope resume`, as a shell sees them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.runs import TINY_RUN, python, status_of

from detector.training import fit as fitting
from detector.training.config_file import write_config
from detector.training.metrics_log import EpochRow
from detector.training.run_directory import RunDirectory
from detector.training.run_status import RunState, write_status
from detector.training.stopping import RunStopped
from viz_app.cli import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs of a workspace: one at work, one that failed, one that died, one that nobody has begun."""
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path))
    runs = tmp_path / "runs"
    for name in ("busy", "broke", "gone", "fresh"):
        (runs / name).mkdir(parents=True)
        write_config(runs / name / "config.yaml", TINY_RUN)
    status = status_of(AP=0.4321, seconds_left=3900.0)
    write_status(runs / "busy", status)
    failed = replace(
        status, state=RunState.FAILED, message="the disk is full", started=status.started - 10, AP=None
    )
    write_status(runs / "broke", failed)
    write_status(runs / "gone", replace(status, process_started=1.0, started=status.started - 20))
    return runs


def test_runs_prints_a_line_for_each_and_why_it_ended(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "state", "epoch", "step", "AP", "time", "left"]
    assert lines[1].split() == ["fresh", "not", "begun", "-", "-", "-", "-"]
    assert lines[2].split() == [
        "busy",
        "running",
        "2",
        "of",
        "3",
        "120",
        "of",
        "300",
        "0.432",
        "1",
        "h",
        "05",
        "min",
    ]
    assert lines[3].split()[:2] == ["broke", "failed"]
    assert lines[4] == "    the disk is full"
    assert lines[5].split()[:2] == ["gone", "died"]
    assert "its process is gone" in lines[6]
    assert len(lines) == 7


def test_runs_as_json_says_all_that_is_known(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(["runs", str(folder), "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(found) == {"busy", "broke", "gone", "fresh"}
    assert found["fresh"]["status"] is None
    assert found["gone"]["status"]["state"] == "died"
    assert (found["busy"]["status"]["AP"], found["busy"]["status"]["step"]) == (0.4321, 120)
    assert found["busy"]["folder"] == str(folder / "busy")


def test_no_runs_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("BOXSCOPE_WORKSPACE", str(tmp_path / "new"))
    assert run(["runs"]) == 0
    assert capsys.readouterr().out.startswith("no runs in ")
    assert run(["runs", str(tmp_path / "missing")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_stop_asks_by_name_or_by_folder(folder: Path, capsys: pytest.CaptureFixture) -> None:
    for given in ("asked", str(folder / "asked")):
        child = python("import time; print('here', flush=True); time.sleep(60)")
        assert child.stdout is not None
        child.stdout.readline()
        (folder / "asked").mkdir(exist_ok=True)
        write_status(folder / "asked", status_of(child.pid))
        assert run(["stop", given]) == 0
        child.communicate(timeout=60)
        assert child.returncode == -15
        assert "asked stops after its present batch" in capsys.readouterr().err
    assert (folder / "asked" / "stop").is_file()


@pytest.mark.parametrize(
    ("command", "name", "said"),
    [
        ("resume", "over", "over is done: there is nothing to go on with"),
        ("stop", "broke", "broke does not run: it has failed"),
        ("stop", "nobody", "holds no run that was begun"),
        ("resume", "nobody", "there is no config.yaml"),
        ("resume", "fresh", "fresh has no checkpoint to resume from"),
        ("stop", None, "boxscope: RUN is missing"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture, command: str, name: str | None, said: str
) -> None:
    (folder / "over").mkdir()
    write_config(folder / "over" / "config.yaml", TINY_RUN)
    write_status(folder / "over", status_of(state=RunState.DONE))
    assert run([command, *([name] if name else [])]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("boxscope: ")
    assert printed.err.count("\n") == 1
    assert said in printed.err
    assert printed.out == ""


def test_resume_trains_on_with_the_settings_in_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    asked: list[tuple[object, ...]] = []
    row = EpochRow(1, 6, 0.5, *(None,) * 5)

    def train(config: object, out: Path, **words: object) -> EpochRow:
        asked.append((config, out, words["resume"]))
        return row

    def stopped(*_: object, **__: object) -> None:
        raise RunStopped("it was stopped after step 4")

    monkeypatch.setattr(fitting, "fit", train)
    assert run(["resume", "broke"]) == 0
    assert asked == [(TINY_RUN, folder / "broke", True)]
    best = capsys.readouterr().out.splitlines()
    assert best[0].startswith("best: epoch 2, step 6: AP 0.500")
    assert best[1:] == [str(RunDirectory(folder / "broke").best)]
    monkeypatch.setattr(fitting, "fit", stopped)
    assert run(["resume", "broke"]) == 130
    assert "it was stopped after step 4; `boxscope resume broke` goes on" in capsys.readouterr().err
