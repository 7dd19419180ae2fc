"""Capture against a bare forward."""

from __future__ import annotations

import torch

from benchmarks.measure import Measure, alternate, report
from benchmarks.subject import image, subject
from detector import capture


def run(rounds: int = 7) -> None:
    """Print and write the table."""
    detector, tensor = subject(), image()
    on_device = tensor.to(next(detector.model.parameters()).device)

    def bare() -> object:
        with torch.no_grad():
            return detector.model([on_device])

    captured, plain = alternate(lambda: capture(detector, tensor), bare, rounds=rounds)
    report(
        "capture: everything kept / bare forward",
        [Measure("ResNet-50 FPN, 800 x 1066 px", captured, plain, 1.05)],
    )


if __name__ == "__main__":
    run()
