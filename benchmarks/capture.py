"""Capture against a bare forward, and TorchLens beside it where it is installed (the extra `peers`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch

from benchmarks.measure import Measure, alternate, in_turn, report
from benchmarks.memory import memory_of
from benchmarks.subject import image, subject
from detector import capture

NOT_INSTALLED = "TorchLens is not installed: `pip install -e '.[peers]'` puts it beside."
PUT_BACK = "TorchLens replaces torch's functions; putting them in and back is part of each of its calls."
KEPT = "What is kept lives on with the trace; the highest moment is above what the process held before."
# What our capture keeps is what the stages hand on; these are the modules that TorchLens is asked to record for it.
_STAGES = (
    "backbone.fpn",
    "rpn.head",
    "roi_heads.box_roi_pool",
    "roi_heads.box_head",
    "roi_heads.box_predictor",
)


def run(rounds: int = 7, peer_rounds: int = 3) -> None:
    """Print and write the table."""
    captured, plain = alternate(capturing, bare, rounds=rounds)
    measures = [Measure("ResNet-50 FPN, 800 x 1066 px", captured, plain, 1.05)]
    peers = torchlens()
    ways = {"Boxscope, every stage": capturing, **peers}
    if peers:
        measures += _times(ways, peer_rounds)
    measures += _memory(ways)
    report("capture: everything kept / bare forward", measures, [KEPT, PUT_BACK if peers else NOT_INSTALLED])


def capturing() -> object:
    """Our capture."""
    return capture(subject(), image())


def bare() -> object:
    """The model alone."""
    detector = subject()
    tensor = image().to(next(detector.model.parameters()).device)
    with torch.no_grad():
        return detector.model([tensor])


def torchlens() -> dict[str, Callable[[], object]]:
    """TorchLens' two ways to log a forward; none if it is not installed.

    It replaces torch's functions at its first call; here they are put back at the end of each.
    """
    try:
        tl = import_module("torchlens")
        wrappers = import_module("torchlens.backends.torch.wrappers")
    except ImportError:
        return {}
    model, inputs = subject().model, [[image()]]
    stages = tl.in_module(_STAGES[0])
    for name in _STAGES[1:]:
        stages = stages | tl.in_module(name)

    def logged(call: Callable[[], object]) -> Callable[[], object]:
        def once() -> object:
            try:
                with torch.no_grad():
                    return call()
            finally:
                wrappers.unwrap_torch()

        return once

    return {
        "TorchLens `trace`, every operation": logged(lambda: tl.trace(model, inputs)),
        "TorchLens `record`, FPN and heads": logged(lambda: tl.record(model, inputs, save=stages)),
    }


def _times(ways: dict[str, Callable[[], object]], rounds: int) -> list[Measure]:
    *taken, plain = in_turn([*ways.values(), bare], rounds=rounds)
    return [Measure(f"{name} / bare", ours, plain) for name, ours in zip(ways, taken, strict=True)]


def _memory(ways: dict[str, Callable[[], object]]) -> list[Measure]:
    """The highest moment, and what stays with the result."""
    plain, rows = memory_of(bare), []
    for name, call in ways.items():
        used = memory_of(call)
        rows.append(Measure(f"{name}: memory at the highest / bare", used.peak, plain.peak, unit="B"))
        rows.append(Measure(f"{name}: memory kept / bare, at the highest", used.kept, plain.peak, unit="B"))
    return rows


if __name__ == "__main__":
    run()
