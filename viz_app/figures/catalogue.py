"""Every picture of the inspection pages by its id: where it is to be seen and which function draws it.

`docs/pictures.md` is written from this list, with a thumbnail of each picture that is drawn as pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from viz_app.figures import (
    catalogue_dataset,
    catalogue_head,
    catalogue_input,
    catalogue_rpn,
    catalogue_study,
    catalogue_training,
    catalogue_why,
)
from viz_app.figures.catalogue_parts import Boxes, Entry, Material
from viz_app.figures.raster import draw_picture

if TYPE_CHECKING:
    from viz_app.figures.catalogue_parts import Drawing

_SIDES = (256, 1600)

CATALOGUE: dict[str, Entry] = {
    entry.id: entry
    for part in (
        catalogue_input,
        catalogue_rpn,
        catalogue_head,
        catalogue_why,
        catalogue_dataset,
        catalogue_training,
        catalogue_study,
    )
    for entry in part.ENTRIES
}
"""Every picture by its id, in the order of the data."""


def pixels_of(drawn: Drawing, material: Material) -> np.ndarray | None:
    """What an entry drew as uint8 RGB [h, w, 3]; None for charts and tables, which a browser draws."""
    if isinstance(drawn, np.ndarray):
        return drawn[..., :3]
    if not isinstance(drawn, Boxes):
        return None
    pixels = material.trace.input.pixels if drawn.pixels is None else drawn.pixels
    return draw_picture(pixels, drawn.groups, overlay=drawn.overlay, sides=_SIDES)


def thumbnail(image: np.ndarray, most_bytes: int = 6000, side: int = 200) -> bytes:
    """A picture as a JPEG of at most `most_bytes`, its longer side `side` px or less.

    Args:
        image: uint8 RGB [h, w, 3].
        most_bytes: the quality is lowered until it fits.
        side: px.
    """
    scale = min(1.0, side / max(image.shape[:2]))
    size = [max(1, round(length * scale)) for length in image.shape[1::-1]]
    small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    for quality in range(85, 10, -10):
        encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(encoded) <= most_bytes:
            return encoded
    return thumbnail(image, most_bytes, side * 3 // 4)
