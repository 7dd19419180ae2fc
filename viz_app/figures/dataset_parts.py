"""Parts of a diagnosed data set: which of its objects or errors a bar of a chart stands for.

Tables are those of `DatasetDiagnosis`: one row for each object, or for each false positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from viz_app.survey import Part

_CORNERS = ["x1", "y1", "x2", "y2"]
_MEANING = [TideType.CLS.value, TideType.LOC.value]


def objects_of(objects: pd.DataFrame, errors: pd.DataFrame, part: Part | None) -> pd.DataFrame:
    """The objects of a part, in the order of the images; all lost ones where no part is chosen.

    Args:
        objects: a row for each object.
        errors: a row for each false positive.
        part: one that is made of objects.
    """
    lost = _where(objects, objects["rung"] != Rung.FOUND.name)
    if part is None:
        return lost
    if part.kind == "rung":
        return _where(objects, objects["rung"] == part.value)
    if part.kind == "mechanism":
        return _where(objects, objects["mechanism"] == part.value)
    return _missed(objects, errors)


def errors_of(errors: pd.DataFrame, part: Part) -> pd.DataFrame:
    """The false positives of a part that is made of them, those of the highest score first."""
    return _where(errors, errors["tide"] == part.value).sort_values("score", ascending=False, kind="stable")


def narrowed(rows: pd.DataFrame, category: str | None, size: str | None) -> pd.DataFrame:
    """Rows of one category, and of one size where the rows know their sizes; None does not narrow."""
    if category is not None:
        rows = _where(rows, rows["category"] == category)
    if size is not None and "size" in rows:
        rows = _where(rows, rows["size"] == size)
    return rows


def _where(rows: pd.DataFrame, mask: Any) -> pd.DataFrame:  # noqa: ANN401 - a column of true and false
    """The rows for which a mask is true."""
    return cast("pd.DataFrame", rows[mask])


def _missed(objects: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """TIDE's Miss: lost objects that no detection of type Cls or Loc means."""
    meant = set()
    of_image = dict(iter(objects.groupby("image_index")))
    rows: Iterable[Any] = _where(errors, errors["tide"].isin(_MEANING)).itertuples()
    for error in rows:
        place = _meant(of_image.get(error.image_index), error)
        if place is not None:
            meant.add(place)
    return _where(objects, (objects["rung"] != Rung.FOUND.name) & ~objects.index.isin(list(meant)))


def _meant(objects: pd.DataFrame | None, error: Any) -> int | None:  # noqa: ANN401 - a row of a table
    """Index of the object that a Loc (of its own category) or a Cls (of another one) overlaps most."""
    if objects is None:
        return None
    same = objects["category"] == error.category
    allowed = _where(objects, same if error.tide == TideType.LOC else ~same)
    ious = _ious(
        np.asarray(allowed[_CORNERS], dtype=float), np.array([error.x1, error.y1, error.x2, error.y2])
    )
    return int(allowed.index[int(ious.argmax())]) if len(ious) and ious.max() > 0 else None


def _ious(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """IoU of boxes [n, 4] with one box [4], xyxy; float [n]."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    inner = sides.clip(min=0).prod(axis=1)
    return inner / ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - inner)
