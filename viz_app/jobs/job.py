"""What a diagnosis of a data set is asked to do, as a record that a process of its own can read from a file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JOB_FILE, PROBLEM_FILE = "job.json", "problem.txt"


@dataclass(frozen=True, slots=True)
class Job:
    """One data set through one detector.

    Args:
        dataset: what `open_dataset` takes.
        model: what `load_detector` takes.
        weights: `DEFAULT`, or None.
        words: keywords for a checkpoint that does not say everything itself.
        thresholds: (field, value) of each threshold that differs from the model's own.
        limit: only so many images, from the first one; None for all.
        written: changes when the files of the data set or of the model do.
    """

    dataset: str
    model: str
    weights: str | None = None
    words: dict[str, Any] = field(default_factory=dict)
    thresholds: tuple[tuple[str, float], ...] = ()
    limit: int | None = None
    written: str = ""

    @property
    def name(self) -> str:
        """Of its folder: the same for the same job, another one for every other."""
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()[:8]
        return f"{_slug(self.dataset)}.{_slug(self.model)}.{digest}"

    @property
    def label(self) -> str:
        """For people, one line."""
        changed = ", ".join(f"{name} {value:g}" for name, value in self.thresholds)
        first = f"first {self.limit:,} images" if self.limit else ""
        names = short_name(self.dataset), short_name(self.model)
        return " · ".join(part for part in (*names, first, changed) if part)

    def to_json(self) -> str:
        """As text; `from_json` gives the job back."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The inverse of `to_json`.

        Raises:
            ValueError: another text.
        """
        try:
            content = json.loads(text)
            content["thresholds"] = tuple((str(name), value) for name, value in content["thresholds"])
            return cls(**content)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError("this is not a job of Boxscope") from error


def written(*paths: str | Path) -> str:
    """When the files among these were written and how long they are; nothing for what is no file."""
    parts = []
    for path in map(Path, paths):
        if path.is_file():
            status = path.stat()
            parts.append(f"{status.st_mtime_ns}.{status.st_size}")
    return "|".join(parts)


def short_name(source: str) -> str:
    """The name of a data set or of a model for people: without the folders it lies in."""
    path = Path(source)
    if "/" not in source and "\\" not in source:
        return source
    return path.parent.name if path.name == "annotations.json" else path.name


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", short_name(text)).strip("-")[:40] or "unnamed"
