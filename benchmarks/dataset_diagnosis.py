"""Diagnosis of a whole data set against plain inference plus COCO evaluation of the same images.

Both sides read the same images one by one and end in pycocotools. The first row of a model is the whole diagnosis
but for what replays under other thresholds need: verdicts, causes, tables, oracle gains, TIDE, anchors. The second
adds a remedy for each lost object, the third the recommendations, which look at every image once more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measure import Measure, in_turn, report
from benchmarks.subject import image, subject
from detector import Detector, diagnose_dataset, load_detector
from detector.data import ShapesDataset
from detector.data.items import Sample, as_boxes
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found, Truth

OBJECTS = 20


class Photos:
    """Variations of the benchmarks' image, each with 20 objects at random."""

    def __init__(self, length: int, categories: tuple[str, ...]) -> None:
        self.length, self.categories = length, categories

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        generator = torch.Generator().manual_seed(index)
        pixels = (image().roll(17 * index, dims=2) * 255).to(torch.uint8)
        corner = torch.rand((OBJECTS, 2), generator=generator) * torch.tensor([600.0, 400.0])
        side = 20 + torch.rand((OBJECTS, 2), generator=generator) * 160
        labels = torch.randint(1, len(self.categories), (OBJECTS,), generator=generator)
        boxes = as_boxes(torch.cat((corner, corner + side), dim=1), (600, 800))
        return pixels, {"boxes": boxes, "labels": labels, "image_id": index}


def plain(detector: Detector, dataset: ShapesDataset | Photos) -> object:
    """Inference on each image, then pycocotools."""
    device = next(detector.model.parameters()).device
    images = []
    for index in range(len(dataset)):
        pixels, target = dataset[index]
        with torch.no_grad():
            result = detector.model([pixels.to(device).float() / 255])[0]
        images.append(ImageBoxes(index, _truth(target), _found(result)))
    return CocoJudge(images, detector.num_classes - 1).scores


def _truth(target: dict[str, Tensor]) -> tuple[Truth, ...]:
    rows = zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True)
    return tuple(Truth(tuple(b), label, False, (b[2] - b[0]) * (b[3] - b[1])) for b, label in rows)


def _found(result: dict[str, Tensor]) -> tuple[Found, ...]:
    rows = zip(result["boxes"].tolist(), result["labels"].tolist(), result["scores"].tolist(), strict=True)
    return tuple(Found(tuple(box), label, score, -1) for box, label, score in rows)


def run(images: int = 100, photos: int = 3, rounds: int = 3) -> None:
    """Print and write the table."""
    shapes, resnet = load_detector("shapes"), subject()
    measures = [
        *_measures(f"shapes, {images} images", shapes, ShapesDataset(images, 3), rounds, 1.15),
        *_measures(f"ResNet-50, {photos} images", resnet, Photos(photos, resnet.categories), rounds, 1.15),
    ]
    report("data-set diagnosis: all of it / plain inference plus COCO evaluation", measures)


def _measures(
    name: str, detector: Detector, dataset: ShapesDataset | Photos, rounds: int, bar: float
) -> list[Measure]:
    rows = (
        ("verdicts to summary", {"remedies": False}, bar),
        ("with remedies", {"recommend": False}, 2 * bar),
        ("with recommendations", {}, 4 * bar),
    )
    calls = [_diagnosing(detector, dataset, options) for _, options, _ in rows]
    *taken, theirs = in_turn([*calls, lambda: plain(detector, dataset)], rounds=rounds, warm=0)
    return [
        Measure(f"{name}, {what}", ours, theirs, limit)
        for (what, _, limit), ours in zip(rows, taken, strict=True)
    ]


def _diagnosing(
    detector: Detector, dataset: ShapesDataset | Photos, options: dict[str, bool]
) -> Callable[[], object]:
    def run_once() -> object:
        with tempfile.TemporaryDirectory() as folder:  # a run that is there already would only be read
            return diagnose_dataset(detector, dataset, folder, **options)

    return run_once


if __name__ == "__main__":
    run()
