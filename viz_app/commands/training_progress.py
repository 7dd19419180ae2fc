"""How far a training is, on a terminal: one line on stderr that is written over, read off the run's own status.

Only names are imported at the top.
"""

from __future__ import annotations

import shutil
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detector.training.metrics_log import EpochRow
    from detector.training.run_status import RunStatus

_EVERY = 0.5
_FAILED = 2
_CLEAR = "\r\x1b[K"


@contextmanager
def followed(folder: Path) -> Iterator[None]:
    """Show how far the run in a folder is while the block trains it; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(folder, ended), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()
        print(_CLEAR, end="", file=sys.stderr, flush=True)


@contextmanager
def in_one_sentence(folder: Path) -> Iterator[None]:
    """What nobody foresaw is one sentence, too; its stack stands in the log of the run in a folder.

    Of several processes the one with the reason says it; who only lost the others says nothing.

    Raises:
        ValueError: in place of an exception that is not a caller's mistake.
    """
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        if _only_lost_the_others(error):
            sys.exit(_FAILED)
        raise
    except Exception as error:
        from detector.training.faults import in_a_sentence
        from detector.training.run_directory import RunDirectory

        log = RunDirectory(folder).log
        raise ValueError(f"the training failed: {in_a_sentence(error)}; {log} says where") from error


def _only_lost_the_others(error: Exception) -> bool:
    from detector.training.faults import is_cut_off
    from detector.training.trainer import is_leader

    return error.__cause__ is not None and is_cut_off(error.__cause__) and not is_leader()


def tell_begin(folder: Path) -> None:
    """Say where a training lies, once it is sure that it begins."""
    print(f"{_CLEAR * sys.stderr.isatty()}training into {folder}", file=sys.stderr, flush=True)


def tell(row: EpochRow) -> None:
    """Print what an epoch's validation found, in place of the line that is written over."""
    from detector.training.epoch_work import line_of

    print(f"{_CLEAR * sys.stderr.isatty()}{line_of(row)}", file=sys.stderr, flush=True)


def progress_words(status: RunStatus) -> str:
    """Such as `epoch 2 of 10, step 120 of 5,000, 3.1 steps/s, 2 min 05 s left`."""
    from detector.judging.status import duration

    if not status.steps:
        return f"{status.phase} ..."
    words = [f"epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}"]
    words.append(f"step {status.step:,} of {status.steps:,}")
    if status.phase != "training":
        words.append(status.phase)
    if status.rate:
        words.append(f"{status.rate:.1f} steps/s" if status.rate >= 1 else f"{1 / status.rate:.1f} s/step")
    if status.seconds_left is not None:
        words.append(f"{duration(status.seconds_left)} left")
    return ", ".join(words)


def _follow(folder: Path, ended: threading.Event) -> None:
    from detector.training.run_status import read_status

    while not ended.wait(_EVERY):
        with suppress(ValueError, OSError):
            status = read_status(folder)
            if status is not None and status.is_alive:
                width = shutil.get_terminal_size().columns - 1
                print(f"{_CLEAR}{progress_words(status)[:width]}", end="", file=sys.stderr, flush=True)
