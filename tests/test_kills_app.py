"""kill -9 of the app: what it began goes on or is gone, and another app finds it; two apps in one workspace.

The app is here a process that calls what its pages call. Training and diagnosis are processes of their own.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support.forking import SEEDS, Forker, Whole, forking

from detector.data.coco_export import write_coco
from detector.data.recognition import kind_of
from detector.data.shapes import ShapesDataset
from detector.training.run_status import RunState
from viz_app.jobs import launching, processes, training, workspace
from viz_app.jobs.processes import JobState
from viz_app.jobs.slots import slots_folder, taken_slots

PATIENCE = 240


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace that all apps of these tests share."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(workspace.VARIABLE, str(folder))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv(launching.VARIABLE, raising=False)
        yield folder


@pytest.fixture(scope="module")
def app(place: Path) -> Iterator[Forker]:
    with forking(place) as helper:
        yield helper


@pytest.fixture(scope="module")
def archive(place: Path) -> Path:
    write_coco(ShapesDataset(12, size=64), place / "scenes")
    return Path(shutil.make_archive(str(place / "scenes"), "zip", place / "scenes"))


@pytest.fixture
def one_slot_that_is_taken(place: Path) -> Iterator[None]:
    """Whoever is launched waits: another run has the only slot."""
    slots_folder().mkdir(exist_ok=True)
    with (slots_folder() / "slot_0.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def waiters_of(name: str) -> list[psutil.Process]:
    """The process that waits for a run's turn."""
    folder = str(workspace.run_folder(name))
    return [one for one in psutil.process_iter(["cmdline"]) if folder in (one.info["cmdline"] or [])]


def leaves_the_queue(name: str) -> None:
    """A launched run is stopped, once its waiter has said that it is there."""
    until(lambda: (status := training.look(name).status) and status.is_alive)
    launching.stop(name)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_upload_whose_app_is_killed_is_whole_or_not_there(
    seed: int, app: Forker, archive: Path, place: Path
) -> None:
    def unpack(name: str) -> tuple[str, str, str]:
        return "unpack", str(archive), name

    datasets = workspace.datasets_folder()
    whole = app.done(*unpack("whole.zip"), watch=datasets)
    shutil.rmtree(datasets)
    app.killed(seed, whole, *unpack("cut.zip"), watch=datasets)
    for name in workspace.dataset_names():
        assert kind_of(datasets / name)
        assert len(list((datasets / name).rglob("*.png"))) == 12
    app.done(*unpack("next.zip"))
    assert "next" in workspace.dataset_names()
    assert [entry.name for entry in datasets.iterdir() if entry.name.startswith(".")] == []
    shutil.rmtree(datasets)


@pytest.fixture(scope="module")
def launched(app: Forker, place: Path) -> Whole:
    """A training that was launched and left the queue, as long as only starting it takes."""
    slots_folder().mkdir(exist_ok=True)
    with (slots_folder() / "slot_0.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        whole = app.done("start_training", "whole", watch=place / "runs")
        leaves_the_queue("whole")
    return whole


@pytest.mark.usefixtures("one_slot_that_is_taken")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_training_whose_app_is_killed_waits_for_its_turn_or_is_none(
    seed: int, app: Forker, launched: Whole, place: Path
) -> None:
    name = f"run-{seed}"
    app.killed(seed, launched, "start_training", name, watch=place / "runs")
    run, waiters = training.look(name), waiters_of(name)
    assert run.problem == ""
    assert len(waiters) <= 1
    if waiters:
        leaves_the_queue(name)
        psutil.wait_procs(waiters, PATIENCE)
    assert waiters_of(name) == []
    status = training.look(name).status
    assert status is None or not status.is_alive
    assert taken_slots() == 1  # by who had it before


def test_work_of_a_killed_app_goes_on_and_another_app_finds_it_done(app: Forker, place: Path) -> None:
    folder = workspace.diagnosis_folder("diagnosis")
    both = [app.start("start_training", "lives"), app.start("start_diagnosis", str(folder))]
    for pid in both:
        assert app.wait(pid) == 0  # the apps are gone; nobody waits for what they started
    assert processes.poll(folder).is_alive
    until(lambda: (status := training.look("lives").status) and status.is_alive)
    until(lambda: not processes.poll(folder).is_alive)
    assert processes.poll(folder).state is JobState.DONE
    until(lambda: (status := training.look("lives").status) and not status.is_alive)
    status = training.look("lives").status
    assert status is not None
    assert status.state is RunState.DONE
    until(lambda: taken_slots() == 0)  # it says that it is done a moment before it ends


@pytest.mark.usefixtures("one_slot_that_is_taken")
def test_of_two_apps_that_launch_one_name_one_wins(app: Forker, place: Path) -> None:
    both = [app.start("start_training", "same") for _ in range(2)]
    ended = [app.wait(pid) for pid in both]
    assert sorted(ended) == [0, 1]
    assert "there is a run called same already; choose another name" in app.output.read_text()
    leaves_the_queue("same")
    status = training.look("same").status
    assert status is not None
    assert status.state is RunState.STOPPED
