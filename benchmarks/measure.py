"""Two ways of doing something, timed in turn in one process, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torchvision

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table.

    Args:
        name: what is compared.
        seconds: median of the first way.
        peer_seconds: median of the second.
        bar: bound on their ratio.
        at_most: the ratio must stay at or below the bar; False: at or above.
    """

    name: str
    seconds: float
    peer_seconds: float
    bar: float
    at_most: bool = True

    @property
    def ratio(self) -> float:
        """First over second where less is better, second over first where more is."""
        ratio = self.seconds / self.peer_seconds
        return ratio if self.at_most else 1 / ratio

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar


def alternate(
    first: Callable[[], object], second: Callable[[], object], *, rounds: int, warm: int = 1
) -> tuple[float, float]:
    """Median seconds of both, called A B B A A B ..., after `warm` rounds that do not count."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(-warm, rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for which in order:
            begin = time.perf_counter()
            (first, second)[which]()
            if number >= 0:
                taken[which].append(time.perf_counter() - begin)
    return statistics.median(taken[0]), statistics.median(taken[1])


def report(title: str, measures: list[Measure]) -> None:
    """Print one table and write it as JSON, with machine and versions."""
    print(f"\n{title}")
    width = max(len(measure.name) for measure in measures)
    for measure in measures:
        sign, verdict = "<=" if measure.at_most else ">=", "ok" if measure.holds else "MISSED"
        print(
            f"  {measure.name:<{width}}  {measure.seconds * 1e3:9.2f} ms / {measure.peer_seconds * 1e3:9.2f} ms"
            f"  = {measure.ratio:7.3f}  (bar {sign} {measure.bar:g})  {verdict}"
        )
    RESULTS.mkdir(exist_ok=True)
    rows = [{**asdict(measure), "ratio": measure.ratio, "holds": measure.holds} for measure in measures]
    machine = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }
    path = RESULTS / f"{title.split(':')[0].replace(' ', '_')}.json"
    path.write_text(json.dumps({"title": title, "machine": machine, "measures": rows}, indent=2) + "\n")
