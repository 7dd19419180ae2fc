"""Why some things grow faster than what they are given; read beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NOTES: dict[tuple[str, str], str] = {
    (
        "box replay",
        "proposals",
    ): "NMS compares every box of a category with every other one, and they all grow at once; "
    "it is torchvision's operator, for the answer must be the model's own to the bit",
}


def kept_for_each(images: Sequence[float], peaks: Sequence[float]) -> str:
    """How much memory each further image costs, by a straight line through the points."""
    slope = np.polyfit(images, peaks, 1)[0]
    return f"{slope / 1024:.1f} KiB for each further image: its rows, which come together at the end"
