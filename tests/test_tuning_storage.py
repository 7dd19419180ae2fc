"""Trials as a queue in a database: as many as asked for, lost ones again, and one sentence for what is wrong."""

from __future__ import annotations

import math
import signal
import sqlite3
import threading
import time
from pathlib import Path

import optuna
import psutil
import pytest

from detector.training.stopping import RunStopped
from detector.training.tuning import DATABASE, StudyConfig, read_study
from detector.training.tuning_launch import Team, conduct, look_at, prepare
from detector.training.tuning_queue import LOT, claim, give_back, heartbeat, still_to_come, top_up
from detector.training.tuning_results import view_of, write_best
from detector.training.tuning_space import parameters_of
from detector.training.tuning_storage import Pulse, StorageProblem, load_study, shown_url, storage_url
from detector.training.tuning_worker import Stopping, work

SECRET = "s3cret"
PARAMETERS = parameters_of("thresholds", ["box_score=0.1..0.9", "box_nms"])


def study(trials: int, *objectives: str) -> StudyConfig:
    return StudyConfig(
        "s", "thresholds", PARAMETERS, objectives or ("AP",), trials=trials, dataset="shapes:4:3"
    )


def near_a_half(trial: optuna.Trial) -> tuple[float, ...]:
    score, nms = (one.suggest(trial) for one in PARAMETERS)
    return (1 - abs(score - 0.5) - abs(nms - 0.5),)


def test_a_study_goes_on_up_to_as_many_trials_as_are_asked_for(tmp_path: Path) -> None:
    work(prepare(study(3), tmp_path), tmp_path, near_a_half, Stopping())
    work(prepare(study(7), tmp_path), tmp_path, near_a_half, Stopping())
    view = look_at(tmp_path)
    assert [row.state for row in view.trials] == ["done"] * 7
    assert view.top is not None
    assert view.top.values[0] == max(row.values[0] for row in view.trials)
    assert read_study(tmp_path).trials == 7
    # Fewer than there are: nothing more to do, and nothing is taken away.
    work(prepare(study(2), tmp_path), tmp_path, near_a_half, Stopping())
    assert len(look_at(tmp_path).trials) == 7
    in_one_go = prepare(study(7), tmp_path / "in one go")
    work(in_one_go, tmp_path / "in one go", near_a_half, Stopping())
    assert [row.parameters for row in view_of(in_one_go).trials] == [row.parameters for row in view.trials]


def test_a_name_is_not_taken_by_a_study_of_something_else(tmp_path: Path) -> None:
    prepare(study(1), tmp_path)
    with pytest.raises(ValueError, match="is there already, with another objective; choose another name"):
        prepare(study(1, "F1"), tmp_path)


def test_a_value_that_is_no_number_fails_its_trial_and_not_the_study(tmp_path: Path) -> None:
    values = iter((math.nan, math.inf, 0.25, -math.inf))
    opened = prepare(study(4), tmp_path)
    work(opened, tmp_path, lambda trial: (near_a_half(trial)[0] * 0 + next(values),), Stopping())
    view = view_of(opened)
    assert [row.state for row in view.trials] == ["failed", "failed", "done", "failed"]
    assert [row.problem for row in view.trials] == ["AP is nan", "AP is inf", "", "AP is -inf"]
    assert view.best == (2,)
    assert view.ended == 4


def test_trials_that_all_fail_alike_end_the_worker(tmp_path: Path) -> None:
    def broken(trial: optuna.Trial) -> tuple[float, ...]:
        raise ValueError(f"the model has no dropout{trial.number * 0 or ''}")

    opened = prepare(study(9), tmp_path)
    with pytest.raises(ValueError, match="3 trials in a row failed: the model has no dropout"):
        work(opened, tmp_path, broken, Stopping())
    assert view_of(opened).count("waiting") == LOT - 3
    assert still_to_come(opened) == 9 - LOT


def test_a_stopped_trial_waits_again_with_its_settings_and_reports(tmp_path: Path) -> None:
    opened, stopping = prepare(study(2), tmp_path), Stopping()

    def stopped(trial: optuna.Trial) -> tuple[float, ...]:
        near_a_half(trial)
        trial.report(0.125, 0)
        raise RunStopped("somebody stopped it")

    work(opened, tmp_path, stopped, stopping)
    assert stopping.wanted
    assert [row.state for row in view_of(opened).trials] == ["failed", "waiting", "waiting"]
    work(opened, tmp_path, near_a_half, Stopping())
    first, _, again = view_of(opened).trials
    assert first.problem == "its worker was stopped or lost; trial 2 does it again"
    assert (first.again, again.retry_of, again.parameters) == (2, 0, first.parameters)
    assert opened.study.trials[2].intermediate_values == {0: 0.125}
    assert view_of(opened).ended == 2


def test_only_one_worker_gets_a_trial(tmp_path: Path) -> None:
    prepare(study(13), tmp_path)
    taken: list[int] = []

    def take() -> None:
        mine = load_study("s", storage_url(tmp_path))
        while (trial := claim(mine)) is not None or top_up(mine, tmp_path):
            taken.extend([] if trial is None else [trial.number])

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(13))


def test_a_worker_without_a_heartbeat_loses_its_trial(tmp_path: Path) -> None:
    opened = prepare(study(1), tmp_path, pulse=Pulse(1, 2))
    top_up(opened, tmp_path)
    lost = claim(opened)
    assert lost is not None
    params = {one.name: one.suggest(lost) for one in PARAMETERS}
    with heartbeat(opened, lost):
        time.sleep(3.2)
        assert claim(opened) is None  # it beats
    time.sleep(3.2)
    again = claim(opened)
    assert again is not None
    assert {one.name: one.suggest(again) for one in PARAMETERS} == params
    give_back(opened, lost)  # who comes too late changes nothing
    assert [row.state for row in view_of(opened).trials][:2] == ["failed", "running"]


def test_a_worker_that_is_killed_is_replaced_and_its_trial_done_again(tmp_path: Path) -> None:
    found: list[object] = []
    team = Team(1, Pulse(1, 2))
    thread = threading.Thread(target=lambda: found.append(conduct(study(8), tmp_path, team=team)))
    thread.start()
    _kill_in_a_trial(tmp_path, thread)
    thread.join(120)
    assert found, (tmp_path / "log.txt").read_text()
    view = look_at(tmp_path)
    lost = next(row for row in view.trials if row.again is not None)
    again = view.trials[lost.again or 0]
    assert (lost.state, again.state, again.retry_of) == ("failed", "done", lost.number)
    assert view.ended == 8
    assert view.count("done") == 8
    assert view.before["AP"] > 0.5
    assert (tmp_path / "best.json").is_file()


def test_several_objectives_have_a_front(tmp_path: Path) -> None:
    values = iter(((0.5, 0.1), (0.4, 0.4), (0.3, 0.3), (0.1, 0.5)))
    opened = prepare(study(4, "AP", "F1"), tmp_path)
    work(opened, tmp_path, lambda trial: near_a_half(trial) and next(values), Stopping())
    view = view_of(opened)
    assert view.best == (0, 1, 3)
    assert view.top is not None
    assert view.top.number == 0
    assert write_best(view, tmp_path) == [tmp_path / "best.json"]


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    url = storage_url(tmp_path, f"postgresql://bob:{SECRET}@127.0.0.1:1/studies")
    assert shown_url(url) == "postgresql+psycopg://bob:***@127.0.0.1:1/studies"
    for place in (
        url,
        f"mysql://bob:{SECRET}@127.0.0.1:1/x",
        f"postgresql://bob:{SECRET}@[bad/x",
        f"odd://bob:{SECRET}@host/x",
    ):
        with pytest.raises(StorageProblem) as refused:
            prepare(study(1), tmp_path / "s", place)
        assert SECRET not in str(refused.value)
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "s").exists()
    with pytest.raises(StorageProblem, match="the storage is no URL"):
        storage_url(tmp_path, SECRET)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_text("nothing of the kind")
    with pytest.raises(StorageProblem, match=r"study\.db cannot be used: file is not a database"):
        prepare(study(1), tmp_path)


def _kill_in_a_trial(folder: Path, thread: threading.Thread) -> None:
    """Kill the worker with a trial in its hands: it is held still for the look at the database."""
    while thread.is_alive():
        worker = _worker(folder)
        if worker is None:
            time.sleep(0.05)
            continue
        worker.send_signal(signal.SIGSTOP)
        if _runs(folder):
            worker.kill()
            return
        worker.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError((folder / "log.txt").read_text())


def _worker(folder: Path) -> psutil.Process | None:
    for child in psutil.Process().children():
        try:
            if str(folder) in child.cmdline():
                return child
        except psutil.Error:
            continue
    return None


def _runs(folder: Path) -> bool:
    try:
        with sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True, timeout=0.01) as database:
            return database.execute("SELECT count(*) FROM trials WHERE state='RUNNING'").fetchone()[0] > 0
    except sqlite3.OperationalError:
        return False  # it holds the lock: not the moment
