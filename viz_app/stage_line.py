"""A line that names the stage of what takes longer than a second, and is never seen where it does not."""

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
    reached, over = [stages[0]], Event()
    place = box.empty()

    def draw() -> None:
        wait, shown = patience, None
        while not over.wait(wait):
            wait = _PACE_SECONDS
            if reached[-1] != shown:
                shown = reached[-1]
                step, count = stages.index(shown), len(stages)
                part = f" (stage {step + 1} of {count})" if count > 1 else ""
                place.progress(step / count, f"{task}: {shown}{part}")

    thread = Thread(target=draw, daemon=True)
    add_script_run_ctx(thread)
    thread.start()
    try:
        yield reached.append
    finally:
        over.set()
        thread.join()
        place.empty()
