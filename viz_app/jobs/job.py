"""What a diagnosis of a data set is asked to do, as a record that a process of its own can read from a file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from viz_app.jobs.workspace import workspace

JOB_FILE, PROBLEM_FILE = "job.json", "problem.txt"
# Written only where it is something else, so that jobs of before have the name that they had.
_USUAL = (("iou", 0.5), ("remedies", True))


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
        iou: the overlap that counts as found.
        remedies: look for what would bring lost objects back; a plain evaluation does not.
    """

    dataset: str
    model: str
    weights: str | None = None
    words: dict[str, Any] = field(default_factory=dict)
    thresholds: tuple[tuple[str, float], ...] = ()
    limit: int | None = None
    written: str = ""
    iou: float = 0.5
    remedies: bool = True

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
        iou = "" if self.iou == 0.5 else f"IoU {self.iou:g}"
        without = "" if self.remedies else "no remedies"
        return " · ".join(part for part in (*names, first, changed, iou, without) if part)

    def to_json(self) -> str:
        """As text; `from_json` gives the job back."""
        content = {name: value for name, value in asdict(self).items() if (name, value) not in _USUAL}
        return json.dumps(content, sort_keys=True)

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
    """The name of a data set or of a model for people: without its folders, but for the checkpoint of a run."""
    path = Path(source)
    if "/" not in source and "\\" not in source:
        return source
    return run_name(source) or (path.parent.name if path.name == "annotations.json" else path.name)


def run_name(model: str) -> str:
    """Run and checkpoint, such as `night/best`, where a model is a file in the folder of a run; else nothing."""
    path = Path(model)
    in_run = path.parent.name == "checkpoints" and path.parent != workspace() / "checkpoints"
    return f"{path.parent.parent.name}/{path.stem}" if in_run else ""


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", short_name(text)).strip("-")[:40] or "unnamed"
