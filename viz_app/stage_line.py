"""A line that says how far what takes longer than a second has come, and is never seen where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from streamlit.runtime.scriptrunner import add_script_run_ctx

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

PATIENCE_SECONDS = 1.0
_PACE_SECONDS = 0.2


@contextmanager
def stage_line(
    box: DeltaGenerator, task: str, stages: Sequence[str], patience: float = PATIENCE_SECONDS
) -> Iterator[Callable[[str], None]]:
    """Yields what to call with a stage's name when it begins; after `patience` seconds `box` shows it.

    The line is drawn by a thread of its own, so that it may be used around what Streamlit caches: such a
    function must draw nothing outside of itself.

    Args:
        box: where.
        task: such as `Running the detector on photo.jpg`.
        stages: all names, in order.
        patience: seconds before anything is shown.
    """
    reached = [stages[0]]

    def now() -> tuple[float, str]:
        step, count = stages.index(reached[-1]), len(stages)
        part = f" (stage {step + 1} of {count})" if count > 1 else ""
        return step / count, f"{task}: {reached[-1]}{part}"

    with _drawn(box, now, patience):
        yield reached.append


@contextmanager
def count_line(
    box: DeltaGenerator, task: str, noun: str = "images", patience: float = PATIENCE_SECONDS
) -> Iterator[Callable[[int, int], None]]:
    """As `stage_line`, for what goes through many things: yields what to tell how many are done, of how many.

    Args:
        box: where.
        task: such as `Reading the objects`.
        noun: what is counted.
        patience: seconds before anything is shown.
    """
    reached = [(0, 0)]

    def now() -> tuple[float, str]:
        done, total = reached[-1]
        return (done / total, f"{task}: {done:,} of {total:,} {noun}") if total else (0.0, task)

    with _drawn(box, now, patience):
        yield lambda done, total: reached.append((done, total))


@contextmanager
def _drawn(box: DeltaGenerator, now: Callable[[], tuple[float, str]], patience: float) -> Iterator[None]:
    """A thread draws what `now` says, share and words, whenever the words change."""
    over, place = Event(), box.empty()

    def draw() -> None:
        wait, shown = patience, None
        while not over.wait(wait):
            wait = _PACE_SECONDS
            share, words = now()
            if words != shown:
                shown = words
                place.progress(share, words)

    thread = Thread(target=draw, daemon=True)
    add_script_run_ctx(thread)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        place.empty()
