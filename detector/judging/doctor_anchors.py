"""The doctor's look at the anchors: how well they fit each object after the model's own resize.

Shapes: `N` anchors, `m` objects that were looked at. Extents are (height, width) in the network frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from detector.judging.anchor_fitting import fit_anchors_of, shape_iou
from detector.judging.anchor_grid import AnchorGrids
from detector.judging.anchor_matching import match_anchors
from detector.judging.findings import Finding, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.judging.doctor_survey import Survey
    from detector.models.detector import TwoStageModel

# An anchor that overlaps less is not near: the ladder loses such an object at its first rung.
NEAR = 0.5
_MANY, _SOME, _MOST_RESCUED, _SHRUNK = 0.25, 0.1, 0.6, 0.75


@dataclass(frozen=True, slots=True, eq=False)
class AnchorFits:
    """How the anchors fit each object.

    Args:
        rows: int64 [m], which objects of the survey: without crowd regions and boxes without an area.
        best_iou: float [m], IoU with the best anchor of the grid.
        positives: int64 [m], anchors that a training step would match to the object.
        rescued: bool [m], all of these come by the low-quality rule: none reaches the bound for a positive.
        extents: float [m, 2].
        scale: float [m], network pixels for one pixel of the image.
        finest: int64 [m], the finest stride.
        bound: IoU from which an anchor is positive.
    """

    rows: Tensor
    best_iou: Tensor
    positives: Tensor
    rescued: Tensor
    extents: Tensor
    scale: Tensor
    finest: Tensor
    bound: float

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def under_a_stride(self) -> Tensor:
        """Bool [m]: both sides are smaller than the finest stride."""
        return self.extents.amax(dim=1) < self.finest


def anchor_fits(
    survey: Survey, model: TwoStageModel, progress: Callable[[int, int], None] | None = None
) -> AnchorFits:
    """Measure every object against the anchors that the model lays over its image, with the model's own matcher.

    Args:
        survey: the data set.
        model: the model; only looked at.
        progress: told images so far and images in all.

    Raises:
        ValueError: the model's anchors do not fit its feature maps.
    """
    grids, matcher = AnchorGrids(model), model.rpn.proposal_matcher
    boxes = survey.boxes
    usable = ~survey.crowd & (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    parts: list[tuple[Tensor, ...]] = []
    chosen = usable.nonzero().flatten()
    chosen = chosen[survey.image_of[chosen].argsort(stable=True)]
    counted = torch.bincount(survey.image_of[chosen], minlength=len(survey.images)).tolist()
    for index, (image, rows) in enumerate(zip(survey.images, chosen.split(counted), strict=True)):
        if image.size is not None and len(rows):
            placed = grids.place(image.size, boxes[rows])
            found = match_anchors(placed.boxes, placed.grid.anchors, matcher)
            rescued = (found.positives > 0) & (found.reaching == 0)
            extents = (placed.boxes[:, 2:] - placed.boxes[:, :2]).flip(1)
            scale = torch.full((len(rows),), placed.size[0] / image.size[0])
            finest = torch.full((len(rows),), min(min(stride) for stride in placed.grid.strides))
            parts.append((rows, found.best_iou, found.positives, rescued, extents, scale, finest))
        if progress is not None:
            progress(index + 1, len(survey.images))
    empty = torch.zeros(0)
    nothing = (empty.long(), empty, empty.long(), empty.bool(), empty.reshape(0, 2), empty, empty.long())
    joined = [torch.cat(columns) for columns in zip(nothing, *parts, strict=True)]
    return AnchorFits(*joined, bound=float(matcher.high_threshold))


def anchor_findings(survey: Survey, fits: AnchorFits, model: TwoStageModel) -> list[Finding | None]:
    """What the fits say of the anchors, the input size, and single objects."""
    if len(fits) == 0:
        return []
    cause = input_size(survey, fits, model) or anchor_sizes(survey, fits, model)
    return [cause, _no_positive(survey, fits), _rescued(survey, fits), _under_a_stride(survey, fits)]


def input_size(survey: Survey, fits: AnchorFits, model: TwoStageModel) -> Finding | None:
    """Images shrunk so far that the anchors no longer fit, although they would at the images' own size."""
    scale = float(fits.scale.median())
    shapes = _shapes(model)
    now = shape_iou(fits.extents.double(), shapes).amax(dim=1) < NEAR
    unshrunk = shape_iou(fits.extents.double() / fits.scale[:, None], shapes).amax(dim=1) < NEAR
    share, share_unshrunk = float(now.double().mean()), float(unshrunk.double().mean())
    if scale >= _SHRUNK or share < _SOME or share_unshrunk > share / 2:
        return None
    transform: Any = model.transform
    return finding_at(
        Severity.ERROR if share >= _MANY else Severity.WARNING, "input_size",
        f"the model resizes images to {scale:.0%} of their size, and {int(now.sum())} of {len(fits)} objects "
        f"({share:.0%}) become smaller than any anchor fits; at the images' own size {share_unshrunk:.0%} would",
        f"Raise min_size and max_size of the transform ({transform.min_size[-1]} and {transform.max_size} now).",
        survey.places(fits.rows[now]),
    )  # fmt: skip


def anchor_sizes(survey: Survey, fits: AnchorFits, model: TwoStageModel) -> Finding | None:
    """Objects that no anchor comes near; they can be found only where the regressor reaches far."""
    bad = fits.best_iou < NEAR
    share = float(bad.double().mean())
    if share < _SOME:
        return None
    return finding_at(
        Severity.ERROR if share >= _MANY else Severity.WARNING, "anchor_sizes",
        f"no anchor overlaps {int(bad.sum())} of {len(fits)} objects ({share:.0%}) by IoU {NEAR:g} or more; "
        f"{_extent_words(fits)}",
        _fit_words(fits, model), survey.places(fits.rows[bad]),
    )  # fmt: skip


def _shapes(model: TwoStageModel) -> Tensor:
    """(height, width), float64, of every anchor shape of a model, whatever made it."""
    cells = torch.cat([cell.detach().cpu().double() for cell in model.rpn.anchor_generator.cell_anchors])
    return (cells[:, 2:] - cells[:, :2]).flip(1)


def _extent_words(fits: AnchorFits) -> str:
    side = fits.extents.prod(dim=1).sqrt()
    low, high = (float(side.quantile(q)) for q in (0.05, 0.95))
    return f"the objects measure {low:.0f} to {high:.0f} px in the network's input"


def _fit_words(fits: AnchorFits, model: TwoStageModel) -> str:
    try:
        fitted = fit_anchors_of(model, fits.extents)
    except ValueError:
        return "Choose anchor sizes near the sizes of the objects."
    sizes = "; ".join(", ".join(f"{size:g}" for size in level) for level in fitted.after.sizes)
    ratios = ", ".join(f"{ratio:g}" for ratio in fitted.after.ratios)
    return (
        f"Train with anchor sizes {sizes} px (finest level first) and ratios {ratios}: a centred anchor then "
        f"reaches IoU {fitted.iou:g} for {fitted.after.recall:.0%} of the objects, now for "
        f"{fitted.before.recall:.0%}."
    )


def _no_positive(survey: Survey, fits: AnchorFits) -> Finding | None:
    bad = fits.positives == 0
    return finding_at(
        Severity.WARNING, "no_positive_anchor",
        f"{int(bad.sum())} of {len(fits)} objects get no positive anchor in training: the RPN never learns them",
        "Add anchors of their size, or allow low-quality matches.", survey.places(fits.rows[bad]),
    )  # fmt: skip


def _rescued(survey: Survey, fits: AnchorFits) -> Finding | None:
    bad = fits.rescued
    share = float(bad.double().mean())
    return finding_at(
        Severity.WARNING if share >= _MOST_RESCUED else Severity.NOTE, "only_rescued",
        f"{int(bad.sum())} of {len(fits)} objects ({share:.0%}) get no anchor of IoU {fits.bound:g}: they are "
        "learnt by the low-quality rule alone, from the few that are best",
        "Anchors nearer to their size and shape give them more to learn from.", survey.places(fits.rows[bad]),
    )  # fmt: skip


def _under_a_stride(survey: Survey, fits: AnchorFits) -> Finding | None:
    bad = fits.under_a_stride
    return finding_at(
        Severity.WARNING, "under_a_stride",
        f"{int(bad.sum())} of {len(fits)} objects are smaller than the finest stride ({int(fits.finest.min())} px) "
        "in the network's input: less than one cell sees them",
        "Give the network larger images, or a finer level.", survey.places(fits.rows[bad]),
    )  # fmt: skip
