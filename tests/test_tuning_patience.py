"""A database that goes away during a study: waited for, then spoken of; nothing that was done is lost."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from detector.training.tuning import DATABASE, StudyConfig
from detector.training.tuning_launch import look_at, prepare
from detector.training.tuning_patience import VARIABLE, patience_from_environment
from detector.training.tuning_problems import StorageProblem
from detector.training.tuning_queue import claim, give_back, heartbeat, is_retry, top_up
from detector.training.tuning_space import parameters_of
from detector.training.tuning_storage import Opened, Pulse, wait_for_it
from detector.training.tuning_worker import Stopping, work

PARAMETERS = parameters_of("thresholds", ["box_score=0.1..0.9"])
STUDY = StudyConfig("s", "thresholds", PARAMETERS, trials=4, dataset="shapes:4:3")


def opened_in(folder: Path, patience: str, monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setenv(VARIABLE, patience)
    opened = prepare(STUDY, folder)
    wait_for_it(opened)
    return opened


def disturbed(at: int, disturb: Callable[[], object]) -> Callable[[optuna.Trial], tuple[float, ...]]:
    """An objective in whose trial of this number something happens to the database."""

    def objective(trial: optuna.Trial) -> tuple[float, ...]:
        value = PARAMETERS[0].suggest(trial)
        if trial.number == at:
            disturb()
        return (value,)

    return objective


def test_a_study_waits_until_its_folder_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, away = tmp_path / "study", tmp_path / "away"
    opened = opened_in(folder, "60", monkeypatch)

    def vanish() -> None:
        folder.rename(away)
        threading.Timer(0.5, away.rename, (folder,)).start()

    work(opened, folder, disturbed(1, vanish), Stopping())
    assert [row.state for row in look_at(folder).trials] == ["done"] * 4
    said = capsys.readouterr().err.splitlines()
    assert "does not answer; waiting for it, for 1 min 00 s at most" in said[0]
    assert said[1].endswith("answers again")


def test_a_study_whose_folder_stays_away_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, away = tmp_path / "study", tmp_path / "away"
    opened = opened_in(folder, "0.3", monkeypatch)
    with pytest.raises(
        StorageProblem, match=r"study\.db was gone for .*the file is gone.*same command again"
    ):
        work(opened, folder, disturbed(1, lambda: folder.rename(away)), Stopping())
    away.rename(folder)
    trials = look_at(folder).trials
    assert [row.state for row in trials] == ["done", "running", "waiting", "waiting"]


def test_a_database_that_another_process_locks_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_in(tmp_path, "60", monkeypatch)
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None, check_same_thread=False)

    def lock() -> None:
        other.execute("BEGIN EXCLUSIVE")
        threading.Timer(0.5, other.execute, ("ROLLBACK",)).start()

    work(opened, tmp_path, disturbed(0, lock), Stopping())
    assert [row.state for row in look_at(tmp_path).trials] == ["done"] * 4
    other.close()


def test_a_database_that_stays_locked_ends_the_study_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_in(tmp_path, "0.5", monkeypatch)
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    with pytest.raises(StorageProblem, match=r"was gone for .*database is locked"):
        work(opened, tmp_path, disturbed(0, lambda: other.execute("BEGIN EXCLUSIVE")), Stopping())
    other.close()


def test_who_is_asked_to_stop_does_not_wait_for_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, stopping = tmp_path / "study", Stopping()
    opened = opened_in(folder, "3600", monkeypatch)
    wait_for_it(opened, stopping.__bool__)

    def vanish() -> None:
        folder.rename(tmp_path / "away")
        threading.Timer(0.3, setattr, (stopping, "wanted", True)).start()

    with pytest.raises(StorageProblem, match="the file is gone"):
        work(opened, folder, disturbed(0, vanish), stopping)


def test_nobody_loses_a_trial_because_the_database_was_gone_for_all(tmp_path: Path) -> None:
    opened = prepare(STUDY, tmp_path, pulse=Pulse(1, 2))
    top_up(opened, tmp_path)
    first = claim(opened)
    assert first is not None
    time.sleep(3.2)  # no sign of life, as while the database was gone
    opened.storage.patience.came_back = time.monotonic()
    second = claim(opened)
    assert second is not None
    assert [row.state for row in look_at(tmp_path).trials] == ["running", "running", "waiting", "waiting"]


def test_a_trial_whose_worker_was_lost_before_it_chose_settings_gets_those_that_it_would_have_had(
    tmp_path: Path,
) -> None:
    chosen = []
    for name in ("whole", "lost"):
        opened = prepare(STUDY, tmp_path / name, pulse=Pulse(1, 1))
        top_up(opened, tmp_path / name)
        trial = claim(opened)
        assert trial is not None
        if name == "lost":
            give_back(opened, trial)
            while trial is not None and not is_retry(opened.study.get_trials()[trial.number]):
                trial = claim(opened)
            assert trial is not None
            assert trial.number == STUDY.trials
        chosen.append(PARAMETERS[0].suggest(trial))
    assert chosen[0] == chosen[1]


def test_a_sign_of_life_after_missed_ones_tells_that_the_database_is_back(tmp_path: Path) -> None:
    opened = prepare(STUDY, tmp_path, pulse=Pulse(1, 2))
    top_up(opened, tmp_path)
    trial = claim(opened)
    assert trial is not None
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    opened.storage.engine.dispose()
    before = opened.storage.patience.came_back
    with heartbeat(opened, trial):
        table = "trial_heartbeats"
        other.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        time.sleep(1.5)
        other.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
        deadline = time.monotonic() + 60
        while opened.storage.patience.came_back == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    other.close()


@pytest.mark.parametrize("text", ["-1", "soon", "nan", "inf"])
def test_a_patience_that_is_no_number_of_seconds_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"{VARIABLE} is '{text}'; expected a number of seconds"):
        patience_from_environment()
