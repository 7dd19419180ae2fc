"""JSON from elsewhere: read whole, or refused in a sentence; no key is there twice, and nothing is nested too deep.

`NaN` and numbers beyond a float, such as `1e999`, are read as Python does (NaN, infinity): whoever uses a number
refuses it there, and names its entry. Where nobody uses it, it does no harm.
"""

from __future__ import annotations

import json
from typing import Any

from detector.data.mistakes import shown


class _KeyTwice(ValueError):
    """An object has a key twice: which value is meant, nobody knows."""


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value that a text says.

    Raises:
        ValueError: not JSON, a key twice in one object, or nested too deep. The sentence goes on from the name of
            the file.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _KeyTwice:
        raise
    except RecursionError as error:
        raise ValueError("this is not JSON that can be read: it is nested too deep") from error
    except ValueError as error:
        raise ValueError(f"this is not JSON ({error}); write it again") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise _KeyTwice(f"the key {shown(twice)} is twice in the object {shown(content)}; leave one of them")
    return content
