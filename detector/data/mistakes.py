"""What is wrong with the files of a data set: collected while they are read, then told at once.

Boxes are xyxy in the image frame.
"""

from __future__ import annotations

import math
import reprlib
import struct
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLD = 3
NO_AREA = "has no area"
_LONGEST = 2.0**24  # float32 holds every whole pixel up to here
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 3, 8, 8, 80, 80


@dataclass(frozen=True, slots=True)
class Mistake:
    """One entry of an annotation file that cannot be used.

    Args:
        file: the annotation file, below the data set's folder; empty where it is about the folder itself.
        what: what is wrong with it; goes on from the name of the file.
        place: annotation id, number of the object or line in that file, where there is one.
        image: file name of the image it is about, where that is known.
    """

    file: str
    what: str
    place: int | None = None
    image: str | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}" if self.file else self.what


def refuse(root: Path, mistakes: Sequence[Mistake]) -> None:
    """Raise one sentence about all mistakes: the first few in full, and how many more there are.

    Args:
        root: the folder of the data set, or its only annotation file (then the mistakes name no file).
        mistakes: nothing happens where there are none.

    Raises:
        ValueError: the sentence.
    """
    if not mistakes:
        return
    if len(mistakes) == 1:
        only = mistakes[0]
        raise ValueError(f"{root / only.file}: {only.what}")
    told = "; ".join(map(str, mistakes[:TOLD]))
    rest = len(mistakes) - TOLD
    raise ValueError(
        f"{root}: {len(mistakes):,} mistakes: {told}" + (f"; and {rest:,} more" if rest > 0 else "")
    )


def wrong_box(box: Sequence[float]) -> str | None:
    """Why four numbers xyxy are no box for a detector; None where they are one.

    They are judged as the float32 that a detector gets: an infinite box would crash torchvision, a box of NaN
    would be trained on in silence, and sides that differ by less than float32 holds have no area.
    """
    try:
        x1, y1, x2, y2 = struct.unpack("4f", struct.pack("4f", *box))
    except OverflowError:
        return "is not finite"
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return "is not finite"
    if x2 <= x1 or y2 <= y1:
        return NO_AREA
    if max(map(abs, (x1, y1, x2, y2))) > _LONGEST:
        return "lies outside of any image"
    return None


def shown(value: object) -> str:
    """A value from a file as a sentence shows it: as Python writes it, but short, whatever it is."""
    return _SHORT.repr(value)


def leaves_the_folder(name: str) -> bool:
    """Whether a file name points out of the data set's folder."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or bool(windows.anchor) or ".." in posix.parts or ".." in windows.parts
