"""How good a detector is on scenes of the shapes world, by pycocotools.

Shapes: `M` detections, `G` objects; boxes xyxy in the image frame.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

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
    images, objects, detections = [], [], []
    with torch.inference_mode():
        for start in range(0, len(scenes), BATCH):
            batch = [scenes[i] for i in range(start, min(start + BATCH, len(scenes)))]
            found = model([pixels.float() / 255 for pixels, _ in batch])
            for (pixels, target), result in zip(batch, found, strict=True):
                image = target["image_id"] + 1
                images.append({"id": image, "height": pixels.shape[1], "width": pixels.shape[2]})
                objects += _annotations(image, target["boxes"], target["labels"], len(objects))
                detections += _results(image, result)
    return _metrics(images, objects, detections, scenes.categories)


def _annotations(image: int, boxes: Tensor, labels: Tensor, first: int) -> list[dict[str, Any]]:
    return [
        {"id": first + k + 1, "image_id": image, "category_id": int(label), "iscrowd": 0}
        | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
        for k, ((x1, y1, x2, y2), label) in enumerate(zip(boxes.tolist(), labels, strict=True))
    ]


def _results(image: int, result: dict[str, Tensor]) -> list[dict[str, Any]]:
    rows = zip(result["boxes"].tolist(), result["labels"].tolist(), result["scores"].tolist(), strict=True)
    return [
        {"image_id": image, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for (x1, y1, x2, y2), label, score in rows
    ]


def _metrics(
    images: list[dict[str, Any]],
    objects: list[dict[str, Any]],
    detections: list[dict[str, Any]],
    categories: Sequence[str],
) -> dict[str, Any]:
    names = list(categories[1:])
    truth: Any = COCO()
    truth.dataset = {
        "info": {},
        "images": images,
        "annotations": objects,
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(names)],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(detections), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    precision = judge.eval["precision"][:, :, :, 0, -1]  # [IoU thresholds, recalls, categories]
    recall = judge.eval["recall"][0, :, 0, -1]
    return {
        **{name: round(float(value), 4) for name, value in zip(SUMMARY, judge.stats[:6], strict=True)},
        "AP_by_category": _named(names, precision.mean(axis=(0, 1))),
        "AP50_by_category": _named(names, precision[0].mean(axis=0)),
        "recall50": round(float(recall.mean()), 4),
        "scenes": len(images),
        "objects": len(objects),
    }


def _named(names: list[str], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}
