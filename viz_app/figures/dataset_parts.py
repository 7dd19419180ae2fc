"""Parts of a diagnosed data set: which of its objects or errors a bar of a chart stands for.

Tables are those of `DatasetDiagnosis`: one row for each object, or for each false positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    import pandas as pd

    from viz_app.survey import Part


def objects_of(objects: pd.DataFrame, errors: pd.DataFrame, part: Part | None) -> pd.DataFrame:
    """The objects of a part, in the order of the images; all lost ones where no part is chosen.

    Args:
        objects: a row for each object.
        errors: a row for each false positive.
        part: one that is made of objects.
    """
    lost = objects[objects["rung"] != Rung.FOUND.name]
    if part is None:
        return lost
    if part.kind == "rung":
        return objects[objects["rung"] == part.value]
    if part.kind == "mechanism":
        return objects[objects["mechanism"] == part.value]
    return _missed(lost, errors)


def errors_of(errors: pd.DataFrame, part: Part) -> pd.DataFrame:
    """The false positives of a part that is made of them, those of the highest score first."""
    return errors[errors["tide"] == part.value].sort_values("score", ascending=False, kind="stable")


def narrowed(rows: pd.DataFrame, category: str | None, size: str | None) -> pd.DataFrame:
    """Rows of one category, and of one size where the rows know their sizes; None does not narrow."""
    if category is not None:
        rows = rows[rows["category"] == category]
    if size is not None and "size" in rows:
        rows = rows[rows["size"] == size]
    return rows


def _missed(lost: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Lost objects that no detection of the wrong class, or with a box too far off, explains."""
    explaining = errors[errors["tide"].isin([TideType.CLS.value, TideType.LOC.value])]
    explained = set(zip(explaining["image_index"], explaining["object"], strict=True))
    places = zip(lost["image_index"], lost["object"], strict=True)
    return lost[[place not in explained for place in places]]
