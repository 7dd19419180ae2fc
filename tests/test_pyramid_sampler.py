"""Which negatives the pyramid detector learns from: the hardest share, and an even draw of the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.pyramids import TINY, seeded, targets
from torch import Tensor
from torchvision.ops import box_iou

from detector.models.pyramid_heads import (
    HardNegativeSampler,
)


def random_labels(seed: int, count: int = 400) -> tuple[Tensor, Tensor]:
    """Matched labels (a few positives, some ignored) and a hardness without ties."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, 12, (count,), generator=generator)
    labels = torch.where(labels > 3, torch.zeros_like(labels), labels)
    return labels, torch.rand(count, generator=generator)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_hardest_share_is_in_every_sample(seed: int, share: float) -> None:
    labels, hardness = random_labels(seed)
    sampler = HardNegativeSampler(64, 0.25, share)
    torch.manual_seed(seed)
    for _ in range(3):
        (positive,), (negative,) = sampler([labels], [hardness])
        assert positive.sum() == 16
        assert negative.sum() == 48
        assert (labels[positive.bool()] > 0).all()
        assert (labels[negative.bool()] == 0).all()
        ranked = sorted((i for i in range(len(labels)) if labels[i] == 0), key=lambda i: -float(hardness[i]))
        chosen = set(negative.nonzero().flatten().tolist())
        assert set(ranked[: round(48 * share)]) <= chosen


def test_the_rest_of_the_negatives_is_drawn_evenly() -> None:
    labels, hardness = random_labels(9, count=60)
    sampler = HardNegativeSampler(16, 0.25, 0.25)
    torch.manual_seed(0)
    counts: Counter[int] = Counter()
    draws = 600
    for _ in range(draws):
        counts.update(sampler([labels], [hardness])[1][0].nonzero().flatten().tolist())
    negatives = (labels == 0).nonzero().flatten()
    hardest = set(negatives[hardness[negatives].topk(3).indices].tolist())
    assert {index for index, count in counts.items() if count == draws} == hardest
    expected = draws * 9 / (len(negatives) - 3)
    for index in set(negatives.tolist()) - hardest:
        assert abs(counts[index] - expected) < 5 * expected**0.5


def test_few_candidates_are_taken_whole() -> None:
    labels = torch.tensor([1, 0, 0, -1, 2])
    (positive,), (negative,) = HardNegativeSampler(64, 0.25, 0.5)([labels], [torch.rand(5)])
    assert positive.tolist() == [1, 0, 0, 0, 1]
    assert negative.tolist() == [0, 1, 1, 0, 0]
    nothing = torch.zeros(0, dtype=torch.int64)
    (positive,), (negative,) = HardNegativeSampler(64, 0.25, 0.5)([nothing], [torch.zeros(0)])
    assert len(positive) == len(negative) == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strategy", ["iou", "score"])
def test_both_strategies_take_the_hardest_negatives(strategy: Any, seed: int) -> None:
    heads = seeded(
        replace(TINY, rois_per_image=40, hard_negative_share=0.5, hard_negative_by=strategy)
    ).roi_heads
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand((300, 2), generator=generator) * 50
    proposals = torch.cat((corner, corner + 4 + torch.rand((300, 2), generator=generator) * 20), dim=1)
    truth = targets(seed, 64)[0]
    torch.manual_seed(seed)
    boxes, _, labels, _ = heads.select_training_samples([proposals.clone()], [truth])
    negatives = {tuple(box) for box in boxes[0][labels[0] == 0].tolist()}

    overlap = box_iou(proposals, truth["boxes"]).amax(dim=1)
    candidates = [index for index in range(300) if overlap[index] < 0.3]
    hardest = sorted(candidates, key=lambda i: -float(overlap[i])) if strategy == "iou" else candidates
    for index in hardest[: round(len(negatives) * 0.5)]:  # the RPN hands proposals over by falling score
        assert tuple(proposals[index].tolist()) in negatives


def test_an_image_without_objects_has_only_negatives() -> None:
    model = seeded(replace(TINY, rois_per_image=40)).train()
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    losses = model(
        list(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))), [empty, targets(0, 64)[0]]
    )
    assert all(torch.isfinite(loss) for loss in losses.values())
