"""The detections of single images out of the parts of a diagnosis, found without reading all of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.judging.parts import part_files

if TYPE_CHECKING:
    from pathlib import Path

_START = re.compile(rb'\{"index":(\d+),')
_LONGEST_START = 40


@dataclass(frozen=True, slots=True)
class KeptDetection:
    """One detection of an image.

    Args:
        box: xyxy, px, **image** frame.
        label: the detector's category.
        score: its probability.
        object: index of what it matches, or -1.
    """

    box: tuple[float, float, float, float]
    label: int
    score: float
    object: int


class KeptReports:
    """Where the report of each image begins.

    Args:
        folder: of the diagnosis.
        task: whose parts.
    """

    def __init__(self, folder: Path, task: str = "diagnose") -> None:
        self._places: dict[int, tuple[Path, int]] = {}
        for path in part_files(folder, task):
            with path.open("rb") as file:
                place = 0
                for line in file:
                    match = _START.match(line[:_LONGEST_START])
                    if match and line.endswith(b"}\n"):
                        self._places.setdefault(int(match[1]), (path, place))
                    place += len(line)

    def __len__(self) -> int:
        return len(self._places)

    def detections(self, index: int) -> tuple[KeptDetection, ...]:
        """The kept detections of image `index`, in the model's order; none where nothing is kept of it."""
        if index not in self._places:
            return ()
        path, place = self._places[index]
        try:
            with path.open("rb") as file:
                file.seek(place)
                content = json.loads(file.readline())
        except (OSError, ValueError):
            return ()
        found = content.get("detections", ())
        return tuple(KeptDetection(tuple(d["box"]), d["label"], d["score"], d["object"]) for d in found)
