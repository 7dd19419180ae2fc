"""Processes that do real work and can be killed by the dozen: forked from a helper that has torch loaded."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SEEDS = int(os.environ.get("BOXSCOPE_TEST_KILLS", "4"))
"""How many kills at random points each kind of work gets; ten of each take two minutes of a processor."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An undisturbed piece of work.

    Args:
        events: how often it touched its folder.
        seconds: that it took.
    """

    events: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Forker:
    """The helper process.

    Args:
        process: the helper; requests go in, answers come out.
        folder: for what the forked processes print.
        environment: that they get on top of this one's.
    """

    process: subprocess.Popen[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(
        self, work: str, *arguments: str | bool, watch: Path | None = None, end_at: int | None = None
    ) -> int:
        """Fork a process that does one of `support.forked_work.WORK`; its number.

        Args:
            work: which.
            arguments: of the work.
            watch: the folder in which it is counted what it touches.
            end_at: the count at which it kills itself.
        """
        request = {
            "work": work, "arguments": arguments, "watch": str(watch or self.folder), "end_at": end_at,
            "output": str(self.output), "environment": self.environment,
        }  # fmt: skip
        return self._ask(request)

    def wait(self, pid: int) -> int:
        """The exit status of a forked process, once it has ended; negative is the signal that ended it."""
        return self._ask({"wait": pid})

    def done(self, work: str, *arguments: str | bool, watch: Path | None = None) -> Whole:
        """Let a piece of work be done to its end."""
        began = time.monotonic()
        status = self.wait(self.start(work, *arguments, watch=watch))
        assert status == 0, self.output.read_text()
        return Whole(int(self.output.with_suffix(".events").read_text()), time.monotonic() - began)

    def killed(self, seed: int, whole: Whole, work: str, *arguments: str | bool, watch: Path) -> int:
        """Kill a piece of work at a point that the seed draws; how it ended.

        Even seeds draw the n-th touch of the folder, odd ones a moment within the time that the whole takes.
        """
        draw = random.Random(seed)
        end_at = draw.randint(1, whole.events) if seed % 2 == 0 else None
        pid = self.start(work, *arguments, watch=watch, end_at=end_at)
        if end_at is None:
            time.sleep(draw.random() * whole.seconds)
            os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    @property
    def output(self) -> Path:
        """What the forked processes printed."""
        return self.folder / "forked.txt"

    def _ask(self, request: Mapping[str, object]) -> int:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        return int(stdout.readline())


@contextmanager
def forking(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Forker]:
    """A helper for the length of the block.

    Args:
        folder: for what its children print.
        environment: that the children get on top of this process's.
    """
    helper = subprocess.Popen(
        [sys.executable, "-m", "support.warm_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert helper.stdin is not None and helper.stdout is not None
    try:
        assert helper.stdout.readline().strip() == "ready"
        yield Forker(helper, folder, dict(environment or {}))
    finally:
        helper.stdin.close()
        helper.wait()
        helper.stdout.close()
