"""An evaluation and a comparison as JSON, for a machine to read. No number is rounded; None is null."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.explaining.rungs import Rung
from detector.judging.comparison_records import Change

if TYPE_CHECKING:
    from detector.judging.comparison_records import Comparison
    from detector.judging.evaluation_records import Evaluation


def evaluation_json(evaluation: Evaluation) -> str:
    """Everything but the curves, whose 101 points for each IoU and category are a table (see `exports`)."""
    confusion = evaluation.confusion
    content = {
        "model": evaluation.model,
        "dataset": evaluation.dataset,
        "thresholds": asdict(evaluation.thresholds),
        "iou": evaluation.iou,
        "categories": list(evaluation.categories),
        "images": len(evaluation.images),
        "objects": evaluation.objects,
        "found": evaluation.summary.found,
        "statistics": dict(evaluation.statistics),
        "by_category": {name: asdict(one) for name, one in evaluation.by_category.items()},
        "calibration": asdict(evaluation.calibration),
        "confusion": {
            "score": confusion.score, "iou": confusion.iou, "counts": confusion.counts.tolist(),
            "rows": "true", "columns": "found", "background": 0,
        },
        "tide": {name: asdict(share) for name, share in evaluation.tide.items()},
        "waterfall": [asdict(fall) for fall in evaluation.waterfall],
        "by_image": [{**asdict(one), "loss": one.loss} for one in evaluation.images],
        "problems": [asdict(one) for one in evaluation.summary.problems],
    }  # fmt: skip
    return _text(content)


def comparison_json(comparison: Comparison) -> str:
    """Everything, an entry for each object that is not kept, and the rungs' names with the transitions."""
    content = {
        "a": comparison.a,
        "b": comparison.b,
        "dataset": comparison.dataset,
        "AP_a": comparison.AP_a,
        "AP_b": comparison.AP_b,
        "difference": comparison.difference,
        "interval": {**asdict(comparison.interval), "is_sure": comparison.interval.is_sure},
        "statistics_a": dict(comparison.evaluation_a.statistics),
        "statistics_b": dict(comparison.evaluation_b.statistics),
        "changes": {change.value: count for change, count in _changes(comparison).items()},
        "false_positives_a": comparison.false_positives_a,
        "false_positives_b": comparison.false_positives_b,
        "left_out": comparison.left_out,
        "rungs": [rung.name for rung in Rung],
        "transitions": comparison.transitions.tolist(),
        "objects": [asdict(one) for one in comparison.objects if one.change is not Change.KEPT],
    }
    return _text(content)


def _changes(comparison: Comparison) -> dict[Change, int]:
    counts = Counter(one.change for one in comparison.objects)
    return {change: counts[change] for change in Change}


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, np.integer | np.floating):
        return value.item()
    raise TypeError(f"{type(value).__name__} is nothing that JSON can say")
