"""Names that a file of annotations gives, of files and of categories: which of them can be used at all."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeGuard

from detector.data.mistakes import leaves_the_folder

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 255  # bytes, of one part of a path, on every disk people use


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a text that says something and can be written to a file."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)  # half of a pair, which UTF-8 lacks


def is_file_name(value: object) -> TypeGuard[str]:
    """Whether a value can be the path of a file inside the data set's folder."""
    if not is_text(value) or leaves_the_folder(value):
        return False
    return all(len(part.encode()) <= _LONGEST for part in PurePosixPath(value).parts)


def is_file(path: Path) -> bool:
    """Whether there is a file; a path that no disk takes, too long say, is none."""
    return os.path.isfile(path)  # noqa: PTH113 - `Path.is_file` raises for such a path


def is_folder(path: Path) -> bool:
    """Whether there is a folder; as `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112
