"""A study from its first trial to its last: made in its database, worked on by processes, summed up in files.

Workers are processes of their own. One that is killed is replaced, and its trial is done again once its heartbeat
has been missing for a while. Other machines help with the same command and the same database.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import detector
from detector.data.leftovers import sweep_old
from detector.data.sealed import replace_file
from detector.training.config import MOST_PROCESSES
from detector.training.tuning import STUDY, read_study, write_study
from detector.training.tuning_results import StudyView, view_of, write_best
from detector.training.tuning_storage import (
    VARIABLE,
    Opened,
    Pulse,
    create_study,
    load_study,
    storage_url,
    wait_for_it,
)
from detector.training.tuning_worker import CAPTURE, FAILED, INTERRUPTED, PARENT, PROBLEM, PULSE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from detector.training.tuning import StudyConfig

LOG = "log.txt"
_LOOK, _TELL, _REPLACEMENTS = 0.1, 1.0, 3


@dataclass(frozen=True, slots=True)
class Team:
    """Who works on a study from here.

    Args:
        workers: processes at once.
        pulse: how they show that they live.
        threads: CPU threads of each; None shares the cores among them.
    """

    workers: int = 1
    pulse: Pulse = field(default_factory=Pulse)
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; expected 1 or more")
        if self.workers > MOST_PROCESSES:
            raise ValueError(f"workers is {self.workers}; expected {MOST_PROCESSES} at most")


def prepare(config: StudyConfig, folder: Path, url: str | None = None, pulse: Pulse | None = None) -> Opened:
    """Make a study in its folder and database; one that is there goes on.

    Args:
        config: what it searches; `trials` in all, those that are there included.
        folder: of the study.
        url: of its database; see `storage_url`.
        pulse: of its workers.

    Raises:
        ValueError: the database cannot be used, or the name is taken by a study of something else.
        OSError: the folder cannot be written.
    """
    place = storage_url(folder, url)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / STUDY).is_file():
        there = read_study(folder)
        config = replace(config, trials=max(config.trials, there.trials), seed=there.seed)
    try:
        opened = create_study(config, place, pulse)
    except ValueError:
        with suppress(OSError):
            folder.rmdir()  # it was made just now, unless something lies in it
        raise
    write_study(folder, opened.config)
    return opened


def conduct(
    config: StudyConfig,
    folder: Path,
    url: str | None = None,
    *,
    team: Team | None = None,
    progress: Callable[[StudyView, str], None] | None = None,
) -> StudyView:
    """Work on a study until no trial waits; on a KeyboardInterrupt the workers stop gently, and it passes through.

    Args:
        config: what it searches.
        folder: of the study.
        url: of its database; see `storage_url`.
        team: who works on it.
        progress: told about once a second how the study stands, and what is done beside trials.

    Returns:
        How it stands at the end; its best settings are written into the folder.

    Raises:
        ValueError: as `prepare`; or a sentence with which the workers failed.
        OSError: the folder cannot be written, or no process can be started.
    """
    team = team or Team()
    opened = prepare(config, folder, url, team.pulse)
    wait_for_it(opened)
    sweep_old(folder)
    for left in (folder / PROBLEM, *folder.glob(f"{CAPTURE}*.txt")):
        left.unlink(missing_ok=True)
    try:
        _oversee(opened, folder, team, progress)
    finally:
        view = view_of(opened)
        write_best(view, folder)
    if (folder / PROBLEM).is_file():
        raise ValueError((folder / PROBLEM).read_text(encoding="utf-8"))
    return view


def main(folder: Path, workers: int) -> int:
    """Conduct the study that lies in a folder; the exit status. SIGTERM and Ctrl+C stop it gently."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        conduct(read_study(folder), folder, team=Team(workers))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ValueError, OSError) as problem:
        sentence = " ".join(str(problem).split())
        print(f"boxscope: {sentence}", file=sys.stderr)
        with suppress(OSError):
            replace_file(folder / PROBLEM, sentence.encode())
        return FAILED
    return 0


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def look_at(folder: Path, url: str | None = None) -> StudyView:
    """How the study in a folder stands, for one who only looks.

    Raises:
        ValueError: there is none, or its database cannot be used.
    """
    config = read_study(folder)
    opened = load_study(config.name, storage_url(folder, url), reading=True)
    try:
        return view_of(opened)
    finally:
        opened.storage.remove_session()
        opened.storage.engine.dispose()


def capturing(folder: Path) -> str:
    """What workers do before their first trial of thresholds, in words; empty where none does."""
    told = []
    for path in folder.glob(f"{CAPTURE}*.txt"):
        try:
            told.append(path.read_text().split())
        except OSError:
            continue  # it is done
    return f"capturing images, {min(told)[0]} of {told[0][1]}" if told and len(told[0]) == 2 else ""


def _oversee(
    opened: Opened, folder: Path, team: Team, progress: Callable[[StudyView, str], None] | None
) -> None:
    from detector.training.tuning_queue import still_to_come

    if not (still_to_come(opened) or view_of(opened).count("waiting", "running")):
        return
    workers = [_start(opened, folder, team) for _ in range(team.workers)]
    left, told = _REPLACEMENTS * team.workers, 0.0
    try:
        while any(worker.poll() is None for worker in workers):
            time.sleep(_LOOK)
            for place, worker in enumerate(workers):
                if (worker.poll() or 0) < 0 and left:  # killed by a signal
                    workers[place], left = _start(opened, folder, team), left - 1
            if progress is not None and time.monotonic() - told > _TELL:
                told = time.monotonic()
                progress(view_of(opened), capturing(folder))
    finally:
        _end(workers)


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    """Ask all to stop and wait for them; who interrupts the wait ends them at once."""
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
    try:
        for worker in workers:
            worker.wait()
    except BaseException:
        for worker in workers:
            worker.kill()
            worker.wait()
        raise


def _start(opened: Opened, folder: Path, team: Team) -> subprocess.Popen[bytes]:
    package = str(Path(detector.__file__).resolve().parents[1])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    threads = team.threads or max(1, (os.cpu_count() or 1) // team.workers)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        VARIABLE: opened.url,
        PARENT: str(os.getpid()),
        PULSE: f"{team.pulse.interval},{team.pulse.grace}",
        "OMP_NUM_THREADS": str(threads) if team.threads else os.environ.get("OMP_NUM_THREADS", str(threads)),
    }
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            # -P: a folder with its own `detector` in it must not be imported instead of the real one.
            [sys.executable, "-P", "-m", "detector.training.tuning_worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl+C goes to who started the study, and is passed on gently
        )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
