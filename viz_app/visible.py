"""What a command prints: names from files cannot move the cursor, colour the terminal or turn its text around."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OUTPUT = "the output"
"""What a stream is called where it cannot be written."""

# All but line breaks and tabs, which are the command's own; JSON says the others as escapes already.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with control characters written out, such as `\\x1b`."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class Visible:
    """A stream for text that writes control characters out; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the stream's own; the number of characters that were given.

        Raises:
            OSError: nobody reads it any more, or its disk is full; names `OUTPUT`.
        """
        with _named():
            self._stream.write(visible(text))
        return len(text)

    def flush(self) -> None:
        """As the stream's own; errors as `write`."""
        with _named():
            self._stream.flush()

    def writelines(self, lines: Iterable[str]) -> None:
        """As the stream's own."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, OUTPUT) from error
