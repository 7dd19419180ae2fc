"""Two workers on one study in a real PostgreSQL server, which the test starts in a folder of its own and stops."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import free_port

from detector.training.tuning import StudyConfig
from detector.training.tuning_launch import Team, conduct, look_at
from detector.training.tuning_space import parameters_of
from detector.training.tuning_storage import Pulse

PASSWORD = "not to be seen"
BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
pytestmark = pytest.mark.skipif(
    BIN is None or not (BIN / "initdb").is_file(),
    reason="no PostgreSQL server is installed (.ci/run installs it)",
)


@pytest.fixture
def server() -> Iterator[str]:
    """URL of a database on a fresh server, with a password and reached over the network of this machine."""
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
        _run("pg_ctl", "-D", data, "-o", settings, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://bob:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_two_workers_share_a_study_in_a_server(server: str, tmp_path: Path) -> None:
    parameters = parameters_of("thresholds", ["box_score=0.1..0.9", "box_nms"])
    study = StudyConfig("shared", "thresholds", parameters, trials=16, dataset="shapes:3:3")
    view = conduct(study, tmp_path, server, team=Team(2, Pulse(1, 10)))
    assert [row.number for row in view.trials] == list(range(16))
    assert {row.state for row in view.trials} == {"done"}
    assert view.top is not None
    assert view.top.values[0] >= view.trials[0].values[0]
    assert look_at(tmp_path, server).best == view.best
    assert not (tmp_path / "study.db").exists()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PASSWORD.encode() not in kept
    assert b"not%20to" not in kept
    # Another machine: the same study and database, a folder of its own; there is nothing left to do.
    assert conduct(study, tmp_path / "elsewhere", server, team=Team(1)).trials == view.trials


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
