"""Anchor sizes and ratios fitted to the objects of a data set: k-means on IoU.

Redmon & Farhadi 2017 ("YOLO9000: Better, Faster, Stronger", section 2) cluster the shapes of the objects with
the distance 1 - IoU of boxes that share their centre. torchvision's `AnchorGenerator` takes sizes per level and
the same ratios at each, so here the clusters are the product of both: an object belongs to the shape it overlaps
most, a size moves to the mean size of its members and a ratio to the mean ratio of its members.

Shapes: `n` objects, `k` anchor shapes. Extents are (height, width) in pixels of the **network** frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.models.detector import TwoStageModel

_ROUNDS = 60
_FITTED_ON = 20_000
_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class AnchorCoverage:
    """How well one set of anchor shapes covers the objects.

    Recall counts the objects whose best shape, laid over their centre, reaches `iou`: what sizes and ratios allow.
    On the real grid an anchor is rarely centred, so the recall there is lower, most of all for small objects.

    Args:
        sizes: side in network pixels, one tuple per level, finest first, as `AnchorGenerator` takes them.
        ratios: height / width, the same at each level.
        recall: share of the objects.
        mean_iou: mean over the objects of the IoU with their best shape.
    """

    sizes: tuple[tuple[float, ...], ...]
    ratios: tuple[float, ...]
    recall: float
    mean_iou: float


@dataclass(frozen=True, slots=True)
class FittedAnchors:
    """Fitted anchors beside those that a model has.

    Args:
        before: the model's.
        after: the fitted ones; the model's own where nothing better was found.
        iou: that an object's best shape must reach to count.
        objects: how many were fitted to.
    """

    before: AnchorCoverage
    after: AnchorCoverage
    iou: float
    objects: int

    @property
    def gain(self) -> float:
        """Recall after less recall before."""
        return self.after.recall - self.before.recall


def fit_anchors(
    extents: Tensor, sizes: Sequence[Sequence[float]], ratios: Sequence[float], *, iou: float = 0.7
) -> FittedAnchors:
    """Fit as many sizes and ratios as there are now; the same answer for the same objects.

    Args:
        extents: float [n, 2], (height, width) of the objects.
        sizes: side in pixels of the anchors now, one tuple per level, all of one length.
        ratios: height / width of the anchors now.
        iou: what an object's best shape must reach; a model's is `rpn.proposal_matcher.high_threshold`.

    Raises:
        ValueError: no objects, extents that are not positive numbers, or levels with different numbers of sizes.
    """
    extents = torch.as_tensor(extents, dtype=torch.float64).reshape(-1, 2)
    if len(extents) == 0:
        raise ValueError("there are no objects to fit anchors to")
    if not bool((extents.isfinite() & (extents > 0)).all()):
        raise ValueError("an object has a height or width that is not a number above 0")
    if len({len(level) for level in sizes}) != 1 or not sizes[0] or not ratios:
        raise ValueError(f"anchor sizes are {sizes}; expected the same number of sizes at each level")
    now = AnchorCoverage(tuple(map(tuple, sizes)), tuple(ratios), *_judge(extents, sizes, ratios, iou))
    thinned = extents[:: -(-len(extents) // _FITTED_ON)]
    best = now
    for found_sizes, found_ratios in _candidates(thinned, sizes, ratios):
        fit = AnchorCoverage(found_sizes, found_ratios, *_judge(extents, found_sizes, found_ratios, iou))
        if (fit.recall, fit.mean_iou) > (best.recall, best.mean_iou):
            best = fit
    return FittedAnchors(now, best, iou, len(extents))


def fit_anchors_of(model: TwoStageModel, extents: Tensor) -> FittedAnchors:
    """Fit anchors for `model`: its levels, its number of sizes and ratios, its bound for a positive anchor.

    Raises:
        ValueError: as `fit_anchors`, or an anchor generator that is not torchvision's or whose ratios differ
            between levels.
    """
    generator = model.rpn.anchor_generator
    sizes, ratios = getattr(generator, "sizes", None), getattr(generator, "aspect_ratios", None)
    if not sizes or not ratios or len(set(map(tuple, ratios))) != 1:
        raise ValueError("the anchors do not have the same ratios at each level; fit each level on its own")
    return fit_anchors(extents, sizes, ratios[0], iou=float(model.rpn.proposal_matcher.high_threshold))


def shape_iou(extents: Tensor, shapes: Tensor) -> Tensor:
    """IoU float [n, k] of boxes [n, 2] and [k, 2], (height, width), that share their centre."""
    inner = torch.minimum(extents[:, None], shapes).prod(dim=2)
    return inner / (extents.prod(dim=1)[:, None] + shapes.prod(dim=1) - inner)


def anchor_shapes(sizes: Sequence[Sequence[float]], ratios: Sequence[float]) -> Tensor:
    """(height, width), float64 [k, 2], as `AnchorGenerator` makes them: half sides rounded to whole pixels."""
    side = torch.tensor([size for level in sizes for size in level], dtype=torch.float64)
    root = torch.tensor(ratios, dtype=torch.float64).sqrt()
    shapes = torch.stack((root[:, None] * side, side / root[:, None]), dim=2).reshape(-1, 2)
    return (shapes / 2).round().clamp(min=0.5) * 2


def _judge(
    extents: Tensor, sizes: Sequence[Sequence[float]], ratios: Sequence[float], iou: float
) -> tuple[float, float]:
    """(recall, mean IoU)."""
    shapes = anchor_shapes(sizes, ratios)
    best = torch.cat([shape_iou(part, shapes).amax(dim=1) for part in extents.split(_CHUNK)])
    return float((best >= iou).double().mean()), float(best.mean())


def _candidates(
    extents: Tensor, sizes: Sequence[Sequence[float]], ratios: Sequence[float]
) -> Iterator[tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]]:
    """What k-means comes to from the anchors of now, and from the quantiles of the objects' sizes and ratios."""
    levels, per_level = len(sizes), len(sizes[0])
    size, ratio = extents.log().mean(dim=1), extents.log().diff(dim=1)[:, 0].neg()
    now = torch.tensor([s for level in sizes for s in level], dtype=torch.float64).log()
    own = torch.tensor(ratios, dtype=torch.float64).log()
    starts = (
        (_quantiles(size, levels * per_level), _quantiles(ratio, len(ratios))),
        (_quantiles(size, levels * per_level), own),
        (now, own),
    )
    for first_sizes, first_ratios in starts:
        fitted_sizes, fitted_ratios = _k_means(extents, first_sizes, first_ratios)
        flat = [max(1.0, float(round(value))) for value in fitted_sizes.exp().sort().values.tolist()]
        grouped = tuple(tuple(flat[i * per_level : (i + 1) * per_level]) for i in range(levels))
        yield grouped, tuple(round(value, 2) for value in fitted_ratios.exp().sort().values.tolist())


def _quantiles(values: Tensor, count: int) -> Tensor:
    return values.quantile((torch.arange(count, dtype=torch.float64) + 0.5) / count)


def _k_means(extents: Tensor, sizes: Tensor, ratios: Tensor) -> tuple[Tensor, Tensor]:
    """Lloyd's iteration on logarithms; the centres [s], [q] with the highest mean IoU on the way."""
    size, ratio = extents.log().mean(dim=1), extents.log().diff(dim=1)[:, 0].neg()
    best, kept = -1.0, (sizes, ratios)
    for _ in range(_ROUNDS):
        half = ratios / 2
        shapes = torch.stack((sizes[:, None] + half, sizes[:, None] - half), dim=2).exp().reshape(-1, 2)
        quality, chosen = shape_iou(extents, shapes).max(dim=1)
        if float(quality.mean()) <= best + 1e-9:
            break
        best, kept = float(quality.mean()), (sizes, ratios)
        sizes = _means(size, chosen // len(ratios), sizes)
        ratios = _means(ratio, chosen % len(ratios), ratios)
    return kept


def _means(values: Tensor, group: Tensor, before: Tensor) -> Tensor:
    """Mean of each group; a group without members stays where it was."""
    count = torch.zeros_like(before).index_add(0, group, torch.ones_like(values))
    total = torch.zeros_like(before).index_add(0, group, values)
    return torch.where(count > 0, total / count.clamp(min=1), before)
