"""A worker of a study: takes a trial, does it, writes down how it ended, and takes the next one.

It is a process of its own, `python -m detector.training.tuning_worker FOLDER`; the database's URL comes in the
environment, because arguments are seen by everybody. SIGTERM or Ctrl+C stop it gently: the trial at hand waits
again, and goes on where it was when somebody takes it.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.sealed import replace_file
from detector.training.stopping import RunStopped
from detector.training.tuning import read_study
from detector.training.tuning_problems import StorageProblem, saying_where
from detector.training.tuning_storage import Opened, Pulse, load_study, quiet, storage_url, wait_for_it

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    import optuna

    Objective = Callable[[optuna.Trial], tuple[float, ...]]

PULSE = "BOXSCOPE_PULSE"
"""Environment variable with the heartbeat's interval and grace in seconds, such as `15,60`."""
PARENT = "BOXSCOPE_PARENT"
"""Environment variable with the process that started this one; with its end this one ends."""
PROBLEM, CAPTURE, INTERRUPTED, FAILED = "problem.txt", "capture_", 130, 2
_ALIKE, _LOOK = 3, 0.5


class Stopping:
    """Whether somebody wants this worker to stop: by a signal, or because who started it is gone."""

    def __init__(self, parent: int | None = None) -> None:
        self.wanted, self._parent = False, parent

    def __bool__(self) -> bool:
        return self.wanted or (self._parent is not None and os.getppid() != self._parent)

    def handle(self) -> None:
        """Let SIGTERM and Ctrl+C say it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.wanted = True


def work(opened: Opened, folder: Path, objective: Objective, stopping: Stopping) -> None:
    """Do trials until there are as many as wanted and none runs elsewhere, or until this worker is to stop.

    A trial whose objective is not finite, or that cannot be done, fails; the study goes on. Where the first trials
    all fail with one and the same sentence, nothing would get better: then that sentence is raised.

    Raises:
        ValueError: see above; or the database is lost.
    """
    from detector.training.tuning_queue import claim, heartbeat, others_at_work, top_up

    problems: list[str] = []
    with saying_where(opened.url):
        while not stopping:
            trial = claim(opened)
            if trial is None:
                if opened.storage.patience.keep(lambda: top_up(opened, folder)):
                    continue
                if not others_at_work(opened):
                    return
                time.sleep(_LOOK)
                continue
            with heartbeat(opened, trial):
                problem = _do(opened, trial, objective, stopping)
            problems = [*problems, problem] if problem else []
            if len(problems) == _ALIKE and len(set(problems)) == 1:
                raise ValueError(f"{_ALIKE} trials in a row failed: {problems[0]}")


def objective_of(opened: Opened, folder: Path) -> Objective:
    """What each trial of a study does; for thresholds the images are captured here.

    Raises:
        ValueError: a model, data set or setting that cannot be used.
    """
    if opened.config.kind == "training":
        from detector.training.tuning_settings import base_of
        from detector.training.tuning_training import TrainingObjective

        base_of(opened.config)
        return TrainingObjective(opened.config, folder)
    from detector.training.tuning_replay import ReplayObjective

    objective = ReplayObjective.of(opened.config, _telling(folder))
    _capture_file(folder).unlink(missing_ok=True)
    own = objective.thresholds({})
    opened.study.set_user_attr("before", asdict(objective.at({})))
    opened.study.set_user_attr("own", asdict(own))
    opened.study.set_user_attr("problems", list(objective.cached.problems)[:20])
    return objective


def main(folder: Path) -> int:
    """Work on the study in a folder; the exit status. A problem is left there as a sentence."""
    # Told, not asked for: who started this process may have ended before it came this far.
    stopping = Stopping(int(os.environ.get(PARENT, os.getppid())))
    stopping.handle()
    try:
        quiet()
        config = read_study(folder)
        opened = load_study(config.name, storage_url(folder), _pulse())
        wait_for_it(opened, stopping.__bool__)
        work(opened, folder, objective_of(opened, folder), stopping)
    except (ValueError, TypeError, OSError) as problem:
        if stopping and isinstance(problem, StorageProblem):
            return INTERRUPTED  # it had its reason not to wait for the database
        sentence = " ".join(str(problem).split())
        print(f"boxscope: {sentence}", file=sys.stderr)
        with suppress(OSError):
            replace_file(folder / PROBLEM, sentence.encode())
        return FAILED
    return INTERRUPTED if stopping else 0


def _do(opened: Opened, trial: optuna.Trial, objective: Objective, stopping: Stopping) -> str:
    """One trial to its end; the sentence with which it failed, if it did for a reason that will stay."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    from detector.training.tuning_queue import fail, finish, give_back

    try:
        values = objective(trial)
    except TrialPruned:
        finish(opened, trial, TrialState.PRUNED)
        return ""
    except (RunStopped, KeyboardInterrupt):
        stopping.wanted = True
        give_back(opened, trial)
        return ""
    except (ValueError, TypeError, OSError, RuntimeError) as problem:
        sentence = " ".join(str(problem).split())[:500]
        fail(opened, trial, sentence)
        return sentence
    wrong = [
        f"{n} is {v}" for n, v in zip(opened.config.objectives, values, strict=True) if not math.isfinite(v)
    ]
    if wrong:
        fail(opened, trial, " and ".join(wrong))
    else:
        finish(opened, trial, TrialState.COMPLETE, values)
    return ""


def _pulse() -> Pulse:
    text = os.environ.get(PULSE, "")
    if not text:
        return Pulse()
    interval, grace = text.split(",")
    return Pulse(int(interval), int(grace))


def _telling(folder: Path) -> Callable[[int, int], None]:
    """How far the capture is, for whoever watches the study: a small file in its folder."""
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > 1:
            last = time.monotonic()
            with suppress(OSError):
                replace_file(_capture_file(folder), f"{done} {total}".encode())

    return tell


def _capture_file(folder: Path) -> Path:
    return folder / f"{CAPTURE}{os.getpid()}.txt"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
