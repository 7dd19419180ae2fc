"""Every setting of a run with its default and its meaning, read off the records: for options and forms."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from detector.training.config import RunConfig

_WORDS = {int: "WHOLE", float: "NUMBER", str: "TEXT", tuple: "LIST", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of `RunConfig`.

    Args:
        key: dotted, such as `recipe.lr`.
        kind: its type, such as `float` or `int | None`.
        default: its value where nothing is said.
        meaning: from the docstring of its record.
    """

    key: str
    kind: Any
    default: Any
    meaning: str

    @property
    def is_text(self) -> bool:
        """Whether it takes any text (and perhaps null)."""
        return self.kind is str or set(get_args(self.kind)) == {str, type(None)}

    @property
    def words(self) -> str:
        """Its type in short, such as `NUMBER`, `WHOLE|null` or `adamw|sgd`."""
        return _words(self.kind)


def _words(kind: Any) -> str:  # noqa: ANN401
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return "|".join(map(_words, parts))
    if origin is Literal:
        return "|".join(map(str, parts))
    return _WORDS.get(origin or kind, "YAML")


@cache
def settings() -> tuple[Setting, ...]:
    """All settings in the order of the file."""
    return tuple(_leaves(RunConfig, RunConfig(), ""))


def _leaves(kind: type, record: object, at: str) -> list[Setting]:
    hints, meanings = get_type_hints(kind), meanings_of(kind)
    leaves: list[Setting] = []
    for name, hint in hints.items():
        value = getattr(record, name)
        if dataclasses.is_dataclass(hint):
            leaves += _leaves(type(value), value, f"{at}{name}.")
        else:
            leaves.append(Setting(f"{at}{name}", hint, value, meanings.get(name, "")))
    return leaves


def meanings_of(kind: type) -> dict[str, str]:
    """What the docstring of a record says under `Args:` about each name; several names may share a line."""
    text = inspect.getdoc(kind) or ""
    section = text.partition("Args:\n")[2].partition("\n\n")[0]
    meanings: dict[str, str] = {}
    for names, meaning in re.findall(r"^    ([\w, ]+): (.*(?:\n {8}.*)*)", section, re.MULTILINE):
        said = " ".join(meaning.split()).rstrip(".")
        meanings |= dict.fromkeys(names.split(", "), said)
    return meanings
