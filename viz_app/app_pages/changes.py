"""A change beneath a number: its words, and how `st.metric` draws it."""

from __future__ import annotations

from typing import Any

_STILL = "±"


def change_words(change: float, form: str = ".3f") -> str:
    """A change with its sign; one that rounds to nothing has neither direction: `±0.000`."""
    size = f"{abs(change):{form}}"
    return f"{_STILL}{size}" if not size.strip("0.") else f"{'-' if change < 0 else '+'}{size}"


def change_style(words: str | None) -> dict[str, Any]:
    """Keywords for `st.metric`: a change that is none points nowhere, and is neither good nor bad."""
    still = words is not None and words.startswith(_STILL)
    return {"delta_color": "off", "delta_arrow": "off"} if still else {}
