"""Why some things grow faster than what they are given; read beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.curves import Curve

_RPN_NMS = (
    "the RPN's NMS compares every candidate of a level with every other one, and there are twice as many of them "
    "as proposals; torchvision's operator, as in the box filter"
)
NOTES: dict[tuple[str, str], str] = {
    ("box replay", "proposals"): (
        "NMS compares every box of a category with every other one, and each category gets more of them; it is "
        "torchvision's operator, for the answer must be the model's own to the bit"
    ),
    ("RPN replay", "proposals"): _RPN_NMS,
    ("capture", "proposals"): _RPN_NMS,
}


def explained(curve: Curve) -> Curve:
    """The same with its reason, if it needs one and one is known."""
    return replace(curve, note=NOTES.get((curve.what, curve.against), "")) if curve.unexplained else curve


def kept_for_each(images: Sequence[float], peaks: Sequence[float]) -> str:
    """How much memory each further image costs, by a straight line through the points."""
    slope = np.polyfit(images, peaks, 1)[0]
    return (
        f"{slope / 1024:.0f} KiB for each further image, and nothing of its pixels or its trace: its rows (about "
        "20 KiB), and what pycocotools keeps of each image, category and size (about 70 KiB here)"
    )
