"""Finished diagnoses of a few scenes, and images as the evaluation sees them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from detector import Detector, load_detector
from detector.data.items import Sample
from detector.data.shapes import ShapesDataset
from detector.judging.coco_metrics import ImageBoxes
from detector.judging.rows import Found, ImageReport
from detector.tracing.thresholds import Thresholds
from support.coco_images import random_images

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation

SCENES, SEED = 6, 12


class CrowdedScenes(ShapesDataset):
    """Small scenes; the first object of each third one is a crowd region, and the last scene is empty."""

    def __init__(self, length: int = SCENES) -> None:
        super().__init__(length, seed=SEED, size=128)

    def __getitem__(self, index: int) -> Sample:
        pixels, target = super().__getitem__(index)
        count = len(target["labels"]) if index < self.length - 1 else 0
        crowd = torch.zeros(count, dtype=torch.bool)
        crowd[: 1 if index % 3 == 0 else 0] = True
        return pixels, {
            "boxes": target["boxes"][:count], "labels": target["labels"][:count], "image_id": index,
            "iscrowd": crowd,
        }  # fmt: skip


@cache
def shapes_detector() -> Detector:
    """The bundled detector, one for all who only look."""
    return load_detector("shapes")


def evaluated(out: Path, score: float = 0.05, losses: bool = False) -> Evaluation:
    """The bundled detector on the crowded scenes, from this score on."""
    from detector.judging.evaluation import evaluate

    detector = shapes_detector()
    thresholds = Thresholds.from_model(detector.model).replace(box_score=score)
    return evaluate(detector, CrowdedScenes(), out, thresholds=thresholds, losses=losses)


def boxed_images(seed: int, count: int = 12, ties: bool = True) -> list[ImageBoxes]:
    """`random_images` whose detections all have an area; without ties each score is another one."""
    chance = np.random.default_rng(seed)
    images = []
    for image in random_images(seed, count):
        kept = [one for one in image.detections if one.box[3] > one.box[1]]
        told = [one.score if ties else float(chance.random()) for one in kept]
        found = (Found(one.box, one.label, score, one.object) for one, score in zip(kept, told, strict=True))
        images.append(ImageBoxes(image.image, image.truth, tuple(found)))
    return images


def reports_of_images(images: list[ImageBoxes]) -> list[ImageReport]:
    """The same as reports, without rows."""
    return [
        ImageReport(k, f"{k}.png", truth=one.truth, detections=one.detections) for k, one in enumerate(images)
    ]
