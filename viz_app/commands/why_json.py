"""What `boxscope why --json` prints: the ladders of an image's objects with evidence, remedy and price."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from viz_app.cautions import cautions

if TYPE_CHECKING:
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.remedies import Remedy
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replayer


def why_json(replayer: Replayer, diagnosis: Diagnosis, asked: bool) -> str:
    """All objects; of annotated images (not `asked` for one box) the false positives, too."""
    trace = replayer.trace
    content: dict[str, Any] = {
        "image": trace.input.name,
        "model": trace.detector,
        "iou": diagnosis.iou,
        "cautions": list(cautions(trace)),
        "thresholds": asdict(diagnosis.replay.thresholds),
        "objects": [_object(replayer, diagnosis, verdict) for verdict in diagnosis.verdicts],
    }
    if not asked:
        content["false_positives"] = [_false(diagnosis, one) for one in diagnosis.false_positives]
    return json.dumps(content, indent=2, ensure_ascii=False)


def sought(
    replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict
) -> tuple[Remedy | None, tuple[str, ...]]:
    """The remedy of a lost object, if there is one, and what else would help, a sentence each."""
    from detector.explaining.advice import advice_for
    from detector.explaining.remedies import remedy_for
    from detector.explaining.rungs import Rung

    if verdict.rung is Rung.FOUND:
        return None, ()
    try:
        return remedy_for(replayer, diagnosis, verdict), tuple(advice_for(replayer, diagnosis, verdict))
    except ValueError as problem:  # RoIs that a trace without its model did not record
        return None, (f"{problem}.",)


def _object(replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict) -> dict[str, Any]:
    from detector.explaining.evidence_words import object_category

    remedy, advice = sought(replayer, diagnosis, verdict)
    return {
        "object": verdict.object,
        "annotation": int(diagnosis.truth.ids[verdict.object]),
        "category": object_category(diagnosis, verdict),
        "box": [round(value, 3) for value in diagnosis.truth.boxes[verdict.object].tolist()],
        "rung": verdict.rung.name,
        "mechanism": verdict.mechanism,
        "reason": verdict.reason,
        "best_iou": verdict.best_iou,
        "detection": verdict.detection,
        "steps": [{**asdict(step), "rung": step.rung.name} for step in verdict.steps],
        "evidence": None if verdict.evidence is None else asdict(verdict.evidence),
        "remedy": None if remedy is None else _remedy(remedy),
        "advice": list(advice),
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    price = remedy.price
    return {
        "field": remedy.field,
        "before": remedy.before,
        "after": remedy.after,
        "rung": None if remedy.rung is None else remedy.rung.name,
        "brings_back": remedy.brings_back,
        "came_true": len(price.came_true),
        "came_false": len(price.came_false),
        "went_true": len(price.went_true),
        "went_false": len(price.went_false),
        "lost": list(price.lost),
    }


def _false(diagnosis: Diagnosis, one: FalsePositive) -> dict[str, Any]:
    replay = diagnosis.replay
    return {
        "detection": one.detection,
        "category": replay.trace.categories[int(replay.labels[one.detection])],
        "score": one.score,
        "box": [round(value, 3) for value in replay.boxes[one.detection].tolist()],
        "cause": one.cause,
        "tide": one.tide,
        "object": one.object,
        "iou": one.iou,
        "reason": one.reason,
    }
