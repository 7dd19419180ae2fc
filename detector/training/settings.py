"""Every setting of a run with its default and its meaning, read off the records: for options and forms."""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from detector.training.config import RunConfig


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
