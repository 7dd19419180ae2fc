"""Several ways of doing something, timed in turn in one process, so that a noisy machine disturbs all alike."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
# How a table shows a unit: factor and word.
SHOWN = {"s": (1e3, "ms"), "B": (1 / 2**20, "MiB")}


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table.

    Args:
        name: what is compared.
        ours: median of the first way.
        peer: median of the second.
        bar: bound on their ratio; None where the second is another tool, which the project promises nothing about.
        at_most: the ratio must stay at or below the bar; False: at or above.
        unit: of both numbers, `s` (seconds) or `B` (bytes).
    """

    name: str
    ours: float
    peer: float
    bar: float | None = None
    at_most: bool = True
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """First over second where less is better, second over first where more is."""
        return self.ours / self.peer if self.at_most else self.peer / self.ours

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.bar is None:
            return None
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar


def alternate(
    first: Callable[[], object], second: Callable[[], object], *, rounds: int, warm: int = 1
) -> tuple[float, float]:
    """Median seconds of both, called A B B A A B ..., after `warm` rounds that do not count."""
    ours, theirs = in_turn([first, second], rounds=rounds, warm=warm)
    return ours, theirs


def in_turn(calls: Sequence[Callable[[], object]], *, rounds: int, warm: int = 1) -> list[float]:
    """Median seconds of each, called A B C, C B A, A B C ..., after `warm` rounds that do not count."""
    taken: list[list[float]] = [[] for _ in calls]
    for number in range(-warm, rounds):
        places = range(len(calls)) if number % 2 == 0 else reversed(range(len(calls)))
        for place in places:
            begin = time.perf_counter()
            calls[place]()
            if number >= 0:
                taken[place].append(time.perf_counter() - begin)
    return [statistics.median(times) for times in taken]


def report(title: str, measures: Sequence[Measure], notes: Sequence[str] = ()) -> None:
    """Print one table and write it as JSON, with machine and versions.

    Args:
        title: a name, a colon and what is compared; the file is named after the name.
        measures: the rows.
        notes: sentences below them, a peer that is not installed among them.
    """
    print(f"\n{title}")
    width = max((len(measure.name) for measure in measures), default=0)
    for measure in measures:
        print(f"  {measure.name:<{width}}  {_line(measure)}")
    for note in notes:
        print(f"  {note}")
    rows = [{**asdict(measure), "ratio": measure.ratio, "holds": measure.holds} for measure in measures]
    keep(title, {"measures": rows, "notes": list(notes)})


def keep(title: str, content: dict[str, object]) -> Path:
    """Write a result with its title, machine and versions; returns the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{title.split(':')[0].replace(' ', '_')}.json"
    path.write_text(json.dumps({"title": title, "machine": machine(), **content}, indent=2) + "\n")
    return path


def _line(measure: Measure) -> str:
    factor, unit = SHOWN[measure.unit]
    numbers = (
        f"{measure.ours * factor:9.2f} {unit} / {measure.peer * factor:9.2f} {unit}  = {measure.ratio:7.3f}"
    )
    if measure.bar is None:
        return numbers
    sign, verdict = "<=" if measure.at_most else ">=", "ok" if measure.holds else "MISSED"
    return f"{numbers}  (bar {sign} {measure.bar:g})  {verdict}"
