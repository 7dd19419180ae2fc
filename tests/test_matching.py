"""The greedy matching is COCO's: checked against pycocotools on random cases."""

from __future__ import annotations

import contextlib
import io

import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detector import GroundTruth
from detector.explaining.matching import match_detections


def random_case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, GroundTruth]:
    generator = torch.Generator().manual_seed(seed)

    def draw(count: int) -> torch.Tensor:
        corner = torch.randint(0, 60, (count, 2), generator=generator)
        return torch.cat(
            (corner, corner + torch.randint(10, 40, (count, 2), generator=generator)), dim=1
        ).float()

    objects = draw(8)
    jitter = torch.randint(-6, 7, (30, 4), generator=generator).float()
    near = objects[torch.randint(0, 8, (30,), generator=generator)] + jitter
    boxes = torch.cat((near, draw(10)))
    labels = torch.randint(1, 4, (40,), generator=generator)
    scores = torch.rand(40, generator=generator)
    crowd = torch.rand(8, generator=generator) < 0.25
    truth = GroundTruth(objects, torch.randint(1, 4, (8,), generator=generator), crowd)
    return boxes, labels, scores, truth


def coco_matches(
    boxes: torch.Tensor, labels: torch.Tensor, scores: torch.Tensor, truth: GroundTruth, iou: float
) -> tuple[dict[int, int], set[int]]:
    """Detection -> object, and the objects that are matched, by pycocotools.

    Every other annotation is flagged `ignore`, which pycocotools overwrites with `iscrowd`.
    """

    def xywh(box: torch.Tensor) -> list[float]:
        x1, y1, x2, y2 = box.tolist()
        return [x1, y1, x2 - x1, y2 - y1]

    coco = COCO()
    coco.dataset = {
        "images": [{"id": 1, "width": 200, "height": 200}],
        "categories": [{"id": index, "name": str(index)} for index in (1, 2, 3)],
        "annotations": [
            {"id": index + 1, "image_id": 1, "category_id": int(truth.labels[index]), "bbox": xywh(box),
             "area": 1000.0, "iscrowd": int(truth.crowd[index]), "ignore": index % 2}
            for index, box in enumerate(truth.boxes)
        ],
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes([
            {"image_id": 1, "category_id": int(labels[index]), "bbox": xywh(box), "score": float(scores[index])}
            for index, box in enumerate(boxes)
        ])  # fmt: skip
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.params.iouThrs = [iou]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
    found: dict[int, int] = {}
    taken: set[int] = set()
    for image in filter(None, evaluation.evalImgs):
        found |= {
            int(dt) - 1: int(gt) - 1
            for dt, gt in zip(image["dtIds"], image["dtMatches"][0], strict=True)
            if gt > 0
        }
        taken |= {int(gt) - 1 for gt, dt in zip(image["gtIds"], image["gtMatches"][0], strict=True) if dt > 0}
    return found, taken


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("iou", [0.5, 0.75])
def test_matches_equal_pycocotools(seed: int, iou: float) -> None:
    boxes, labels, scores, truth = random_case(seed)
    expected, taken = coco_matches(boxes, labels, scores, truth, iou)
    matches = match_detections(boxes, labels, scores, truth, iou)
    found = {index: int(match) for index, match in enumerate(matches.object_of) if match >= 0}
    assert found == expected
    assert set((matches.detection_of >= 0).nonzero().flatten().tolist()) == taken


def test_nothing_to_match() -> None:
    boxes, labels, scores, truth = random_case(0)
    nothing = GroundTruth(torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64))
    assert match_detections(boxes, labels, scores, nothing).object_of.unique().tolist() == [-1]
    empty = match_detections(boxes[:0], labels[:0], scores[:0], truth)
    assert empty.detection_of.unique().tolist() == [-1]
