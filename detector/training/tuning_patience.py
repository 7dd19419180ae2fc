"""A database that goes away during a study: waited for, for so long, and then spoken of in one sentence.

A server is started again, a cable is put back, a file that another process locks is let go of. Who works on a study
tries again until the patience is over; who only looks at one is told at once.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from detector.judging.status import duration

VARIABLE = "BOXSCOPE_DATABASE_PATIENCE"
"""Environment variable with the seconds that a worker waits for a lost database."""
PATIENCE = 300.0
_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_WAITS = (
    "set_study_user_attr", "set_study_system_attr", "get_study_id_from_name", "get_study_name_from_id",
    "get_study_directions", "get_study_user_attrs", "get_study_system_attrs", "_create_new_trial",
    "_set_trial_param", "get_trial_id_from_study_id_trial_number", "set_trial_state_values",
    "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr", "get_trial", "_get_trials",
    "_get_best_trial_id", "_get_stale_trial_ids",
)  # fmt: skip
"""What Optuna asks of a storage. Not the signs of life: they come from a thread that must not hang on."""


T = TypeVar("T")
_ERRORS = (StorageInternalError, DBAPIError, FileNotFoundError)


class DatabaseGone(Exception):
    """The patience is over; the last error is its cause."""


@dataclass(slots=True, eq=False)
class Patience:
    """How long a lost database is waited for.

    Args:
        name: of the database for people, without its password.
        forget: lets go of connections that are of no use any more.
        seconds: that it is waited for, once it is gone; 0 waits for nothing.
        is_over: whether somebody wants an end before.
        file: of an SQLite database; one that was deleted would else be written to for ever, and nobody would know.
        came_back: when it was last there again, on the monotonic clock: signs of life were missed before.
        given_up: whether the patience was over before; whoever tidies up then does not wait once more.
    """

    name: str
    forget: Callable[[], None]
    seconds: float = 0.0
    is_over: Callable[[], bool] = lambda: False
    file: Path | None = None
    came_back: float = -math.inf
    given_up: bool = False

    def keep(self, act: Callable[[], T]) -> T:
        """Do something with the database; where it is gone, again and again until it is back.

        Raises:
            DatabaseGone: it did not come back in time, or somebody wants an end.
        """
        began, pause = time.monotonic(), _PAUSE
        while True:
            try:
                found = self._done(act)
            except _ERRORS as error:
                if not self.seconds or not is_lost(error):
                    raise
                self._give_up_after(began, error)
                if pause == _PAUSE:
                    self._say(f"does not answer; waiting for it, for {duration(self.seconds)} at most")
                self.forget()
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if pause > _PAUSE:
                self.came_back = time.monotonic()
                self._say("answers again")
            return found

    def _done(self, act: Callable[[], T]) -> T:
        if self.file is not None and not self.file.exists():
            raise FileNotFoundError(errno.ENOENT, "the file is gone", str(self.file))
        return act()

    def _give_up_after(self, began: float, error: Exception) -> None:
        if self.given_up or self.is_over() or time.monotonic() - began > self.seconds:
            self.given_up = True
            raise DatabaseGone(f"the database {self.name} was gone for {duration(self.seconds)}") from error

    def _say(self, what: str) -> None:
        print(f"boxscope: the database {self.name} {what}", file=sys.stderr, flush=True)


class PatientStorage(RDBStorage):
    """Optuna's storage in a database, which waits where that is gone.

    Attributes:
        patience: how long.
    """

    patience: Patience


def is_lost(error: BaseException) -> bool:
    """Whether an error of a database may pass by itself: no connection, a lock that somebody holds, a lost file."""
    if isinstance(error, StorageInternalError):
        return error.__cause__ is not None and is_lost(error.__cause__)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | FileNotFoundError)


def patience_from_environment() -> float:
    """Seconds, as `BOXSCOPE_DATABASE_PATIENCE` says.

    Raises:
        ValueError: it says no number from 0 on.
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        seconds = float(text or PATIENCE)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{VARIABLE} is {text[:20]!r}; expected a number of seconds from 0 on")
    return seconds


def _waiting(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def patient(storage: PatientStorage, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        return storage.patience.keep(lambda: method(storage, *given, **named))

    return patient


for _name in _WAITS:
    setattr(PatientStorage, _name, _waiting(getattr(RDBStorage, _name)))
