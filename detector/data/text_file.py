"""Text files that people bring: UTF-8, with a byte-order mark or without; anything else is one sentence.

XML says its encoding itself and is not read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.data.plain_file import read_plain

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 32 << 20


def text_of(path: Path, largest: int = _LARGEST) -> str:
    """The text of a file, without its byte-order mark.

    Args:
        path: the file.
        largest: bytes that it may have.

    Raises:
        ValueError: it cannot be read, is too large, or is not UTF-8; the sentence goes on from the file's name.
    """
    data = read_plain(path, at_most=largest, remedy="is this the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("this is not text in UTF-8; save it as UTF-8") from error
