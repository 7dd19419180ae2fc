"""A soak: many people on one server for some minutes, on this machine only.

`python -m benchmarks.soak` starts a server of its own, lets 20 people (`soak_person`) live on it for five minutes,
and says how long each action took, what went wrong, and whether memory came back to its level. It is no load test:
count and time are bounded, and no other machine is ever asked.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import keep
from benchmarks.soak_person import Record, live, tour
from benchmarks.soak_watch import Sample, level, slope, watch
from viz_app.bundled import config_file
from viz_app.serving import streamlit_command

MOST_SESSIONS, MOST_SECONDS = 50, 1800
_ACTIONS = ("open", "image", "threshold", "page", "upload")
_COLUMNS = ("name", "count", "median_ms", "p95_ms", "errors")
_TTL = 5  # seconds that the server keeps a session whose page is gone; Streamlit's own is 120
_SETTLE = 30  # the rest of a session is given back some seconds after it (viz_app/memory.py)
_START_SECONDS = 120
_WRONG = re.compile(r"Traceback|Error|Exception|WARNING|Bad message|Task .* never", re.IGNORECASE)


def run(sessions: int, seconds: int) -> int:
    """Print and write the table; 1 if anything went wrong.

    Raises:
        ValueError: more people or more time than the bounds.
    """
    check_bounds(sessions, seconds)
    with (
        tempfile.TemporaryDirectory(prefix="boxscope-soak-") as folder,
        _server(Path(folder)) as (url, process),
    ):
        record, samples, marks = asyncio.run(_soak(url, process, sessions, seconds))
        wrong = [line for line in (Path(folder) / "log").read_text().splitlines() if _WRONG.search(line)]
    record.errors += [("log", line) for line in wrong]
    _report(sessions, seconds, record, samples, marks)
    return 1 if record.errors else 0


def check_bounds(sessions: int, seconds: int) -> None:
    """Raises ValueError outside 1 to 50 people and 1 second to half an hour; there is no way around them."""
    if not 1 <= sessions <= MOST_SESSIONS:
        raise ValueError(f"{sessions} sessions: expected 1 to {MOST_SESSIONS}")
    if not 1 <= seconds <= MOST_SECONDS:
        raise ValueError(f"{seconds} seconds: expected 1 to {MOST_SECONDS}")


async def _soak(
    url: str, process: int, sessions: int, seconds: int
) -> tuple[Record, list[Sample], tuple[int, int, int]]:
    """What happened, how the server did, and which samples are the last before, the last with people, and after."""
    samples: list[Sample] = []
    watching = asyncio.create_task(watch(process, samples))
    await tour(url, Record())
    await asyncio.sleep(_TTL + _SETTLE)
    before, record = len(samples), Record()
    until = time.monotonic() + seconds
    await asyncio.gather(*(live(url, record, random.Random(number), until) for number in range(sessions)))
    crowd = len(samples)
    await asyncio.sleep(_TTL + 1)
    # Sessions that are over their time go when another one comes.
    await tour(url, Record())
    await asyncio.sleep(_TTL + _SETTLE)
    watching.cancel()
    return record, samples, (before, crowd, len(samples))


def _report(
    sessions: int, seconds: int, record: Record, samples: Sequence[Sample], marks: tuple[int, int, int]
) -> None:
    before, after = level(samples[: marks[0]]), level(samples)
    crowd = samples[marks[0] : marks[1]]
    peak = max(crowd, key=lambda sample: sample.memory)
    busiest = Sample(0, peak.memory, max(s.files for s in crowd), max(s.threads for s in crowd))
    print(f"\nSoak: {sessions} people for {seconds} s, {record.visits} visits, {len(record.errors)} errors")
    rows = [(name, *_numbers(record, name)) for name in _ACTIONS]
    print(f"  {'action':<12}{'count':>8}{'median ms':>12}{'p95 ms':>12}{'errors':>8}")
    for name, count, median, late, errors in rows:
        print(f"  {name:<12}{count:>8}{median:>12.0f}{late:>12.0f}{errors:>8}")
    print(f"  {'server':<12}{'before':>8}{'busiest':>12}{'after':>12}")
    for name in ("memory", "files", "threads"):
        print(
            f"  {name:<12}"
            + "".join(f"{getattr(s, name):>{w}.0f}" for s, w in ((before, 8), (busiest, 12), (after, 12)))
        )
    print(f"  memory (MiB) grew by {slope(crowd):.1f} MiB a minute in the second half")
    for action, error in record.errors[:10]:
        print(f"  {action}: {error}")
    keep(
        f"soak: {sessions} people on one server for {seconds} s",
        {
            "visits": record.visits,
            "actions": [dict(zip(_COLUMNS, row, strict=True)) for row in rows],
            "errors": record.errors[:100],
            "server": {"before": asdict(before), "busiest": asdict(busiest), "after": asdict(after)},
            "slope_mib_per_minute": slope(crowd),
            "memory_mib": [round(sample.memory, 1) for sample in samples],
            "marks": marks,
        },
    )  # fmt: skip


def _numbers(record: Record, action: str) -> tuple[int, float, float, int]:
    """Count, median and 95th percentile in ms, errors."""
    taken = sorted(record.taken.get(action, []))
    if not taken:
        return 0, 0.0, 0.0, sum(name == action for name, _ in record.errors)
    late = taken[min(len(taken) - 1, int(0.95 * len(taken)))]
    errors = sum(name == action for name, _ in record.errors)
    return len(taken), statistics.median(taken) * 1e3, late * 1e3, errors


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    """The app as `boxscope app` serves it, with a home of its own; its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = tomllib.loads(config_file().read_text(encoding="utf-8"))
    command = [
        *streamlit_command(settings, port),
        "--server.headless=true",
        f"--server.disconnectedSessionTTL={_TTL}",
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("STREAMLIT_", "BOXSCOPE_"))
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment | {"HOME": str(folder)}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the server did not start")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 for a caller's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description="A soak of a server of its own."
    )
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=300)
    given = parser.parse_args(arguments)
    try:
        return run(given.sessions, given.seconds)
    except ValueError as mistake:
        print(f"soak: {mistake}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
