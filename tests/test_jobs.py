"""A diagnosis as a process of its own: started, stopped, gone on with, failed; and the workspace it lies in."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.judging.dataset_diagnosis import load_diagnosis
from detector.judging.parts import finished, part_files
from viz_app.jobs import processes as jobs
from viz_app.jobs import workspace
from viz_app.jobs.job import JOB_FILE, PROBLEM_FILE, Job, written
from viz_app.jobs.processes import PROCESS_FILE, JobState

PATIENCE = 240


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in a workspace of the test's own; no process outlives it."""
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = workspace.diagnosis_folder("a.b.c")
    yield folder
    jobs.stop(folder)
    assert jobs.wait(folder, PATIENCE)


def test_a_stopped_diagnosis_goes_on_where_it_was(folder: Path) -> None:
    job = Job("shapes:400:3", "shapes", limit=300)
    jobs.start(job, folder)
    first = jobs.poll(folder)
    assert first.is_alive and jobs.job_of(folder) == job
    pid = json.loads((folder / PROCESS_FILE).read_text())["pid"]
    jobs.start(job, folder)
    assert json.loads((folder / PROCESS_FILE).read_text())["pid"] == pid, "one process at a time"
    _wait_for_parts(folder)
    jobs.stop(folder)
    assert jobs.wait(folder, PATIENCE)
    stopped = jobs.poll(folder)
    kept = _lines(folder)
    assert stopped.state is JobState.STOPPED and stopped.total == 300
    assert 4 <= kept < 300 and stopped.done <= kept, "the status is written once a second"

    few = Job("shapes:400:3", "shapes", limit=4)
    jobs.start(few, folder)
    assert jobs.wait(folder, PATIENCE)
    done = jobs.poll(folder)
    assert done.state is JobState.DONE and not done.is_alive, done.message
    assert load_diagnosis(folder).summary.images == 4
    assert _lines(folder) == kept, "nothing was done twice"


def _lines(folder: Path) -> int:
    """How many images were written down, each as often as it was."""
    return sum(path.read_bytes().count(b"\n") for path in part_files(folder, "diagnose"))


def _wait_for_parts(folder: Path) -> None:
    """Until four images are finished."""
    while len(list(finished(folder, "diagnose"))) < 4:
        assert jobs.poll(folder).is_alive, (folder / "log.txt").read_text()
        jobs.wait(folder, 0.2)


def test_a_diagnosis_that_cannot_be_says_why_in_one_sentence(folder: Path) -> None:
    jobs.start(Job("shapes:4:3", "no/such/model.pth"), folder)
    assert jobs.wait(folder, PATIENCE)
    failed = jobs.poll(folder)
    assert failed.state is JobState.FAILED
    assert "no/such/model.pth" in failed.message and "\n" not in failed.message
    assert "Traceback" not in (folder / "log.txt").read_text()
    assert (folder / PROBLEM_FILE).is_file()


def test_what_lies_in_a_folder_is_read_whatever_it_is(folder: Path) -> None:
    assert jobs.poll(folder).state is JobState.INTERRUPTED and jobs.job_of(folder) is None
    folder.mkdir(parents=True)
    (folder / JOB_FILE).write_text("{}")
    (folder / "status.json").write_text("not json")
    (folder / PROCESS_FILE).write_text("[1]")
    assert jobs.poll(folder).state is JobState.INTERRUPTED and jobs.job_of(folder) is None
    # The number of a process that is gone may belong to another one by now: it is left alone.
    (folder / PROCESS_FILE).write_text(json.dumps({"pid": os.getpid()}))
    assert not jobs.poll(folder).is_alive
    caught: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: caught.append(number))
    try:
        jobs.stop(folder)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not caught


def test_a_job_is_the_same_as_text_and_has_a_name_of_its_own() -> None:
    job = Job(
        "../a b/coco", "runs/x/best.safetensors", None, {"categories": ["cat"]}, (("box_nms", 0.4),), 7, "1.2"
    )
    assert Job.from_json(job.to_json()) == job
    assert workspace.is_name(job.name) and job.name != Job("../a b/coco", "runs/x/best.safetensors").name
    assert job.label == "coco · best.safetensors · first 7 images · box_nms 0.4"
    for text in ("", "[]", "{}", '{"dataset": 1, "thresholds": 2}'):
        with pytest.raises(ValueError, match="not a job"):
            Job.from_json(text)


def test_written_changes_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    assert written(file) == "" == written("shapes:4:3")
    file.write_text("1")
    before = written(file)
    file.write_text("12")
    assert before and written(file) != before


def test_the_workspace_is_where_it_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path / "mine"))
    assert workspace.workspace() == tmp_path / "mine"
    assert workspace.diagnosis_names() == () and not (tmp_path / "mine").exists(), "looking makes nothing"
    for name in ("../x", "", ".hidden", "a/b", "x" * 200):
        with pytest.raises(ValueError, match="cannot name a diagnosis"):
            workspace.diagnosis_folder(name)
    for place, name in enumerate(("old", "new")):
        workspace.diagnosis_folder(name).mkdir(parents=True)
        status = workspace.diagnosis_folder(name) / "status.json"
        status.write_text("{}")
        os.utime(status, (place, place))
    assert workspace.diagnosis_names() == ("new", "old")
    monkeypatch.delenv(workspace.VARIABLE)
    assert workspace.workspace().name == "boxscope"


def test_an_uploaded_checkpoint_is_kept_once_and_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path))
    path = workspace.checkpoint_path("../../we ird/näme.pth", "ab" * 32)
    assert path.parent == tmp_path / "checkpoints" and path.suffix == ".pth"
    workspace.keep_checkpoint(path, b"abc")
    first = path.stat().st_mtime_ns
    workspace.keep_checkpoint(path, b"abc")
    assert path.read_bytes() == b"abc" and path.stat().st_mtime_ns == first
    assert [file.name for file in path.parent.iterdir()] == [path.name]
