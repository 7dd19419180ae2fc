"""Trials as a queue: the next ones wait in the database, and each worker takes one at a time.

Optuna's own loop makes trials up as it goes, and several workers make too many. Here they are put in the queue by
one worker at a time, a lot at once, until there are N: so N trials are N however many workers there are. A trial
whose worker was killed or stopped waits again, with the same settings.
"""

from __future__ import annotations

import threading
import time
import warnings
import zlib
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import text

from detector.judging.locks import locked
from detector.training.tuning_storage import WANTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detector.training.tuning import StudyConfig
    from detector.training.tuning_storage import Opened

_HISTORY = "retry_history"
_TRIES = 60
LOT = 8


def top_up(opened: Opened, folder: Path) -> int:
    """Let the next trials wait, where fewer than the study wants are there; how many were added.

    Second tries do not count. Only one process at a time does it; see `only_one`.
    """
    with only_one(opened, folder):
        missing = min(LOT, still_to_come(opened))
        for _ in range(missing):
            opened.study.enqueue_trial({})
    return missing


def still_to_come(opened: Opened) -> int:
    """How many trials of those that the study wants are not even in the queue."""
    there = sum(1 for trial in opened.study.get_trials(deepcopy=False) if not is_retry(trial))
    return max(0, int(opened.study.user_attrs.get(WANTED, 0)) - there)


def is_retry(trial: FrozenTrial) -> bool:
    """Whether it tries again what another trial could not finish."""
    return bool(trial.system_attrs.get(_HISTORY))


def first_number(trial: FrozenTrial) -> int:
    """Number of the trial that it tries again; its own where it is the first."""
    history = trial.system_attrs.get(_HISTORY) or [trial.number]
    return int(history[0])


def claim(opened: Opened) -> optuna.Trial | None:
    """Take a trial that waits, this worker's alone; None where none does."""
    study, storage = opened.study, opened.storage
    _give_up_the_lost(opened)
    key = storage.get_study_id_from_name(study.study_name)
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        number = storage.get_trial_id_from_study_id_trial_number(key, frozen.number)
        # First the sign of life: a worker killed between the two would else leave a trial that runs for ever.
        storage.patience.keep(partial(storage.record_heartbeat, number))
        with suppress(UpdateFinishedTrialError):
            if storage.set_trial_state_values(number, TrialState.RUNNING):
                study.sampler, study.pruner = search_of(opened.config, first_number(frozen))
                return optuna.Trial(study, number)
    return None


def _give_up_the_lost(opened: Opened) -> None:
    """Let trials wait again whose workers are lost.

    Where the database was gone nobody could give a sign: all get the time for a new one.
    """
    storage = opened.storage
    if time.monotonic() - storage.patience.came_back < (storage.grace_period or 0):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fail_stale_trials(opened.study)


def search_of(
    config: StudyConfig, number: int
) -> tuple[optuna.samplers.BaseSampler, optuna.pruners.BasePruner]:
    """How a trial's values are chosen (TPE), and whether it is ended early (worse than the median).

    The draws follow from the study's seed and the trial's number (the first one's, where it is done again): not
    from how many workers there are, nor from whether the study was stopped, or a worker killed, in between.
    """
    sampler = optuna.samplers.TPESampler(seed=(config.seed * 1_000_003 + number * 7919) % 2**31)
    if not config.prunes:
        return sampler, optuna.pruners.NopPruner()
    return sampler, optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)


@contextmanager
def only_one(opened: Opened, folder: Path) -> Iterator[None]:
    """Hold the study until the block ends: of commands that begin at once, on many machines, one comes first."""
    engine, key = opened.storage.engine, zlib.crc32(opened.config.name.encode())
    locks = {"postgresql": "SELECT pg_advisory_lock(:key)", "mysql": "SELECT GET_LOCK(:key, 600)"}
    lock = locks.get(engine.dialect.name)
    with _folder_held(folder):
        if lock is None:
            yield
            return
        with engine.connect() as connection:  # the lock goes with the connection
            connection.execute(text(lock), {"key": key if "pg_" in lock else f"boxscope {key}"})
            try:
                yield
            finally:
                connection.invalidate()


@contextmanager
def _folder_held(folder: Path) -> Iterator[None]:
    for attempt in range(_TRIES):
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(folder))
            except ValueError:
                if attempt == _TRIES - 1:
                    raise
                continue
            yield
            return


def others_at_work(opened: Opened) -> bool:
    """Whether some trial runs: its worker may be lost, and then it waits again."""
    return bool(opened.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def give_back(opened: Opened, trial: optuna.Trial) -> None:
    """Let a trial that was stopped wait again, with the same settings and what it has reported."""
    finish(opened, trial, TrialState.FAIL)
    frozen = next(one for one in opened.study.get_trials() if one.number == trial.number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)(opened.study, frozen)


def finish(
    opened: Opened, trial: optuna.Trial, state: TrialState, values: tuple[float, ...] | None = None
) -> None:
    """Write down how a trial ended; one that others have given up meanwhile stays given up."""
    with suppress(UpdateFinishedTrialError, ValueError):
        opened.study.tell(trial, list(values) if values else None, state=state)


def fail(opened: Opened, trial: optuna.Trial, sentence: str) -> None:
    """Write down that a trial failed, and why."""
    with suppress(UpdateFinishedTrialError):
        trial.set_user_attr("problem", sentence)
    finish(opened, trial, TrialState.FAIL)


@contextmanager
def heartbeat(opened: Opened, trial: optuna.Trial) -> Iterator[None]:
    """Show that this worker lives, until the block ends."""
    storage, ended = opened.storage, threading.Event()
    key = storage.get_study_id_from_name(opened.study.study_name)
    number = storage.get_trial_id_from_study_id_trial_number(key, trial.number)
    interval = storage.get_heartbeat_interval()

    def beat() -> None:
        missed = False
        while not ended.wait(interval):
            try:
                storage.record_heartbeat(number)
            except Exception:  # one sign that is lost does no harm; a lost database ends the worker
                missed = True
                continue
            if missed:
                storage.patience.came_back, missed = time.monotonic(), False
        with suppress(Exception):
            storage.remove_session()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
