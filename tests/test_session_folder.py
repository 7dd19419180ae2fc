"""Uploads live as long as their session, within quotas; what a process of its own reads is kept."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.responses import PlainTextResponse
from support.app import calm, open_app, said
from support.asynchronous import finished
from support.datasets import coco_folder, picture

from detector.data.datasets import open_dataset
from viz_app import upload_gate
from viz_app.jobs import processes, quotas, session_folder, workspace
from viz_app.jobs.dataset_uploads import upload_dataset
from viz_app.jobs.job import Job
from viz_app.jobs.quotas import MARK, MOST_IMAGES, SESSION_BYTES, beyond_quota, mark_of, within_quota
from viz_app.jobs.session_folder import SessionFolder, is_of_session, kept, sessions_folder, sweep

HOLD = """
import sys
from viz_app.jobs.session_folder import SessionFolder
session = SessionFolder()
print(session.datasets().parent, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(workspace.VARIABLE, str(tmp_path / "work"))
    return tmp_path / "work"


@pytest.fixture
def data(tmp_path: Path) -> io.BytesIO:
    """A zip file with a data set of one image."""
    folder, buffer = coco_folder(tmp_path / "set", {"a.png": [(1, 2, 10, 12)]}), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in filter(Path.is_file, folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer


def test_an_uploaded_data_set_goes_with_its_session(data: io.BytesIO) -> None:
    session = SessionFolder()
    assert session.uploaded() == [] and not sessions_folder().exists(), (
        "nothing is written before it is needed"
    )
    found = upload_dataset(data, "x.zip", session)
    assert len(open_dataset(found)) == 1 and is_of_session(str(found))
    files = [path for path in found.rglob("*") if path.is_file() and path.name != MARK]
    assert mark_of(found) == sum(path.stat().st_size for path in files)
    session.close()
    session.close()
    assert not found.exists() and not any(one.is_dir() for one in sessions_folder().iterdir())


def test_a_session_that_comes_back_finds_its_uploads(
    data: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = SessionFolder()
    session.close_later()
    assert session.ending is None, "nothing was uploaded"
    found = upload_dataset(data, "x.zip", session)
    session.close_later()
    ending = session.ending
    assert ending is not None and session.stay() is session
    ending.join()
    assert found.is_dir()
    monkeypatch.setattr(session_folder, "GRACE_SECONDS", 0.0)
    session.close_later()
    assert session.ending is not None
    session.ending.join()
    assert not found.exists()


def test_what_a_process_reads_is_kept_and_the_session_still_finds_it(data: io.BytesIO, place: Path) -> None:
    session = SessionFolder()
    found = str(upload_dataset(data, "x.zip", session))
    assert kept("shapes:3") == "shapes:3" and kept(str(place / "datasets" / "y")) == str(
        place / "datasets" / "y"
    )
    new = kept(found)
    assert new == kept(found) == kept(new) == str(place / "datasets" / "x")
    assert len(open_dataset(found)) == 1 and not is_of_session(found)
    assert session.uploaded() == [], "it does not count to the session any more"
    session.close()
    assert len(open_dataset(new)) == 1


def test_the_folders_of_dead_servers_are_swept_and_those_of_living_ones_stay(data: io.BytesIO) -> None:
    mine = SessionFolder()
    upload_dataset(data, "x.zip", mine)
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        sweep()
        assert theirs.is_dir() and mine.path is not None and mine.path.is_dir()
        other.kill()
        other.wait()
    sweep()
    assert not theirs.exists() and mine.path.is_dir()
    mine.close()


def test_folders_that_are_no_session_stay(place: Path) -> None:
    theirs = sessions_folder() / "monday" / "recording.txt"
    other = sessions_folder() / ("0" * 16) / "recording.txt"
    for path in (theirs, other):
        path.parent.mkdir(parents=True)
        path.touch()
    sweep()
    assert theirs.is_file() and other.is_file(), (
        "a workspace may be a folder that people use for other things"
    )


def test_data_sets_beyond_a_quota_are_refused_with_the_remedy(
    data: io.BytesIO, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = SessionFolder()
    upload_dataset(data, "x.zip", session)
    for name, quota, words in (
        ("MOST_DATASETS", 1, "may upload 1 data sets; reload the page"),
        ("SESSION_BYTES", 100, "would have uploaded more than"),
        ("MOST_KEPT", 1, f"remove some of {place}"),
        ("WORKSPACE_BYTES", 100, f"remove some of {place}"),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(quotas, name, quota)
            with pytest.raises(ValueError, match=words):
                upload_dataset(data, "y.zip", session)
    assert [one.name for one in session.uploaded()] == ["x"], "nothing half-written stays"
    upload_dataset(data, "y.zip", session)
    session.close()


def test_the_51st_image_and_the_byte_beyond_a_gigabyte_are_left_out() -> None:
    many = [(str(number), 1) for number in range(MOST_IMAGES + 1)]
    assert within_quota(many) == {str(number) for number in range(MOST_IMAGES)}
    assert within_quota([("a", SESSION_BYTES - 1), ("b", 2), ("c", 1)]) == {"a", "c"}
    assert beyond_quota(1).startswith(
        "1 file was not opened: a session opens 50 images at a time, 1 GB together"
    )


@pytest.mark.usefixtures("fresh_caches")
def test_a_page_says_what_it_left_out_and_keeps_what_a_diagnosis_reads(
    data: io.BytesIO, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Job] = []
    monkeypatch.setattr(processes, "start", lambda job, folder: started.append(job))
    monkeypatch.setattr(quotas, "MOST_IMAGES", 2)
    session = SessionFolder()
    app = open_app("dataset", data=str(upload_dataset(data, "x.zip", session)))
    images = [picture(tmp_path / f"{n}.png", (40, 30 + n)).read_bytes() for n in range(3)]
    app.file_uploader(key="uploads").set_value(
        [(f"{n}.png", one, "image/png") for n, one in enumerate(images)]
    )
    calm(app.run())
    assert "1 file was not opened: a session opens 2 images at a time" in said(app)
    calm(app.button(key="dataset.diagnose").click().run())
    assert [job.dataset for job in started] == [str(place / "datasets" / "x")]
    assert app.query_params["data"] == str(place / "datasets" / "x")
    session.close()


def test_the_server_takes_no_more_than_a_session_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"full": {str(n): SimpleNamespace(data=b"") for n in range(upload_gate.MOST_FILES)}}
    manager = SimpleNamespace(file_storage=held | {"one": {"a": SimpleNamespace(data=b"abc")}})
    monkeypatch.setattr(
        upload_gate.runtime, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=manager)
    )
    assert not upload_gate.has_room("full", 0) and upload_gate.has_room("other", 1)
    assert upload_gate.has_room("one", upload_gate.MOST_BYTES - 3)
    assert not upload_gate.has_room("one", upload_gate.MOST_BYTES - 2)
    assert (
        answer("PUT", "/_stcore/upload_file/full/x")
        == 413
        == answer("PUT", "/below/_stcore/upload_file/full/x")
    )
    assert (
        answer("PUT", "/_stcore/upload_file/other/x")
        == answer("DELETE", "/_stcore/upload_file/full/x")
        == 204
    )
    assert answer("PUT", "/elsewhere/full/x") == 204


def answer(method: str, path: str) -> int:
    """Status of a request that the gate sees, where what is behind it answers 204."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-length", b"7")]}
    finished(upload_gate.UploadGate(PlainTextResponse("", 204))(scope, cast("Any", None), send))
    return sent[0]["status"]
