"""Finished images as lines of JSON, one file per process: what a run keeps when it is killed.

`parts/<task>-rank-<r>.jsonl`; a line is written whole and handed to the system at once. Of a line that was torn
off when its process was killed nothing is believed: the image is done again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "parts"


class PartWriter:
    """Appends the finished images of one process.

    Args:
        out: folder of the run.
        task: what was done with the images.
        rank: of the process.
    """

    def __init__(self, out: Path, task: str, rank: int) -> None:
        folder = out / FOLDER
        folder.mkdir(exist_ok=True)
        self._file = (folder / f"{task}-rank-{rank}.jsonl").open("a+b")
        if self._ends_in_a_torn_line():
            self._file.write(b"\n")

    def write(self, line: str) -> None:
        """Append one line and hand it to the system, which keeps it when this process is killed."""
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """No more lines."""
        self._file.close()

    def _ends_in_a_torn_line(self) -> bool:
        end = self._file.seek(0, 2)
        if end == 0:
            return False
        self._file.seek(end - 1)
        return self._file.read(1) != b"\n"


class PartCounter:
    """Counts finished images while processes append to their files: reads only what is new.

    Args:
        out: folder of the run.
        task: whose lines.
    """

    def __init__(self, out: Path, task: str) -> None:
        self._out, self._task = out, task
        self._read: dict[Path, int] = {}
        self._lines = 0

    def count(self) -> int:
        """Lines so far, in all files."""
        for path in part_files(self._out, self._task):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                new = file.read()
            self._read[path] = self._read.get(path, 0) + len(new)
            self._lines += new.count(b"\n")
        return self._lines


def part_files(out: Path, task: str) -> list[Path]:
    """The files of one task, by name."""
    return sorted((out / FOLDER).glob(f"{task}-rank-*.jsonl"))


def finished(out: Path, task: str) -> Iterator[dict[str, Any]]:
    """What was kept of each finished image, once, in no particular order."""
    seen = set()
    for path in part_files(out, task):
        with path.open("rb") as file:
            for line in file:
                content = _content(line)
                if content is not None and content["index"] not in seen:
                    seen.add(content["index"])
                    yield content


def _content(line: bytes) -> dict[str, Any] | None:
    """The object in a line; None for one that was torn."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) and "index" in content else None
