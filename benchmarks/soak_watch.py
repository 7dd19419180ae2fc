"""What a server weighs over time: memory, open files and threads of its process, one sample a second."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment.

    Args:
        second: since the watch began.
        memory: resident, MiB.
        files: open, sockets included.
        threads: of the process.
    """

    second: float
    memory: float
    files: int
    threads: int


async def watch(process_id: int, samples: list[Sample], every: float = 1.0) -> None:
    """Add samples until the task is cancelled."""
    process, begin = psutil.Process(process_id), time.monotonic()
    while True:
        with process.oneshot():
            memory, threads = process.memory_info().rss / _MIB, process.num_threads()
        samples.append(Sample(time.monotonic() - begin, memory, process.num_fds(), threads))
        await asyncio.sleep(every)


def level(samples: Sequence[Sample], last: int = 5) -> Sample:
    """Where the server stands: medians of the last samples."""
    tail = samples[-last:]
    return Sample(
        tail[-1].second,
        statistics.median(sample.memory for sample in tail),
        round(statistics.median(sample.files for sample in tail)),
        round(statistics.median(sample.threads for sample in tail)),
    )


def slope(samples: Sequence[Sample]) -> float:
    """MiB per minute over the second half, by least squares: what still grows when the caches are full."""
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return 0.0
    return statistics.linear_regression(
        [sample.second / 60 for sample in half], [sample.memory for sample in half]
    ).slope
