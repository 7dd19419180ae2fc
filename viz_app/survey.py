"""What a link carries of the pages about a whole data set; nothing here trusts a link."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Literal, cast, get_args

from detector.explaining.false_positives import TideType
from detector.explaining.rungs import Rung
from detector.explaining.verdicts import Mechanism
from detector.judging.comparison_records import Change
from viz_app.figures.words import rung_name
from viz_app.jobs.workspace import is_name

_LONGEST = 500
PartKind = Literal["rung", "mechanism", "tide"]
SIZES = ("small", "medium", "large")
_FORM = re.compile(r"([a-z]+)\.([A-Za-z_]+)")
_NUMBERS = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}")
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


@dataclass(frozen=True, slots=True)
class Survey:
    """What is looked at of a data set.

    Args:
        data: the data set, as `open_dataset` takes it.
        run: name of the diagnosis in the workspace that is shown.
        part: what a bar stands for, such as `rung.BOX_NMS`; see `Part`.
        category: only objects of it.
        size: only `small`, `medium` or `large` objects.
        cell: of the confusion matrix, such as `3.0`: true category, category found, both by index, 0 is background.
        versus: name of the diagnosis that `run` is compared with.
        moved: objects by what became of them: a value of `Change`, such as `gained`, or the rungs before and
            after, such as `BOX_NMS.FOUND`.
        pair: the one object that is compared, such as `17.2`: place of its image, number on it.

    Raises:
        ValueError: a part, a size or a name that there is not, or text that is empty, too long or not printable.
    """

    data: str | None = None
    run: str | None = None
    part: str | None = None
    category: str | None = None
    size: str | None = None
    cell: str | None = None
    versus: str | None = None
    moved: str | None = None
    pair: str | None = None

    def __post_init__(self) -> None:
        for name, text in self.to_query().items():
            if not text or len(text) > _LONGEST or not text.isprintable():
                raise ValueError(f"{name} is empty, too long or not printable")
        for name, run in (("run", self.run), ("versus", self.versus)):
            if run is not None and not is_name(run):
                raise ValueError(f"{name} is {run[:40]!r}; expected the name of a diagnosis")
        for name, numbers in (("cell", self.cell), ("pair", self.pair)):
            if numbers is not None and _NUMBERS.fullmatch(numbers) is None:
                raise ValueError(f"{name} is {numbers[:40]!r}; expected two numbers such as 3.0")
        if self.moved is not None and not is_move(self.moved):
            raise ValueError(
                f"moved is {self.moved[:40]!r}; expected {', '.join(Change)}, or two rungs such as BOX_NMS.FOUND"
            )
        if self.part is not None:
            Part.parse(self.part)
        if self.size is not None and self.size not in SIZES:
            raise ValueError(f"size is {self.size[:40]!r}; expected {', '.join(SIZES)}")

    def with_part(self, name: str, text: str) -> Survey:
        """With one part of a link; raises ValueError where it cannot be meant."""
        return replace(self, **{name: text})

    def to_query(self) -> dict[str, str]:
        """Its parts of a link's query."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def is_move(text: str) -> bool:
    """Whether a text says what became of objects: a value of `Change`, or two rungs."""
    before, _, after = text.partition(".")
    return text in list(Change) or (before in Rung.__members__ and after in Rung.__members__)


def numbers_of(text: str) -> tuple[int, int]:
    """The two numbers of a `cell` or of a `pair`."""
    first, second = text.split(".")
    return int(first), int(second)


NAMES = tuple(field.name for field in fields(Survey))
"""The names of its parts in a link."""
