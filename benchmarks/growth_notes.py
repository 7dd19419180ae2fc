"""Why some things grow faster than what they are given; read beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NOTES: dict[tuple[str, str], str] = {
    ("box replay", "proposals"): (
        "NMS compares every box of a category with every other one, and each category gets more of them; it is "
        "torchvision's operator, for the answer must be the model's own to the bit"
    ),
}


def kept_for_each(images: Sequence[float], peaks: Sequence[float]) -> str:
    """How much memory each further image costs, by a straight line through the points."""
    slope = np.polyfit(images, peaks, 1)[0]
    return (
        f"{slope / 1024:.0f} KiB for each further image, and nothing of its pixels or its trace: its rows (about "
        "20 KiB), and what pycocotools keeps of each image, category and size (about 70 KiB here)"
    )
