"""Opening a file that somebody named: a regular one of bounded size, or one sentence; never a pipe or a device."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

_UNITS = ((10**9, "GB"), (10**6, "MB"))
_limits: list[Callable[[Path], None]] = []


def limit_reading(rule: Callable[[Path], None]) -> None:
    """From now on this process opens no file of people's that a rule refuses, by raising ValueError.

    For a server that reads on behalf of others; a library and a command read what their user may read.
    """
    _limits[:] = [rule]


def check_limits(path: Path) -> None:
    """Raise what the rule of `limit_reading` says of a file; nothing where there is none."""
    for rule in _limits:
        rule(path)


def open_plain(path: Path, *, at_most: int, remedy: str) -> BinaryIO:
    """The file, opened for reading from its beginning.

    Args:
        path: links are followed.
        at_most: bytes; a larger file is not even opened.
        remedy: what to do about a larger one.

    Raises:
        ValueError: nothing there, a folder, a pipe or a device, a file that is too large or may not be read. The
            sentence goes on from the name of the file.
    """
    if "\0" in str(path):
        raise ValueError("a name cannot hold the NUL character; give the path of a file")
    check_limits(path)
    try:
        _check(path.stat(), at_most, remedy)
        return path.open("rb")
    except FileNotFoundError as error:
        lost = path.is_symlink()
        raise ValueError("the link leads to nothing" if lost else "there is no such file") from error
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror or error})") from error


def read_plain(path: Path, *, at_most: int, remedy: str) -> bytes:
    """The bytes of a file, read once; arguments and errors as `open_plain`."""
    with open_plain(path, at_most=at_most, remedy=remedy) as file:
        try:
            return file.read()
        except OSError as error:
            raise ValueError(f"the file cannot be read ({error.strerror or error})") from error


def _check(status: os.stat_result, at_most: int, remedy: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("it is a folder; give the path of one file")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a pipe or a device; give the path of a file")
    if status.st_size > at_most:
        size, most = _size(status.st_size), _size(at_most)
        size = f"{status.st_size:,} bytes" if size == most else size  # not "has 2 GB, over 2 GB"
        raise ValueError(f"the file has {size}, over {most}; {remedy}")


def _size(count: int) -> str:
    scale, unit = next((one for one in _UNITS if count >= one[0]), _UNITS[-1])
    return f"{count / scale:.3g} {unit}"
