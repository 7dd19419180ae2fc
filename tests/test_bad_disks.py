"""Disks that cannot be written or are full: a sentence that names the place, nothing half-written, the app goes on.

A file in place of a folder refuses everybody, root too; a limit on the size of files is a full disk to a process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.app import calm, open_app, said
from support.datasets import coco_folder
from test_data_page import BOXES, upload, zipped

from detector.training.config import RunConfig
from viz_app import cli
from viz_app.jobs import launching, processes, workspace
from viz_app.jobs.job import Job

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture
def no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that nobody can write: there is a file in its place."""
    place = tmp_path / "workspace"
    place.write_text("in the way")
    monkeypatch.setenv(workspace.VARIABLE, str(place))
    return place


WRITERS = {
    "diagnose": "diagnose shapes:2:1 --out PLACE/out",
    "evaluate": "evaluate shapes:2:1 --out PLACE/out",
    "evaluate in the workspace": "evaluate shapes:2:1",
    "train": "train --out PLACE/out --data.train shapes:2:1 --data.val shapes:2:1 --epochs 1",
    "train in the workspace": "train --data.train shapes:2:1 --data.val shapes:2:1 --epochs 1",
    "tune": "tune thresholds shapes:2:1 --out PLACE/out",
    "convert": "convert shapes:2:1 --to voc --out PLACE/out",
    "show": "show IMAGE --out PLACE/out.png",
    "trace": "trace IMAGE --out PLACE/out.trace",
    "report": "report IMAGE --out PLACE/out.html",
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_command_that_cannot_write_names_the_place(
    name: str, no_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = next((Path(__file__).parent.parent / "sample_images").rglob("*.png"))
    command = WRITERS[name].replace("PLACE", str(no_workspace)).replace("IMAGE", str(image))
    assert cli.run(command.split()) == cli.USAGE_ERROR
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("boxscope: ") and str(no_workspace) in last and "Errno" not in last
    assert no_workspace.read_text() == "in the way" and list(tmp_path.iterdir()) == [no_workspace]


def test_no_job_of_the_app_begins_where_nothing_can_be_written(no_workspace: Path) -> None:
    with pytest.raises(OSError, match="workspace"):
        launching.launch("night", RunConfig())
    job = Job("shapes:2:1", "shapes")
    with pytest.raises(OSError, match="workspace"):
        processes.start(job, workspace.diagnosis_folder(job.name))
    with pytest.raises(OSError, match="workspace"):
        workspace.keep_checkpoint(workspace.checkpoint_path("a.safetensors", "0" * 64), b"x")
    assert no_workspace.read_text() == "in the way"


def test_the_app_says_so_and_stays_usable(no_workspace: Path, tmp_path: Path) -> None:
    app = open_app("data", data="shapes:2:1")
    upload(app, "cats.zip", zipped(coco_folder(tmp_path / "set", BOXES)))
    assert "cats.zip was not taken" in said(app) and "workspace" in said(app) and "Errno" not in said(app)
    assert app.query_params["data"] == "shapes:2:1"
    app = open_app("dataset", data="shapes:2:1")
    calm(app.main.button(key="dataset.diagnose").click().run())
    assert "the diagnosis cannot be started" in said(app) and "Errno" not in said(app)
    assert not app.main.button(key="dataset.diagnose").disabled


FULL = """
import resource, signal, sys
from viz_app import cli
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for line in sys.stdin.read().splitlines():
    room, *command = line.split()
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), resource.RLIM_INFINITY))
    print(cli.run(command), flush=True)
    print(file=sys.stderr, flush=True)
"""
FILLERS = (
    "2000 convert shapes:2:1 --to coco --out converted",
    "2000 diagnose shapes:2:1 --no_remedies --out diagnosed",
    "20000 trace IMAGE --out out.trace",
    "20000 report IMAGE --out out.html",
)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """One process for all commands: it imports torch once."""
    image = next((Path(__file__).parent.parent / "sample_images").rglob("*.png"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", FULL], input="\n".join(FILLERS).replace("IMAGE", str(image)),
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["2"] * len(FILLERS), done.stderr
    for said_of_one in done.stderr.strip().split("\n\n"):
        last = said_of_one.splitlines()[-1]
        assert last.startswith("boxscope: ") and "file too large" in last.lower() and "Errno" not in last
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert not [path for path in left if path.endswith((".tmp", ".trace", ".html", "summary.json"))], left
    assert "converted" not in left
