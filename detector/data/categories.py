"""The categories of a data set in the words of a detector: matched by name, not by number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from detector.data.ground_truth import GroundTruth

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

UNKNOWN = 0
_NUMBERED = re.compile(r"category \d+")
_NAMED = 8


def label_map(names: Sequence[str], known: Sequence[str]) -> tuple[int, ...]:
    """The detector's index for each category of a data set; 0 where it has none of that name.

    A detector with as many categories as the data set, which are only numbered (`category 1`, ...: its names
    were never given), is taken to use the data set's own order.

    Args:
        names: of the data set, index 0 is background.
        known: of the detector, index 0 is background.
    """
    if len(names) == len(known) and all(_NUMBERED.fullmatch(name) for name in known[1:]):
        return tuple(range(len(names)))
    index = {name: label for label, name in reversed(tuple(enumerate(known))) if label > 0}
    return (UNKNOWN, *(index.get(name, UNKNOWN) for name in names[1:]))


def translated(truth: GroundTruth, labels: Sequence[int]) -> GroundTruth | None:
    """The objects under the detector's own indices; None where it lacks a category of theirs.

    Args:
        truth: the objects, under the data set's indices.
        labels: as `label_map` gives them.

    Raises:
        ValueError: an object of a category that the data set itself lacks.
    """
    highest = int(truth.labels.max()) if len(truth) else UNKNOWN
    if highest >= len(labels):
        raise ValueError(
            f"an object has the label {highest}; the data set's categories go from 1 to {len(labels) - 1}"
        )
    own = torch.tensor(labels, dtype=torch.int64)[truth.labels]
    if bool((own == UNKNOWN).any()):
        return None
    return GroundTruth(truth.boxes, own, truth.crowd, truth.ids)


def refuse_unknown(
    names: Sequence[str], known: Sequence[str], labels: Collection[int], detector: str
) -> None:
    """Refuse a data set whose objects have a category that the detector lacks.

    Args:
        names: of the data set.
        known: of the detector.
        labels: the data set's indices that its objects have.
        detector: what the detector is called.

    Raises:
        ValueError: names what is missing, and what there is.
    """
    of = label_map(names, known)
    missing = [names[label] for label in sorted(labels) if of[label] == UNKNOWN]
    if missing:
        raise ValueError(
            f"{detector} knows no category {_listed(missing)}, which objects of the data set have; "
            f"it knows {_listed(known[1:])}: categories are matched by their names"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more
