"""The database of a study: opened, made, and spoken of without its password.

SQLite in the study's folder, or a server (PostgreSQL, MySQL) that workers on many machines share. Optuna is only
imported when a database is opened.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.training.tuning import DATABASE, StudyConfig
from detector.training.tuning_problems import StorageProblem, saying_where, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable

    import optuna

    from detector.training.tuning_patience import PatientStorage

VARIABLE = "BOXSCOPE_STORAGE"
"""Environment variable with the database's URL: arguments of a process are seen by everybody, this is not."""
WANTED = "trials"
"""Attribute of a study: how many trials it wants in all."""
_ATTRIBUTE = "boxscope"
_PATIENCE = 60
_TRIES, _PAUSE = 5, 0.5
_RETRIES = 3
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a worker shows that it lives.

    Args:
        interval: seconds between two signs.
        grace: seconds without a sign after which its trial counts as lost, and is tried again.
    """

    interval: int = 15
    grace: int = 60


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A study in its database.

    Args:
        study: Optuna's.
        storage: the database.
        config: what it searches.
        url: of the database, password included.
    """

    study: optuna.Study
    storage: PatientStorage
    config: StudyConfig
    url: str


def storage_url(folder: Path, given: str | None = None) -> str:
    """Where a study's trials lie: at the URL that is given, or that the environment names, else in its folder.

    Raises:
        StorageProblem: what is no URL of a database.
    """
    url = given or os.environ.get(VARIABLE, "").strip() or f"sqlite:///{folder.absolute() / DATABASE}"
    scheme, colon, rest = url.partition("://")
    if not colon or not scheme:
        raise StorageProblem(
            "the storage is no URL; expected such as postgresql://USER:PASSWORD@HOST/DATABASE, mysql://… or "
            "sqlite:////FOLDER/study.db"
        )
    return f"{_DRIVERS.get(scheme, scheme)}://{rest}"


def open_storage(url: str, pulse: Pulse | None = None, *, reading: bool = False) -> PatientStorage:
    """Connect to a database, and make its tables where there are none.

    Args:
        url: as `storage_url` gives it.
        pulse: of the workers.
        reading: for one who only looks: no tables are made, nothing is locked.

    Raises:
        StorageProblem: it cannot be reached, or there is no driver for it.
    """
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    from detector.training.tuning_patience import Patience, PatientStorage

    pulse = pulse or Pulse()
    with saying_where(url), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # heartbeats are still called experimental
        storage = PatientStorage(
            url,
            engine_kwargs=_engine_options(url),
            heartbeat_interval=pulse.interval,
            grace_period=pulse.grace,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(
                max_retry=_RETRIES, inherit_intermediate_values=True
            ),
            skip_table_creation=reading,
        )
        if url.startswith("sqlite") and not reading:
            _lock_whole_transactions(storage.engine)
    storage.patience = Patience(shown_url(url), storage.engine.dispose)
    return storage


def wait_for_it(opened: Opened, is_over: Callable[[], bool] = lambda: False) -> None:
    """From here on wait for the database where it is gone, as long as `BOXSCOPE_DATABASE_PATIENCE` says.

    Args:
        opened: a study; by itself it waits for nothing.
        is_over: whether somebody wants an end before.

    Raises:
        ValueError: the variable is no number of seconds.
    """
    from detector.training.tuning_patience import patience_from_environment

    patience, database = opened.storage.patience, opened.storage.engine.url.database
    patience.seconds, patience.is_over = patience_from_environment(), is_over
    patience.file = Path(database) if opened.url.startswith("sqlite") and database else None


def create_study(config: StudyConfig, url: str, pulse: Pulse | None = None) -> Opened:
    """The study in its database, made where there is none; before any worker starts.

    Raises:
        StorageProblem: the database cannot be used.
        ValueError: there is a study of this name that searches something else.
    """
    import optuna

    opened = _made(config, url, pulse)
    known = opened.study.user_attrs.get(_ATTRIBUTE)
    with saying_where(url):
        if known is None:
            if opened.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)):
                raise ValueError(f"the database holds a study {config.name!r} that Boxscope did not make")
            opened.study.set_user_attr(_ATTRIBUTE, config.to_json())
        else:
            _refuse_other(config, StudyConfig.from_json(known))
        wanted = max(config.trials, int(opened.study.user_attrs.get(WANTED, 0)))
        opened.study.set_user_attr(WANTED, wanted)
    return replace(opened, config=replace(config, trials=wanted))


def load_study(name: str, url: str, pulse: Pulse | None = None, *, reading: bool = False) -> Opened:
    """A study that is in its database.

    Raises:
        StorageProblem: the database cannot be used.
        ValueError: there is no study of this name.
    """
    import optuna

    storage = open_storage(url, pulse, reading=reading)
    with saying_where(url):
        try:
            study = optuna.load_study(study_name=name, storage=storage)
        except KeyError:
            raise ValueError(f"{shown_url(url)} holds no study {name!r}") from None
        attributes = study.user_attrs
    if _ATTRIBUTE not in attributes:
        raise ValueError(f"the study {name!r} in {shown_url(url)} was not made by Boxscope")
    known = StudyConfig.from_json(attributes[_ATTRIBUTE])
    return Opened(study, storage, replace(known, trials=attributes.get(WANTED, known.trials)), url)


def quiet() -> None:
    """Optuna says nothing by itself: what happens is in the study, and people read sentences."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _made(config: StudyConfig, url: str, pulse: Pulse | None) -> Opened:
    """Two that make one study at once get into each other's way: who comes second tries again."""
    import optuna

    quiet()
    for attempt in range(_TRIES):
        try:
            storage = open_storage(url, pulse)
            with saying_where(url):
                study = optuna.create_study(
                    storage=storage,
                    study_name=config.name,
                    directions=list(config.directions),
                    load_if_exists=True,
                )
            return Opened(study, storage, config, url)
        except StorageProblem as problem:
            if attempt == _TRIES - 1 or "exist" not in str(problem):
                raise
            time.sleep(_PAUSE)
    raise AssertionError


def _refuse_other(config: StudyConfig, known: StudyConfig) -> None:
    words = {
        "kind": "another kind of trial", "parameters": "other parameters", "objectives": "another objective",
        "run": "another training run", "model": "another model", "weights": "other weights",
        "dataset": "another data set", "limit": "another number of images",
    }  # fmt: skip
    differ = [word for name, word in words.items() if getattr(config, name) != getattr(known, name)]
    if differ:
        raise ValueError(
            f"the study {config.name!r} is there already, with {' and '.join(differ)}; choose another name"
        )


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        from detector.training.tuning_patience import patience_from_environment

        return {"connect_args": {"timeout": min(_PATIENCE, patience_from_environment() or _PATIENCE)}}
    options: dict[str, Any] = {
        "pool_pre_ping": True
    }  # a connection may be cut while a trial trains for an hour
    if url.startswith("postgresql"):
        options["connect_args"] = {"connect_timeout": 10}
    return options


def _lock_whole_transactions(engine: Any) -> None:  # noqa: ANN401
    """SQLite locks at the first write; two workers that have both read a waiting trial would both take it."""
    from sqlalchemy import event

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401
        connection.isolation_level = None
        # A killed process loses nothing; a power cut may lose the last trials, and never breaks the file.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def begun(connection: Any) -> None:  # noqa: ANN401
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()
    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
