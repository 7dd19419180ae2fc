"""Run every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import (
    box_what_if,
    canvas,
    capture,
    dataset_diagnosis,
    rpn_what_if,
    slider,
    threshold_tuning,
    training_step,
    verdicts,
)

for benchmark in (
    capture,
    box_what_if,
    rpn_what_if,
    verdicts,
    dataset_diagnosis,
    threshold_tuning,
    training_step,
    canvas,
    slider,
):
    benchmark.run()
