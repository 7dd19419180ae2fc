"""The doctor's look at the model, before it runs: its parts, its thresholds, and what training would draw.

Shapes: `G` objects of an image, `L` levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from detector.judging.anchor_grid import map_sizes
from detector.judging.findings import Finding, Place, Severity
from detector.tracing.looking import looking
from detector.tracing.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.judging.doctor_anchors import AnchorFits
    from detector.judging.doctor_survey import Survey
    from detector.models.detector import TwoStageModel

_PROBE = 0.5
_BYTES = 1.5
_EPS, _EPS_MATTERS = 1e-5, 0.01
_FEW_SHARE = 0.02


def model_findings(survey: Survey, model: TwoStageModel, fits: AnchorFits | None) -> list[Finding | None]:
    """Every check of the model; `survey` says how many objects its images hold."""
    return [
        levels(model), normalisation(model), norm_eps(model), *frozen_parts(model),
        *thresholds(survey, Thresholds.from_model(model)), *samplers(survey, model, fits),
    ]  # fmt: skip


def levels(model: TwoStageModel) -> Finding | None:
    """Feature maps, anchor sizes, the RPN's outputs and RoIAlign's maps must be of one kind."""
    generator: Any = model.rpn.anchor_generator
    head: Any = model.rpn.head
    # Large enough for every level of a pyramid to have a cell.
    maps = tuple(map_sizes(model, (256, 256)))
    counts = generator.num_anchors_per_location()
    outputs = getattr(getattr(head, "cls_logits", None), "out_channels", counts[0])
    # torchvision passes over names that the backbone does not give; its own MobileNets name two of them.
    pooled = list(getattr(model.roi_heads.box_roi_pool, "featmap_names", maps))
    problem = (
        f"the backbone gives {len(maps)} feature maps, the anchors have sizes for {len(counts)} levels"
        if len(counts) != len(maps) else
        f"the anchors are {counts} per cell and level, the RPN's head has {outputs} outputs"
        if set(counts) != {outputs} else
        f"RoIAlign pools from the maps {', '.join(pooled)}, of which the backbone gives none ({', '.join(maps)})"
        if not set(pooled) & set(maps) else ""
    )  # fmt: skip
    if not problem:
        return None
    remedy = "Give the anchor generator one tuple of sizes for each feature map, all of one length."
    return Finding(Severity.ERROR, "levels", problem, remedy)


def normalisation(model: TwoStageModel) -> Finding | None:
    """Mean and std in bytes, or a transform that does more than subtract and divide once.

    A grey picture goes through the model's own transform; what comes out is compared with (x - mean) / std.
    """
    transform = model.transform
    mean, std = (torch.tensor(values) for values in (transform.image_mean, transform.image_std))
    if float(mean.max()) > _BYTES or float(std.max()) > _BYTES:
        return Finding(
            Severity.ERROR, "double_normalisation",
            f"mean and std of the model's transform are for values up to 255 ({float(mean.max()):.4g}, "
            f"{float(std.max()):.4g}), and images come as 0 to 1",
            "Divide both by 255.",
        )  # fmt: skip
    with looking(model):
        found = transform([torch.full((3, 64, 64), _PROBE)])[0].tensors[0, :, 16, 16]
    once = (_PROBE - mean) / std
    if torch.allclose(found.cpu(), once, atol=1e-3):
        return None
    twice = torch.allclose(found.cpu(), (once - mean) / std, atol=1e-3)
    return Finding(
        Severity.ERROR, "double_normalisation",
        f"the model's transform makes {float(found[0]):.3f} of a grey value of {_PROBE}, where its mean and std "
        f"give {float(once[0]):.3f}" + (": mean and std are applied twice" if twice else ""),
        "Subtract mean and std in one place only: torchvision's detectors do it in their transform.",
    )  # fmt: skip


def norm_eps(model: TwoStageModel) -> Finding | None:
    """An epsilon of BatchNorm under which the loaded weights give other features than they were trained for."""
    norms: list[Any] = [m for m in model.modules() if isinstance(m, FrozenBatchNorm2d | nn.BatchNorm2d)]
    values = sorted({float(norm.eps) for norm in norms if isinstance(norm, FrozenBatchNorm2d)})
    effect = max((_effect(norm) for norm in norms if isinstance(norm, FrozenBatchNorm2d)), default=0.0)
    if 0.0 in values and any(float(n.running_var.min()) <= 0 for n in norms if n.eps == 0):
        return Finding(
            Severity.ERROR, "norm_eps",
            "a frozen BatchNorm has a variance of 0 and an epsilon of 0: it divides by 0",
            f"Load the weights with norm_eps={_EPS:g}.",
        )  # fmt: skip
    if len(values) > 1:
        return Finding(
            Severity.WARNING, "norm_eps",
            f"frozen BatchNorms have different epsilons ({values[0]:g} to {values[-1]:g})",
            "Give all the one that the weights were trained with.",
        )  # fmt: skip
    if values and effect >= _EPS_MATTERS:
        other = 0.0 if values[0] else _EPS
        return Finding(
            Severity.NOTE, "norm_eps",
            f"the epsilon of the frozen BatchNorms is {values[0]:g}, and with {other:g} a channel would be scaled "
            f"by {effect:.0%} differently: these weights depend on it",
            "Weights trained from torchvision's COCO_V1 detectors need norm_eps=0.0, all others 1e-5.",
        )  # fmt: skip
    return None


def _effect(norm: Any) -> float:  # noqa: ANN401
    """By how much the median channel is scaled differently with the usual epsilon and without."""
    variance = norm.running_var.detach().double()
    positive = variance[variance > 0]
    return float(((positive + _EPS) / positive).sqrt().sub(1).median()) if len(positive) else 0.0


def frozen_parts(model: TwoStageModel) -> list[Finding | None]:
    """Parts that training would leave as they are."""
    parts = {"backbone": model.backbone, "RPN": model.rpn, "RoI heads": model.roi_heads}
    shares = {name: _frozen(part) for name, part in parts.items()}
    if all(share == 1 for share in shares.values()):
        return [
            Finding(
                Severity.WARNING, "frozen", "every parameter is frozen: training would change nothing",
                "Call requires_grad_(True) on what should learn.",
            )
        ]  # fmt: skip
    return [
        Finding(
            Severity.WARNING if share == 1 and name != "backbone" else Severity.NOTE, "frozen",
            f"{share:.0%} of the weights of the {name} are frozen",
            "Leave it so for fine-tuning on few images; otherwise call requires_grad_(True) on it.",
        )
        for name, share in shares.items() if share > 0
    ]  # fmt: skip


def _frozen(part: nn.Module) -> float:
    sizes = [(value.numel(), value.requires_grad) for value in part.parameters()]
    total = sum(count for count, _ in sizes)
    return sum(count for count, learns in sizes if not learns) / total if total else 0.0


def thresholds(survey: Survey, knobs: Thresholds) -> Iterator[Finding | None]:
    """Thresholds that make detection impossible for some image, or are far from any usual value."""
    counts = torch.bincount(survey.image_of[~survey.crowd], minlength=len(survey.images))
    most = int(counts.max()) if len(counts) else 0
    fullest = survey.images[int(counts.argmax())].name if most else None
    for field, check, usual in (
        ("rpn_post_nms_top_n", "rpn_top_n", "1000 (50 at least)"),
        ("box_limit", "box_limit", "100"),
    ):
        value = int(getattr(knobs, field))
        over = (counts > value).nonzero().flatten().tolist()
        if over:
            places = tuple(Place(survey.images[i].name) for i in over[:5])
            yield Finding(
                Severity.ERROR, check,
                f"{field} is {value}, and {len(over)} of {len(counts)} images hold more objects (up to {most}): "
                "not all of them can be found",
                f"Raise it; {usual} is usual.", fullest, None, len(over), places,
            )  # fmt: skip
    yield from (
        Finding(Severity.WARNING, check, f"{field} is {getattr(knobs, field):g}: {why}", remedy)
        for field, check, wrong, why, remedy in _unusual(knobs)
        if wrong
    )


def _unusual(knobs: Thresholds) -> tuple[tuple[str, str, bool, str, str], ...]:
    """(field, check, whether it is far off, what follows, what to do)."""
    return (
        ("rpn_pre_nms_top_n", "rpn_top_n", knobs.rpn_pre_nms_top_n < 50,
         "of each level so few anchors go on that one object's neighbours push out the others",
         "Raise it; 1000 is usual."),
        ("rpn_post_nms_top_n", "rpn_top_n", knobs.rpn_post_nms_top_n < 50,
         "so few proposals leave no room for all objects and for mistakes", "Raise it; 1000 is usual."),
        ("rpn_nms", "rpn_nms", knobs.rpn_nms <= 0.3,
         "proposals of neighbouring objects suppress each other", "Raise it; 0.7 is usual."),
        ("rpn_score", "rpn_score", knobs.rpn_score >= 0.5,
         "the RPN drops what it is not sure of, before the second stage has seen it", "Lower it; 0 is usual."),
        ("box_score", "box_score", knobs.box_score >= 0.8,
         "only what the detector is very sure of is reported", "Lower it; 0.05 is usual, 0.5 for showing."),
        ("box_nms", "box_nms", knobs.box_nms <= 0.2,
         "objects of one class that touch suppress each other", "Raise it; 0.5 is usual."),
        ("box_nms", "box_nms", knobs.box_nms >= 0.95,
         "duplicates are not removed", "Lower it; 0.5 is usual."),
        ("rpn_nms", "rpn_nms", knobs.rpn_nms >= 0.98,
         "proposals that are the same use up the limit", "Lower it; 0.7 is usual."),
    )  # fmt: skip


def samplers(survey: Survey, model: TwoStageModel, fits: AnchorFits | None) -> Iterator[Finding | None]:
    """How many positives a training step draws from each image, at most and on average."""
    images = max(1, len(survey.images))
    objects = int((~survey.crowd).sum()) / images
    matched = float(fits.positives.sum()) / images if fits is not None and len(fits) else None
    for name, sampler, available in (
        ("RPN", model.rpn.fg_bg_sampler, matched),
        ("RoI heads", model.roi_heads.fg_bg_sampler, None),
    ):
        size, share = int(sampler.batch_size_per_image), float(sampler.positive_fraction)
        most = int(size * share)
        drawn = most if available is None else min(most, available)
        if most < 1 or most < objects:
            yield Finding(
                Severity.ERROR, "few_positives",
                f"the sampler of the {name} draws at most {most} positives of {size} per image (positive_fraction "
                f"{share:g}), and an image holds {objects:.1f} objects: nearly all it learns is background",
                "Raise positive_fraction (0.5 for the RPN and 0.25 for the RoI heads are usual) or the batch size.",
            )  # fmt: skip
        elif objects and drawn < _FEW_SHARE * size:
            yield Finding(
                Severity.WARNING, "few_positives",
                f"the {name} can expect {drawn:.1f} positives among the {size} samples of an image "
                f"({drawn / size:.1%}): nearly all it learns is background",
                "Lower batch_size_per_image of the sampler, or give the objects anchors that fit them.",
            )  # fmt: skip
        else:
            expected = "at most " if available is None else ""
            yield Finding(
                Severity.NOTE, "positives", f"the {name} draw{'s' if name == 'RPN' else ''} {expected}{drawn:.0f} "
                f"positives among {size} samples of an image", "Nothing needs to be done.",
            )  # fmt: skip
