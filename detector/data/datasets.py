"""One door to every annotated data set, and what an item says of the objects in its image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from detector.data.coco import CocoDataset
from detector.data.ground_truth import GroundTruth
from detector.data.shapes import ShapesDataset

_SHAPES = re.compile(r"shapes:(\d+)(?::(\d+))?")
_EXPECTED = "expected a COCO folder, a COCO JSON file, or shapes:LENGTH[:SEED]"


def open_dataset(source: str | Path) -> CocoDataset | ShapesDataset:
    """Open a data set by path, or the shapes world by its length and seed.

    Args:
        source: folder with COCO annotations, COCO JSON file, or `shapes:LENGTH[:SEED]`.

    Raises:
        ValueError: something else, or a data set with a mistake in it; says what was given.
        TypeError: neither text nor path.
    """
    if not isinstance(source, str | Path):
        raise TypeError(f"a data set was given as {type(source).__name__}; {_EXPECTED}")
    if isinstance(source, str) and source.startswith("shapes:"):
        match = _SHAPES.fullmatch(source)
        if match is None:
            raise ValueError(f"the data set {source!r} is not understood; {_EXPECTED}")
        length, seed = match.groups()
        return ShapesDataset(int(length), seed=7 if seed is None else int(seed))
    path = Path(source)
    if not str(source).strip() or not path.exists():
        raise ValueError(f"there is no data set {str(source)!r}; {_EXPECTED}")
    if path.is_file() and path.suffix.lower() != ".json":
        raise ValueError(f"{path} is not a data set; {_EXPECTED}")
    return CocoDataset(path)


def ground_truth_of(target: dict[str, Any]) -> GroundTruth:
    """The objects of one item (of any data set here) as a record."""
    labels = target["labels"]
    crowd, ids = target.get("iscrowd", labels[:0].bool()), target.get("ids", labels[:0])
    return GroundTruth(target["boxes"], labels, crowd, ids)
