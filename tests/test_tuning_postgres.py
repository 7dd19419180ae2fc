"""Studies in a real PostgreSQL server, which the tests start in a folder of its own, stop, and start again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna
import pytest
from support.server import free_port

from detector.training import tuning_patience, tuning_storage, tuning_worker
from detector.training.tuning import StudyConfig
from detector.training.tuning_launch import Team, conduct, look_at, prepare
from detector.training.tuning_results import view_of
from detector.training.tuning_space import parameters_of
from detector.training.tuning_storage import Opened, Pulse, wait_for_it
from detector.training.tuning_worker import PULSE, Stopping, work

PASSWORD = "not to be seen"
BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
pytestmark = pytest.mark.skipif(
    BIN is None or not (BIN / "initdb").is_file(),
    reason="no PostgreSQL server is installed (.ci/run installs it)",
)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server of the tests' own.

    Args:
        url: of its database.
        stop, start: end it at once, as a crash does, and let it come back.
    """

    url: str
    stop: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A fresh server, with a password and reached over the network of this machine."""
    # pytest's own folders are closed to other users
    folder = Path(tempfile.mkdtemp(prefix="boxscope-postgres-"))
    port = free_port()
    try:
        (folder / "password").write_text(PASSWORD)
        _give_away(folder)
        data = str(folder / "data")
        _run(
            "initdb",
            "-D",
            data,
            "-U",
            "bob",
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(folder / "password"),
            "-N",
        )
        settings = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        start = partial(_run, "pg_ctl", "-D", data, "-o", settings, "-l", str(folder / "log"), "-w", "start")
        stop = partial(_run, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        start()
        try:
            url = f"postgresql://bob:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/postgres"
            yield Postgres(url, stop, start)
        finally:
            stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_two_workers_share_a_study_in_a_server(server: Postgres, tmp_path: Path) -> None:
    parameters = parameters_of("thresholds", ["box_score=0.1..0.9", "box_nms"])
    study = StudyConfig("shared", "thresholds", parameters, trials=16, dataset="shapes:3:3")
    view = conduct(study, tmp_path, server.url, team=Team(2, Pulse(1, 10)))
    assert [row.number for row in view.trials] == list(range(16))
    assert {row.state for row in view.trials} == {"done"}
    assert view.top is not None
    assert view.top.values[0] >= view.trials[0].values[0]
    assert look_at(tmp_path, server.url).best == view.best
    assert not (tmp_path / "study.db").exists()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PASSWORD.encode() not in kept
    assert b"not%20to" not in kept
    # Another machine: the same study and database, a folder of its own; there is nothing left to do.
    assert conduct(study, tmp_path / "elsewhere", server.url, team=Team(1)).trials == view.trials


def opened_on(server: Postgres, name: str, folder: Path) -> Opened:
    parameters = parameters_of("thresholds", ["box_score=0.1..0.9"])
    study = StudyConfig(name, "thresholds", parameters, trials=4, dataset="shapes:3:3")
    opened = prepare(study, folder, server.url, Pulse(1, 2))
    wait_for_it(opened)
    return opened


def test_a_server_that_is_started_again_during_a_study_costs_no_trial(
    server: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = opened_on(server, "again", tmp_path)

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        value = opened.config.parameters[0].suggest(trial)
        if trial.number == 1:
            server.stop()
            threading.Timer(1.0, server.start).start()
        return (value,)

    work(opened, tmp_path, objective, Stopping())
    assert [row.state for row in view_of(opened).trials] == ["done"] * 4
    said = capsys.readouterr().err.splitlines()
    assert "does not answer; waiting for it, for 5 min 00 s at most" in said[0]
    assert "answers again" in said[-1]
    assert PASSWORD not in "".join(said)


def test_a_server_that_stays_away_ends_the_worker_in_a_sentence_and_its_trial_is_done_later(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(tuning_patience.VARIABLE, "1")
    monkeypatch.setenv(tuning_storage.VARIABLE, server.url)
    monkeypatch.setenv(PULSE, "1,2")
    opened = opened_on(server, "later", tmp_path)
    fallen: list[int] = []

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        value = opened.config.parameters[0].suggest(trial)
        if trial.number == 1 and not fallen:
            fallen.append(trial.number)
            server.stop()
        return (value,)

    monkeypatch.setattr(tuning_worker, "objective_of", lambda *_: objective)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert tuning_worker.main(tmp_path) == tuning_worker.FAILED
    finally:
        server.start()
        for number, handler in before.items():
            signal.signal(number, handler)
    sentence = (tmp_path / tuning_worker.PROBLEM).read_text()
    assert re.match(
        r"the database postgresql\S+ was gone for 1 s \(.+\); what is done is kept in it", sentence
    )
    assert PASSWORD not in sentence
    assert capsys.readouterr().err.splitlines()[-1] == f"boxscope: {sentence}"
    again = opened_on(server, "later", tmp_path)
    time.sleep(3)  # until the sign of life of the worker that is gone is too old
    work(again, tmp_path, objective, Stopping())
    view = view_of(again)
    assert view.ended == 4
    assert [row.state for row in view.trials if row.again is None] == ["done"] * 4


def _give_away(folder: Path) -> None:
    """The server refuses to run as root: everything is postgres' own."""
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")


def _run(program: str, *arguments: str) -> None:
    assert BIN is not None
    command = [str(BIN / program), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
