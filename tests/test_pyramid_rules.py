"""Both final rules of the pyramid detector, against loops over plain numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.pyramids import TINY, seeded
from torch import Tensor
from torch.nn import functional

from detector.models.pyramid import PyramidConfig


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area - width * height)


def slow_rule(
    logits: Tensor, deltas: Tensor, rois: Tensor, size: tuple[int, int], config: PyramidConfig
) -> list[tuple[int, float, list[float]]]:
    """(label, score, box) by falling score; everything as loops over plain numbers."""
    found = []
    for row in range(len(rois)):
        x1, y1, x2, y2 = rois[row].double().tolist()
        tx, ty, tw, th = (deltas[row].double() / torch.tensor([10, 10, 5, 5])).tolist()
        width, height = x2 - x1, y2 - y1
        cx, cy = x1 + width / 2 + tx * width, y1 + height / 2 + ty * height
        half_w, half_h = width * torch.e**tw / 2, height * torch.e**th / 2
        box = [
            min(max(cx - half_w, 0), size[1]), min(max(cy - half_h, 0), size[0]),
            min(max(cx + half_w, 0), size[1]), min(max(cy + half_h, 0), size[0]),
        ]  # fmt: skip
        scores = functional.softmax(logits[row].double(), dim=0).tolist()
        for label in range(1, len(scores)):
            if config.detection_rule == "best_class" and scores[label] != max(scores):
                continue
            if scores[label] > config.box_score and min(box[2] - box[0], box[3] - box[1]) >= 1e-2:
                found.append((label, scores[label], box))
    kept: list[tuple[int, float, list[float]]] = []
    for candidate in sorted(found, key=lambda item: -item[1]):
        rivals = [other for other in kept if other[0] == candidate[0]]
        if all(overlap(candidate[2], other[2]) <= config.box_nms for other in rivals):
            kept.append(candidate)
    return kept[: config.box_limit]


@pytest.mark.parametrize("rule", ["best_class", "per_class"])
@pytest.mark.parametrize("seed", range(8))
def test_the_final_rule_is_what_a_loop_finds(rule: Any, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    score, nms, limit = [(0.05, 0.5, 100), (0.3, 0.3, 100), (0.0, 0.7, 7), (0.2, 0.1, 100)][seed % 4]
    config = replace(TINY, detection_rule=rule, box_score=score, box_nms=nms, box_limit=limit)
    heads = seeded(config).roi_heads
    sizes = [(60, 70), (64, 50)]
    rois, logits, deltas = [], [], []
    for height, width in sizes:
        corner = torch.rand((50, 2), generator=generator) * torch.tensor([width * 0.8, height * 0.8])
        rois.append(torch.cat((corner, corner + 5 + 25 * torch.rand((50, 2), generator=generator)), dim=1))
        logits.append(2 * torch.randn((50, 4), generator=generator))
        deltas.append(torch.randn((50, 4), generator=generator))
    boxes, scores, labels = heads.postprocess_detections(torch.cat(logits), torch.cat(deltas), rois, sizes)
    for image, size in enumerate(sizes):
        want = slow_rule(logits[image], deltas[image], rois[image], size, config)
        assert labels[image].tolist() == [label for label, _, _ in want]
        assert scores[image].tolist() == pytest.approx([score for _, score, _ in want], abs=1e-5)
        assert torch.allclose(
            boxes[image].double(), torch.tensor([b for _, _, b in want]).double(), atol=1e-3
        )
    if rule == "best_class":
        assert sum(len(found) for found in labels) <= 100


def test_the_best_class_rule_gives_each_roi_one_class_at_most() -> None:
    heads = seeded(replace(TINY, box_nms=1.0, box_score=0.0)).roi_heads
    rois = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 60, 60]])
    logits = torch.tensor([[0.0, 3, 2, 1], [5, 4, 4, 4], [0, 0, 1, 3]])  # the second is background
    boxes, scores, labels = heads.postprocess_detections(logits, torch.zeros(3, 4), [rois], [(64, 64)])
    assert labels[0].tolist() == [3, 1]
    assert torch.equal(boxes[0], rois[[2, 0]])
    heads.detection_rule = "per_class"
    _, scores, labels = heads.postprocess_detections(logits, torch.zeros(3, 4), [rois], [(64, 64)])
    assert sorted(labels[0].tolist()) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert scores[0].tolist() == sorted(scores[0].tolist(), reverse=True)


@pytest.mark.parametrize("rule", ["best_class", "per_class"])
def test_without_rois_there_are_no_detections(rule: Any) -> None:
    heads = seeded(replace(TINY, detection_rule=rule)).roi_heads
    boxes, scores, labels = heads.postprocess_detections(
        torch.zeros(0, 4), torch.zeros(0, 4), [torch.zeros(0, 4)], [(64, 64)]
    )
    assert (boxes[0].shape, scores[0].shape, labels[0].shape) == ((0, 4), (0,), (0,))
