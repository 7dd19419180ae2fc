"""What a link to the app carries, written to and read from query parameters; nothing here trusts a link."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, cast, get_args

from detector.tracing.thresholds import Thresholds
from viz_app.jobs.workspace import is_name
from viz_app.survey import NAMES, Survey

DEFAULT_MODEL = "shapes"
MOST_CANDIDATES = 10_000
_LONGEST = 500
_LARGEST = 1e6
Kind = Literal["object", "anchor", "detection", "cell"]
_KNOBS = {knob.name: type(knob.default) for knob in fields(Thresholds)}


@dataclass(frozen=True, slots=True)
class Selected:
    """The one thing that is looked at closely; its number means the same under all thresholds.

    Args:
        kind: an `object`; an `anchor`, with the proposal and the RoI that come of it; a `detection`, which is
            a category of an anchor's RoI; or a `cell` of the pyramid.
        index: of the object, of the anchor, or of the cell, counted over all levels, finest first.
        label: category of a detection.

    Raises:
        ValueError: another kind, a negative number, a detection without a category.
    """

    kind: Kind
    index: int
    label: int | None = None

    def __post_init__(self) -> None:
        numbers = (self.index,) if self.label is None else (self.index, self.label)
        if self.kind not in get_args(Kind) or min(numbers) < 0:
            raise ValueError(
                f"selected is {self.kind!r} {numbers}; expected {', '.join(get_args(Kind))} and a number"
            )
        if (self.kind == "detection") != (self.label is not None):
            raise ValueError("a detection has a category, and nothing else that can be selected has one")

    @property
    def anchor(self) -> int | None:
        """The anchor it is about, if it is about one."""
        return self.index if self.kind in ("anchor", "detection") else None

    def __str__(self) -> str:
        return ".".join(str(part) for part in (self.kind, self.index, self.label) if part is not None)

    @classmethod
    def parse(cls, text: str) -> Selected:
        """The inverse of `str()`; raises ValueError."""
        kind, *numbers = text.split(".")
        fits = len(numbers) == (2 if kind == "detection" else 1)
        if not (fits and kind in get_args(Kind) and all(n.isascii() and n.isdigit() for n in numbers)):
            raise ValueError(
                f"select is {text[:40]!r}; expected such as object.3, anchor.120 or detection.120.2"
            )
        return cls(cast("Kind", kind), *(int(number) for number in numbers))


@dataclass(frozen=True, slots=True)
class Asked:
    """An object that nobody annotated, drawn to ask what the detector would make of it.

    Args:
        box: xyxy, px, **image** frame; to a hundredth, as a link carries it.
        label: its category.

    Raises:
        ValueError: a box without area, a number that is not finite or beyond a million, a label below 1.
    """

    box: tuple[float, float, float, float]
    label: int

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = box = tuple(round(float(value), 2) for value in self.box)
        if not all(math.isfinite(value) and abs(value) < _LARGEST for value in box) or x2 <= x1 or y2 <= y1:
            raise ValueError(f"ask is {self!s}; expected x1,y1,x2,y2,category with x2 > x1 and y2 > y1")
        if self.label < 1:
            raise ValueError(f"ask is {self!s}; categories start at 1")
        object.__setattr__(self, "box", box)

    def __str__(self) -> str:
        return ",".join((*(f"{value:.10g}" for value in self.box), str(self.label)))

    @classmethod
    def parse(cls, text: str) -> Asked:
        """The inverse of `str()`; raises ValueError."""
        *corners, label = text.split(",")
        try:
            x1, y1, x2, y2 = (float(value) for value in corners)
            return cls((x1, y1, x2, y2), int(label))
        except ValueError:
            raise ValueError(f"ask is {text[:60]!r}; expected such as 12,30,40.5,61,2") from None


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose to look at.

    Args:
        model: what `load_detector` takes.
        weights: `DEFAULT` for torchvision's own weights, None for random ones (or for a checkpoint).
        image: name of a bundled scene, or None for the first one.
        thresholds: (field, value) of each threshold that differs from the model's own.
        selected: the one object, anchor or detection that is looked at.
        asked: a drawn box that is asked about.
        survey: what is looked at of a data set.
        training: name of the training run that is looked at.
    """

    model: str = DEFAULT_MODEL
    weights: str | None = None
    image: str | None = None
    thresholds: tuple[tuple[str, float], ...] = ()
    selected: Selected | None = None
    asked: Asked | None = None
    survey: Survey = field(default_factory=Survey)
    training: str | None = None


def to_query(choice: Choice) -> dict[str, str]:
    """Query parameters of a link; `from_query` gives the choice back."""
    query = {"model": choice.model}
    if choice.weights is not None:
        query["weights"] = choice.weights
    if choice.image is not None:
        query["image"] = choice.image
    if choice.selected is not None:
        query["select"] = str(choice.selected)
    if choice.asked is not None:
        query["ask"] = str(choice.asked)
    if choice.training is not None:
        query["training"] = choice.training
    query |= choice.survey.to_query()
    return query | {name: repr(value) for name, value in choice.thresholds}


def is_of_link(key: str) -> bool:
    """Whether a widget of this key shows a part of the link."""
    return key in ("model", "weights", "path", "image") or key.partition("@")[0] in _KNOBS


def from_query(query: Mapping[str, str]) -> tuple[Choice, tuple[str, ...]]:
    """The choice that a link asks for, and one sentence for each part of it that was ignored."""
    found: dict[str, str | Selected | Asked] = {}
    thresholds: list[tuple[str, float]] = []
    survey = Survey()
    ignored = []
    for name, text in query.items():
        try:
            if name in _KNOBS:
                thresholds.append((name, _threshold(name, text)))
            elif name == "select":
                found["selected"] = Selected.parse(_plain(name, text))
            elif name in NAMES:
                survey = survey.with_part(name, text)
            elif name == "ask":
                found["asked"] = Asked.parse(_plain(name, text))
            else:
                found[name] = _value(name, text)
        except ValueError as error:
            ignored.append(f"The link was followed without one part: {error}.")
    return Choice(**found, thresholds=tuple(sorted(thresholds)), survey=survey), tuple(ignored)  # type: ignore[arg-type]


def _plain(name: str, text: str) -> str:
    if len(text) > _LONGEST or not text.isprintable() or not text:
        raise ValueError(f"{name} is empty, too long or not printable")
    return text


def _value(name: str, text: str) -> str:
    _plain(name, text)
    if name == "weights" and text != "DEFAULT":
        raise ValueError(f"weights is {text!r}; expected DEFAULT, or nothing")
    if name == "training" and not is_name(text):
        raise ValueError(f"training is {text[:40]!r}; expected the name of a run")
    if name not in ("model", "weights", "image", "training"):
        raise ValueError(f"{name!r} is not a setting of this app")
    return text


def _threshold(name: str, text: str) -> float:
    whole = _KNOBS[name] is int
    expected = f"a whole number from 1 to {MOST_CANDIDATES:,}" if whole else "a number from 0 to 1"
    try:
        value = int(text) if whole else float(text)
        Thresholds().replace(**{name: value})
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}; expected {expected}") from None
    if whole and value > MOST_CANDIDATES:
        raise ValueError(f"{name} is {value}; expected {expected}")
    return value
