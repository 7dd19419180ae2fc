"""What people say of a checkpoint that does not say it itself: typed or uploaded text made words for the loader."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from typing import Any

from detector.models.architectures import Hints


@dataclass(frozen=True, slots=True)
class FileWords:
    """Words that `load_detector` takes for a checkpoint; empty or None where nothing was said.

    Args:
        categories: K names with the background at index 0, or K-1 names without it.
        architecture, anchor_sizes, aspect_ratios, min_size, max_size, norm_eps: see `load_detector`.

    Raises:
        ValueError: the shorter side of the network input shall be more than the longer one.
    """

    categories: tuple[str, ...] = ()
    architecture: str | None = None
    anchor_sizes: tuple[tuple[float, ...], ...] = ()
    aspect_ratios: tuple[float, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    norm_eps: float | None = None

    def __post_init__(self) -> None:
        if self.min_size and self.max_size and self.min_size > self.max_size:
            raise ValueError(
                f"the shorter side is {self.min_size} and the longer one {self.max_size}; expected the shorter "
                "one to be no more than the longer one"
            )

    def said(self) -> dict[str, Any]:
        """The keywords of `load_detector` that were said."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value not in (None, ())}


def asked_for(sentence: str) -> frozenset[str]:
    """The words that a sentence of the loader asks for: it names them as `word=`."""
    known = {field.name for field in fields(FileWords)} & {"categories", *Hints.__slots__}
    return frozenset(re.findall(r"\b(\w+)=", sentence)) & known


def categories_from_text(text: str) -> tuple[str, ...]:
    """Names separated by commas or line breaks."""
    return tuple(name.strip() for name in re.split(r"[,\n]", text) if name.strip())


def categories_from_file(name: str, data: bytes) -> tuple[str, ...]:
    """Names from a text file, a JSON list, or the `categories` of a COCO file.

    Raises:
        ValueError: none of these; names the file.
    """
    try:
        text = data.decode("utf-8-sig")
        found = _from_json(json.loads(text)) if name.lower().endswith(".json") else categories_from_text(text)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{name}: no category names; expected text with a name on each line, a JSON list of names, or a COCO "
            "file"
        ) from error
    if not found:
        raise ValueError(f"{name}: there is no category name in it")
    return found


def _from_json(content: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a JSON file holds
    if isinstance(content, dict):
        # A detector trained on such a file has its ids as class numbers; numbers without a name stay numbers.
        named = {int(entry["id"]): entry["name"] for entry in content["categories"]}
        if min(named, default=0) < 0 or max(named, default=0) > 10_000:
            raise ValueError("an id that is no class number")
        content = [
            named.get(number, f"category {number}") for number in range(0 not in named, max(named) + 1)
        ]
    if not isinstance(content, list) or not all(isinstance(name, str) and name.strip() for name in content):
        raise ValueError("not a list of names")
    return tuple(name.strip() for name in content)


def anchor_sizes_from_text(text: str) -> tuple[tuple[float, ...], ...]:
    """`32; 64, 96; 128` as one group of sizes (network pixels) for each pyramid level, finest first."""
    what = "anchor sizes are numbers of pixels, such as 32; 64; 128: a semicolon after each pyramid level"
    return tuple(_numbers(level, what) for level in re.split(r"[;\n]", text) if level.strip())


def aspect_ratios_from_text(text: str) -> tuple[float, ...]:
    """`0.5, 1, 2` as height / width."""
    return _numbers(text, "aspect ratios are height / width, such as 0.5, 1, 2")


def _numbers(text: str, expected: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in re.split(r"[,\s]+", text) if part)
    except ValueError:
        numbers = (math.nan,)
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise ValueError(f"{text.strip()[:40]!r} was given; {expected}")
    return numbers
