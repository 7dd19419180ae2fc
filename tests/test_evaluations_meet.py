"""What was evaluated in the shell is found by the app, and the other way round."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.app import calm, open_app

from detector.judging.locks import locked
from detector.judging.status import State, Status, write_status
from viz_app import cli
from viz_app.jobs import diagnose_job, processes, workspace
from viz_app.jobs.job import JOB_FILE, Job
from viz_app.jobs.processes import JobState

pytestmark = pytest.mark.usefixtures("fresh_caches")

SCENES = "shapes:2:12"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    return tmp_path


def test_the_app_shows_what_the_shell_has_evaluated() -> None:
    assert cli.run(["evaluate", SCENES]) == 0
    (name,) = workspace.diagnosis_names()
    folder = workspace.diagnosis_folder(name)
    job = processes.job_of(folder)
    assert job is not None and job.name == name and not job.remedies
    assert processes.poll(folder).state is JobState.DONE
    app = calm(open_app("evaluate", data=SCENES))
    assert {metric.label for metric in app.main.metric} >= {"AP", "AP50", "AP75"}


def test_the_shell_takes_what_the_app_has_diagnosed(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(SCENES, "shapes")
    folder = workspace.diagnosis_folder(job.name)
    folder.mkdir(parents=True)
    (folder / JOB_FILE).write_text(job.to_json())
    diagnose_job.diagnose(job, folder)
    assert cli.run(["evaluate", SCENES, "--box_score", "0.05"]) == 0
    assert cli.run(["evaluate", SCENES]) == 0
    assert f"kept in {folder}\n" in capsys.readouterr().out
    assert processes.job_of(folder) == job, "what it is of was not written again"
    assert len(workspace.diagnosis_names()) == 2


def test_the_app_sees_who_else_works_in_a_folder_and_nobody_who_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    write_status(folder, Status(State.RUNNING, 1, 4, None, None, os.getpid(), 0.0))
    assert processes.poll(folder).state is JobState.STOPPED, "nobody holds the lock"
    with locked(folder):
        assert processes._pid_at_work(folder) == os.getpid() and processes.poll(folder).is_alive
        write_status(folder, Status(State.RUNNING, 1, 4, None, None, os.getppid(), 0.0))
        assert processes._pid_at_work(folder) is None, "that process holds no lock: it must not be stopped"


def test_what_is_refused_leaves_nothing_to_be_listed() -> None:
    for wrong in (["--limit", "0"], ["--iou", "2"], ["--box_score", "2"]):
        assert cli.run(["evaluate", SCENES, *wrong]) == 2
    assert workspace.diagnosis_names() == ()


def test_jobs_of_before_keep_their_names() -> None:
    job = Job("shapes:400:3", "shapes", limit=300)
    assert "iou" not in job.to_json() and "remedies" not in job.to_json()
    other = Job("shapes:400:3", "shapes", limit=300, iou=0.75, remedies=False)
    assert Job.from_json(other.to_json()) == other and other.name != job.name
    assert other.label == "shapes:400:3 · shapes · first 300 images · IoU 0.75 · no remedies"


def test_a_checkpoint_of_a_run_is_called_after_the_run(place: Path) -> None:
    best = str(place / "runs" / "night" / "checkpoints" / "best.safetensors")
    assert Job(SCENES, best).label == f"{SCENES} · night/best"
    uploaded = workspace.checkpoint_path("mine.pt", "a" * 64)
    assert Job(SCENES, str(uploaded)).label == f"{SCENES} · aaaaaaaaaaaa_mine.pt"
