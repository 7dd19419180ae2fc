"""Slow, independent statements of what the code must do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from detector import Detector, Thresholds


@contextmanager
def applied(detector: Detector, thresholds: Thresholds) -> Iterator[None]:
    """The model itself under other thresholds."""
    before = Thresholds.from_model(detector.model)
    thresholds.apply_to(detector.model)
    try:
        yield
    finally:
        before.apply_to(detector.model)


def run_model(detector: Detector, image: Tensor, thresholds: Thresholds) -> tuple[dict[str, Tensor], Tensor]:
    """The model's own detections (image frame) and proposals (network frame) under `thresholds`."""
    proposals: list[Tensor] = []
    with applied(detector, thresholds), torch.no_grad():
        handle = detector.model.rpn.register_forward_hook(lambda _m, _a, out: proposals.append(out[0][0]))
        try:
            output = detector.model([image])[0]
        finally:
            handle.remove()
    return output, proposals[0]


def model_state(model: nn.Module) -> dict[str, object]:
    """Everything that looking must not change, by value where it is data."""
    return {
        "parameters": {name: value.clone() for name, value in model.named_parameters()},
        "gradients": {name: value.grad for name, value in model.named_parameters()},
        "buffers": {name: value.clone() for name, value in model.named_buffers()},
        "training": [module.training for module in model.modules()],
        "hooks": [
            (len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks))
            for module in model.modules()
        ],
        "matchers": [(model.rpn.proposal_matcher, model.rpn.fg_bg_sampler),
                     (model.roi_heads.proposal_matcher, model.roi_heads.fg_bg_sampler)],
        "random": torch.get_rng_state(),
        "thresholds": Thresholds.from_model(model),
    }  # fmt: skip


def same_state(first: dict[str, object], second: dict[str, object]) -> bool:
    """Equal, tensors bit for bit."""
    return all(_same(first[name], second[name]) for name in first)


def _same(first: object, second: object) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[name], second[name]) for name in first)
    return first == second


def iou(first: Tensor, second: Tensor) -> float:
    """IoU of two boxes by plain arithmetic in double precision."""
    ax1, ay1, ax2, ay2 = first.double().tolist()
    bx1, by1, bx2, by2 = second.double().tolist()
    inner = max(0.0, min(ax2, bx2) - max(ax1, bx1)) * max(0.0, min(ay2, by2) - max(ay1, by1))
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inner
    return inner / union if union > 0 else 0.0
