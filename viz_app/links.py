"""What a link to the app carries, written to and read from query parameters; nothing here trusts a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from detector.tracing.thresholds import Thresholds

DEFAULT_MODEL = "shapes"
MOST_CANDIDATES = 10_000
_LONGEST = 500
_KNOBS = {field.name: type(field.default) for field in fields(Thresholds)}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose to look at.

    Args:
        model: what `load_detector` takes.
        weights: `DEFAULT` for torchvision's own weights, None for random ones (or for a checkpoint).
        image: name of a bundled scene, or None for the first one.
        thresholds: (field, value) of each threshold that differs from the model's own.
        object: index of the object that is looked at.
    """

    model: str = DEFAULT_MODEL
    weights: str | None = None
    image: str | None = None
    thresholds: tuple[tuple[str, float], ...] = ()
    object: int | None = None


def to_query(choice: Choice) -> dict[str, str]:
    """Query parameters of a link; `from_query` gives the choice back."""
    query = {"model": choice.model}
    if choice.weights is not None:
        query["weights"] = choice.weights
    if choice.image is not None:
        query["image"] = choice.image
    if choice.object is not None:
        query["object"] = str(choice.object)
    return query | {name: repr(value) for name, value in choice.thresholds}


def from_query(query: Mapping[str, str]) -> tuple[Choice, tuple[str, ...]]:
    """The choice that a link asks for, and one sentence for each part of it that was ignored."""
    found: dict[str, str | int] = {}
    thresholds: list[tuple[str, float]] = []
    ignored = []
    for name, text in query.items():
        try:
            if name in _KNOBS:
                thresholds.append((name, _threshold(name, text)))
            else:
                found[name] = _value(name, text)
        except ValueError as error:
            ignored.append(f"The link was followed without one part: {error}.")
    return Choice(**found, thresholds=tuple(sorted(thresholds))), tuple(ignored)  # type: ignore[arg-type]


def _value(name: str, text: str) -> str | int:
    if len(text) > _LONGEST or not text.isprintable() or not text:
        raise ValueError(f"{name} is empty, too long or not printable")
    if name == "object":
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"object is {text!r}; expected the number of an object")
        return int(text)
    if name == "weights" and text != "DEFAULT":
        raise ValueError(f"weights is {text!r}; expected DEFAULT, or nothing")
    if name not in ("model", "weights", "image"):
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
