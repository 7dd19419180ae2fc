"""What a view wants drawn on the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from viz_app.figures.picture import BoxGroup


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Boxes, and what lies beneath them.

    Args:
        groups: of boxes, later ones on top.
        overlay: uint8 [h, w, 4] RGBA, stretched over the image.
        scale: HTML that says what the overlay's colours mean.
    """

    groups: Sequence[BoxGroup] = ()
    overlay: Tensor | None = None
    scale: str = ""
