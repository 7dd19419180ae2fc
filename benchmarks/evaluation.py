"""COCO's average precision: ours and faster-coco-eval's beside pycocotools, on the same detections.

300 images, 80 categories, 7 objects and 50 detections on each; some detections are moved objects, some are strays.
All start from the same records and end in the same numbers, or the benchmark ends.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.measure import Measure, in_turn, report
from detector.judging.average_precision import average_precision
from detector.judging.coco_matching import match_images
from detector.judging.coco_metrics import CocoJudge, ImageBoxes, coco_contents
from detector.judging.coco_numbers import coco_numbers
from detector.judging.rows import Found, Truth

LABELS, OBJECTS, DETECTIONS, DRAWS = 80, 7, 50, 100


def run(count: int = 300, rounds: int = 3) -> None:
    """Print and write the table."""
    images = scenes(count)
    check(images)
    changed, judge, matched = (
        images[: max(1, count // 100)],
        CocoJudge(images, LABELS),
        match_images(images, LABELS),
    )
    draws = np.random.default_rng(1).multinomial(count, [1 / count] * count, DRAWS)
    rows = {
        "all twelve numbers, by faster-coco-eval": lambda: coco_numbers(images, LABELS),
        "AP alone, by our matching": lambda: ours(images),
        f"AP after {len(changed)} images changed": lambda: judge.averages(changed),
        f"AP of {DRAWS} draws of matched images": lambda: average_precision(matched, draws),
    }
    peers = [lambda: pycocotools(images), lambda: pycocotools(images, alone=True)]
    *taken, all_twelve, alone = in_turn([*rows.values(), *peers], rounds=rounds)
    words = ["pycocotools, all twelve", *["pycocotools, AP alone and once"] * 3]
    measures = [
        Measure(f"{name} / {word}", ours, all_twelve if word.endswith("twelve") else alone)
        for name, word, ours in zip(rows, words, taken, strict=True)
    ]
    report(f"evaluation: {count} images, {LABELS} categories, {DETECTIONS} detections on each", measures)


def pycocotools(images: list[ImageBoxes], alone: bool = False) -> float:
    """AP by pycocotools; `alone`: without the sizes and the smaller limits that the other eleven numbers need."""
    truth, found = COCO(), COCO()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        for coco, content in zip((truth, found), coco_contents(images, LABELS), strict=True):
            coco.dataset = content
            coco.createIndex()
        judge = COCOeval(truth, found, "bbox")
        judge.params.catIds = list(range(1, LABELS + 1))
        if alone:
            judge.params.areaRng, judge.params.areaRngLbl = (
                judge.params.areaRng[:1],
                judge.params.areaRngLbl[:1],
            )
            judge.params.maxDets = judge.params.maxDets[-1:]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def ours(images: list[ImageBoxes]) -> float:
    """AP by our own matching."""
    return float(average_precision(match_images(images, LABELS), np.ones((1, len(images)), dtype=int))[0])


def check(images: list[ImageBoxes]) -> None:
    """All of them say the same.

    Raises:
        AssertionError: a difference above 1e-9.
    """
    oracle = pycocotools(images)
    others = pycocotools(images, alone=True), coco_numbers(images, LABELS).statistics[0], ours(images)
    if not np.allclose(others, oracle, rtol=0, atol=1e-9):
        raise AssertionError(f"AP: pycocotools {oracle}; alone, faster-coco-eval and ours {others}")


def scenes(count: int, seed: int = 0) -> list[ImageBoxes]:
    """Images with objects and detections."""
    random = np.random.default_rng(seed)
    return [_scene(number, random) for number in range(count)]


def _scene(number: int, random: np.random.Generator) -> ImageBoxes:
    corner, side = random.uniform(0, 500, (OBJECTS, 2)), random.uniform(10, 200, (OBJECTS, 2))
    boxes, labels = np.hstack((corner, corner + side)), random.integers(1, LABELS + 1, OBJECTS)
    near = random.integers(0, OBJECTS, DETECTIONS)
    found = boxes[near] + random.normal(0, 0.1, (DETECTIONS, 4)) * np.tile(side[near], 2)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    stray = random.random(DETECTIONS) < 0.4
    named = np.where(stray, random.integers(1, LABELS + 1, DETECTIONS), labels[near])
    scores = random.random(DETECTIONS)
    truth = zip(boxes.tolist(), labels.tolist(), side.prod(axis=1).tolist(), strict=True)
    said = zip(found.tolist(), named.tolist(), scores.tolist(), strict=True)
    return ImageBoxes(
        number,
        tuple(Truth(tuple(box), label, False, area) for box, label, area in truth),
        tuple(Found(tuple(box), label, score, -1) for box, label, score in said),
    )


if __name__ == "__main__":
    run()
