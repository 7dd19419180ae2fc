"""The shapes world as a torch data set: an endless, deterministic supply of annotated scenes.

Shapes: `G` objects; boxes float32 [G, 4] xyxy in the image frame, x2 and y2 one past the last visible pixel.
"""

from __future__ import annotations

import operator

import numpy as np
import torch
from torch.utils.data import Dataset

from detector.data.items import Sample, as_boxes
from detector.data.shapes_composer import draw_scene
from detector.data.shapes_scene import SHAPE_CATEGORIES, Scene


class ShapesDataset(Dataset[Sample]):
    """Scenes with circles, triangles, squares, stars, crosses and rings.

    `dataset[i]` is `(pixels, target)`: pixels uint8 [3, size, size] RGB; target holds `boxes`
    (`tv_tensors.BoundingBoxes` xyxy [G, 4], the exact bounds of the visible part), `labels` (int64 [G]),
    `image_id` (i), and for every object, float32 [G], what makes it hard: `visible`, `covered`, `contrast`
    and `size` (see `Scene`). A scene depends on its index, the seed and the image size only.

    Args:
        length: number of scenes.
        seed: a world of its own for every seed.
        size: height and width of the images in pixels.

    Raises:
        ValueError: a length below 1, a negative seed, or a size outside 64..4096.
    """

    categories: tuple[str, ...] = SHAPE_CATEGORIES

    def __init__(self, length: int, seed: int = 7, size: int = 256) -> None:
        for name, value, low, high in (
            ("length", length, 1, 10**7 + 1),
            ("seed", seed, 0, 2**63),
            ("size", size, 64, 4097),
        ):
            if not low <= operator.index(value) < high:
                raise ValueError(f"{name} of the shapes world is {value}; expected {low} to {high - 1}")
        self.length, self.seed, self.size = length, seed, size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        scene = self.scene(index)
        target = {
            "boxes": as_boxes(torch.from_numpy(scene.boxes), (self.size, self.size)),
            "labels": torch.from_numpy(scene.labels),
            "image_id": index,
            "visible": torch.from_numpy(scene.visible),
            "covered": torch.from_numpy(scene.covered),
            "contrast": torch.from_numpy(scene.contrast),
            "size": torch.from_numpy(scene.sizes),
        }
        return torch.from_numpy(np.ascontiguousarray(scene.pixels.transpose(2, 0, 1))), target

    def scene(self, index: int) -> Scene:
        """The scene with its masks; raises IndexError outside 0..length-1 (which also ends a for loop)."""
        if not 0 <= operator.index(index) < self.length:
            raise IndexError(f"scene {index} of {self.length}")
        return draw_scene(self.seed, index, self.size)
