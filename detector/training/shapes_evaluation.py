"""How good a detector is on scenes of the shapes world, by pycocotools.

Shapes: `M` detections, `G` objects; boxes xyxy in the image frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from detector.data.shapes import ShapesDataset

SUMMARY = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
BATCH = 8


def evaluate(model: nn.Module, scenes: ShapesDataset) -> dict[str, Any]:
    """Average precision over all scenes, by size (COCO's areas) and by category.

    Args:
        model: a detector in eval mode that takes a list of float images [3, H, W] in [0, 1].
        scenes: held-out scenes.

    Returns:
        `AP` (IoU .50 to .95), `AP50`, `AP75`, `AP_small`, `AP_medium`, `AP_large`, `AP_by_category` and
        `AP50_by_category` (name -> value), `recall50` (of the objects, at the default thresholds, with the
        right category), `scenes`, `objects`.
    """
    images = []
    with torch.inference_mode():
        for start in range(0, len(scenes), BATCH):
            batch = [scenes[i] for i in range(start, min(start + BATCH, len(scenes)))]
            found = model([pixels.float() / 255 for pixels, _ in batch])
            images += [
                ImageBoxes(target["image_id"], _truth(target), _found(result))
                for (_, target), result in zip(batch, found, strict=True)
            ]
    return _metrics(images, scenes.categories)


def _truth(target: dict[str, Tensor]) -> tuple[Truth, ...]:
    rows = zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True)
    return tuple(
        Truth((x1, y1, x2, y2), label, False, (x2 - x1) * (y2 - y1)) for (x1, y1, x2, y2), label in rows
    )


def _found(result: dict[str, Tensor]) -> tuple[Found, ...]:
    rows = zip(result["boxes"].tolist(), result["labels"].tolist(), result["scores"].tolist(), strict=True)
    return tuple(Found((x1, y1, x2, y2), label, score, -1) for (x1, y1, x2, y2), label, score in rows)


def _metrics(images: list[ImageBoxes], categories: Sequence[str]) -> dict[str, Any]:
    names = list(categories[1:])
    judge = CocoJudge(images, len(names))
    return {
        **{name: round(float(value), 4) for name, value in zip(SUMMARY, judge.statistics[:6], strict=True)},
        "AP_by_category": _named(names, judge.precision.mean(axis=(0, 1))),
        "AP50_by_category": _named(names, judge.precision[0].mean(axis=0)),
        "recall50": round(float(judge.recall50.mean()), 4),
        "scenes": len(images),
        "objects": sum(len(image.truth) for image in images),
    }


def _named(names: list[str], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}
