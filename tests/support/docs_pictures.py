"""The pictures of docs/explanation/how_faster_rcnn_works.md: `PYTHONPATH=tests python -m support.docs --pictures`.

All are of the first bundled scene, drawn by the functions that draw the app's pages.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from detector.models.zoo import load_detector
from viz_app.figures.catalogue import CATALOGUE, pixels_of, thumbnail
from viz_app.figures.catalogue_parts import Material
from viz_app.scenes import bundled_scenes

WIDTH, MOST_BYTES = 420, 30_000
STAGES = {
    "maps": ("W3", "W7"),
    "anchors": ("R2", "R3"),
    "objectness": ("R5", "R9"),
    "filters": ("R11", "R13"),
    "roi": ("F1", "F3"),
    "refinement": ("F5", "F6"),
    "detections": ("N3", "N5"),
}
"""Name of each file, and the pictures of the catalogue that stand side by side on it."""


def draw(folder: Path) -> None:
    """Write one JPEG for each stage into `folder`."""
    material = Material(load_detector("shapes"), bundled_scenes()[0])
    for name, ids in STAGES.items():
        drawn = [pixels_of(CATALOGUE[one].draw(material), material) for one in ids]
        row = np.hstack([_fitted(one) for one in drawn if one is not None])
        (folder / f"stage_{name}.jpg").write_bytes(thumbnail(row, MOST_BYTES, row.shape[1]))


def _fitted(image: np.ndarray) -> np.ndarray:
    """On a white square of `WIDTH` px."""
    scale = (WIDTH - 8) / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((WIDTH, WIDTH, 3), 255, np.uint8)
    canvas[4 : 4 + small.shape[0], 4 : 4 + small.shape[1]] = small
    return canvas
