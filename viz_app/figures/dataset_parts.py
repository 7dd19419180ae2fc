"""Parts of a diagnosed data set: which of its objects or errors a bar of a chart stands for.

Tables are those of `DatasetDiagnosis`: one row for each object, or for each false positive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Mechanism
from viz_app.figures.waterfall import rung_name

if TYPE_CHECKING:
    import pandas as pd

PartKind = Literal["rung", "mechanism", "tide"]
SIZES = ("small", "medium", "large")
_FORM = re.compile(r"([a-z]+)\.([A-Za-z_]+)")
_KNOWN = {
    "rung": tuple(Rung.__members__),
    "mechanism": tuple(mechanism.value for mechanism in Mechanism),
    "tide": tuple(kind.value for kind in TideType),
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one bar of a chart stands for.

    Args:
        kind: a `rung` that lost objects (FOUND: those that were found), a `mechanism`, or a type of `tide`.
        value: its name.

    Raises:
        ValueError: another kind, or a name that it does not have.
    """

    kind: PartKind
    value: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(PartKind) or self.value not in _KNOWN[self.kind]:
            raise ValueError(
                f"part is {str(self)[:40]!r}; expected such as rung.BOX_NMS, mechanism.background or tide.Loc"
            )

    def __str__(self) -> str:
        return f"{self.kind}.{self.value}"

    @classmethod
    def parse(cls, text: str) -> Part:
        """The inverse of `str()`; raises ValueError."""
        kind, value = match.groups() if (match := _FORM.fullmatch(text)) else ("", text)
        return cls(cast("PartKind", kind), value)

    @property
    def title(self) -> str:
        """For people."""
        if self.kind == "rung":
            return "found" if self.value == Rung.FOUND.name else f"lost at {rung_name(self.value)}"
        return f"mechanism: {self.value}" if self.kind == "mechanism" else f"TIDE: {self.value}"

    @property
    def of_errors(self) -> bool:
        """Whether it is made of false positives, and not of objects."""
        return self.kind == "tide" and self.value != TideType.MISS


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
