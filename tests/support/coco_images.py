"""Images with random objects and detections, and what pycocotools says of them when it is called plainly."""

from __future__ import annotations

import contextlib
import io
import random

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detector.judging.coco_metrics import ImageBoxes, coco_annotations, coco_results
from detector.judging.rows import Found, Truth

LABELS = 3


def random_images(seed: int, count: int = 12) -> list[ImageBoxes]:
    """Objects of all sizes with crowd regions; detections near them, far from them, and ties of scores."""
    chance = random.Random(seed)

    def box() -> tuple[float, float, float, float]:
        x, y, side = chance.random() * 300, chance.random() * 300, chance.choice((12, 50, 150))
        return x, y, x + side * (0.5 + chance.random()), y + side * (0.5 + chance.random())

    images = []
    for number in range(count):
        boxes = [box() for _ in range(chance.randint(0, 6))]
        truth = tuple(
            Truth(b, chance.randint(1, LABELS), chance.random() < 0.15, (b[2] - b[0]) * (b[3] - b[1]))
            for b in boxes
        )
        near = [
            (tuple(value + chance.gauss(0, 3) for value in one.box), chance.choice((one.label, 1, 2)))
            for one in truth
            for _ in range(chance.randint(0, 2))
        ]
        far = [(box(), chance.randint(1, LABELS)) for _ in range(chance.randint(0, 4))]
        found = tuple(
            Found(b, label, round(chance.random(), 1), -1) for b, label in [*near, *far] if b[2] > b[0]
        )
        images.append(ImageBoxes(number + 5, truth, found))
    return images


def plain(images: list[ImageBoxes], labels: int = LABELS) -> COCOeval:
    """As pycocotools' own example does it: a results list through `loadRes`."""
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": image.image} for image in images],
        "annotations": list(coco_annotations(images)),
        "categories": [{"id": label, "name": str(label)} for label in range(1, labels + 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(list(coco_results(images))), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge
