"""How a run stands, judged from what it wrote and from what is true of its process."""

import json
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support.runs import python, status_of

from detector.training.keeping import at_work
from detector.training.liveness import is_at_work, process_started
from detector.training.pace import Pace
from detector.training.run_directory import RunDirectory
from detector.training.run_status import (
    SILENT_AFTER,
    STATUS,
    RunState,
    judged,
    read_status,
    write_status,
)
from detector.training.stopping import request_stop

SLEEP = "import time; print('here', flush=True); time.sleep(60)"


def test_status_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    status = status_of(AP=0.25, phase="validating")
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    assert [entry.name for entry in tmp_path.iterdir()] == [STATUS]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"state": "running"}', '{"state": "asleep"}'])
def test_what_is_no_status_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / STATUS).write_text(text)
    with pytest.raises(ValueError, match=r"status\.json: this is not the status"):
        read_status(tmp_path)


def test_a_status_of_an_unknown_state_or_field_is_refused(tmp_path: Path) -> None:
    write_status(tmp_path, status_of())
    content = json.loads((tmp_path / STATUS).read_text())
    for changed in ({**content, "state": "asleep"}, {**content, "mood": "fine"}):
        (tmp_path / STATUS).write_text(json.dumps(changed))
        with pytest.raises(ValueError, match="not the status"):
            read_status(tmp_path)


def test_a_process_is_told_from_another_of_its_number() -> None:
    own = process_started()
    assert is_at_work(os.getpid(), own)
    assert not is_at_work(os.getpid(), own - 100)
    assert not is_at_work(0, own)
    assert not is_at_work(2**22 + 7, own)


def test_a_process_that_ended_is_not_at_work_even_before_its_parent_asks() -> None:
    child = python("print('done', flush=True)")
    started = process_started(child.pid)
    assert child.stdout is not None
    child.stdout.read()  # until it has closed its output
    process = psutil.Process(child.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert psutil.pid_exists(child.pid)
    assert not is_at_work(child.pid, started)
    child.communicate()
    assert not is_at_work(child.pid, started)


def test_a_killed_run_has_died(tmp_path: Path) -> None:
    child = python(SLEEP)
    write_status(tmp_path, status_of(child.pid))
    alive = read_status(tmp_path)
    child.kill()
    child.communicate()
    dead = read_status(tmp_path)
    assert alive is not None
    assert alive.state is RunState.RUNNING
    assert alive.is_alive
    assert dead is not None
    assert dead.state is RunState.DIED
    assert not dead.is_alive
    assert "killed" in dead.message
    assert (dead.rate, dead.seconds_left, dead.step) == (None, None, 120)


@pytest.mark.parametrize(("state", "found"), [("queued", RunState.STOPPED), ("running", RunState.DIED)])
def test_who_was_to_stop_before_it_began_was_stopped_however_long_it_took_to_end(
    state: str, found: RunState, tmp_path: Path
) -> None:
    write_status(tmp_path, status_of(state=RunState(state), process_started=1.0))
    gone = read_status(tmp_path)
    (tmp_path / "stop").touch()
    asked = read_status(tmp_path)
    assert gone is not None and asked is not None
    assert gone.state is RunState.DIED and asked.state is found
    assert ("before it began" in asked.message) == (found is RunState.STOPPED)


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.STOPPED])
def test_a_run_that_said_its_last_word_has_not_died(state: RunState) -> None:
    status = status_of(state=state, process_started=1.0, heartbeat=0.0)
    assert judged(status) is status


def test_silence_is_death_on_any_machine_and_only_after_the_bound() -> None:
    for host in (socket.gethostname(), "another-machine"):
        status = status_of(host=host)
        assert judged(status, status.heartbeat + SILENT_AFTER - 1) is status
        late = judged(status, status.heartbeat + SILENT_AFTER + 1)
        assert late.state is RunState.DIED
        assert "no sign of life for 2 min 01 s" in late.message


def test_of_another_machine_the_number_of_the_process_says_nothing() -> None:
    there = status_of(host="another-machine", process_started=1.0)
    assert judged(there) is there
    assert judged(replace(there, host=socket.gethostname())).state is RunState.DIED


def test_a_stop_is_asked_of_the_process_itself_and_by_a_file(tmp_path: Path) -> None:
    child = python(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('here', flush=True)\n"
        "time.sleep(60)"
    )
    assert child.stdout is not None
    child.stdout.readline()
    write_status(tmp_path, status_of(child.pid))
    request_stop(tmp_path)
    child.communicate()
    assert child.returncode == 7
    assert (tmp_path / "stop").is_file()


@pytest.mark.parametrize("changes", [{"host": "another-machine"}, {"state": RunState.QUEUED}])
def test_only_the_file_asks_a_run_elsewhere_or_in_the_queue(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    child = python(SLEEP)
    assert child.stdout is not None
    child.stdout.readline()
    write_status(tmp_path, replace(status_of(child.pid), **changes))  # pyright: ignore[reportArgumentType]
    request_stop(tmp_path)
    assert (tmp_path / "stop").is_file()
    assert child.poll() is None
    child.kill()
    child.communicate()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells the start of a process by today's clock"
)
@pytest.mark.parametrize("moved", [-3600.0, 3600.0])
def test_a_run_outlives_a_clock_that_is_set(
    moved: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from psutil import _pslinux

    boot, now = _pslinux.boot_time, time.time
    with at_work(RunDirectory(tmp_path), epochs=1) as keeper:
        # What setting the clock does to a process: the machine began at another time, and so did the process.
        monkeypatch.setattr(_pslinux, "boot_time", lambda: boot() + moved)
        monkeypatch.setattr(time, "time", lambda: now() + moved)
        keeper.write()
        status = read_status(tmp_path)
        assert status is not None
        assert (status.state, status.heartbeat) == (RunState.RUNNING, pytest.approx(time.time(), abs=60))
        monkeypatch.undo()


def test_a_wish_to_stop_that_came_between_queue_and_training_is_kept(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    write_status(tmp_path, status_of(state=RunState.QUEUED))
    request_stop(tmp_path)
    with at_work(directory, epochs=1) as keeper:
        assert keeper.stop_wanted
    write_status(tmp_path, status_of(state=RunState.QUEUED, pid=os.getppid()))
    directory.stop.touch()
    with at_work(directory, epochs=1) as keeper:
        assert not keeper.stop_wanted


def test_nobody_is_asked_to_stop_where_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no run that was begun"):
        request_stop(tmp_path)
    # The process is there; it is another one of the same number.
    write_status(tmp_path, status_of(process_started=1.0))
    with pytest.raises(ValueError, match="does not run: it has died"):
        request_stop(tmp_path)
    assert not (tmp_path / "stop").exists()


def test_pace_leaves_validations_out_of_the_rate_and_adds_them_to_what_is_left() -> None:
    from detector.training.metrics_log import EpochRow

    time_now = [0.0]
    pace = Pace(4, lambda: time_now[0])
    assert pace.rate is None
    assert pace.seconds_left(10) is None
    pace.entered("training")
    for _ in range(10):
        time_now[0] += 0.5
        pace.stepped()
    pace.entered("validating")
    time_now[0] += 100.0
    pace.validated(EpochRow(1, 10, *(None,) * 6, seconds=7.0))
    pace.entered("training")
    time_now[0] += 0.5
    pace.stepped()
    assert pace.rate == pytest.approx(2.0)
    # Epochs 2 and 3 are still to be validated.
    assert pace.seconds_left(10) == pytest.approx(10 / 2.0 + 2 * 7.0)
