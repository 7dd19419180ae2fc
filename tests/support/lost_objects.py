"""Lost objects in traces made by hand, and every value of a threshold that could bring one back: a slow search."""

from __future__ import annotations

import math
import random

import numpy as np
from torchvision.ops import box_iou

from detector import Replayer, Thresholds, diagnose
from detector.explaining.matching import match_detections
from detector.explaining.verdicts import Diagnosis
from detector.tracing.filters import Ledger
from detector.tracing.trace import FilterRules
from support.traces import CATEGORIES, Box, Candidate, hand_trace, objects


def tight_thresholds(chance: random.Random, *, top_n: int) -> Thresholds:
    """Thresholds of which two lose much."""
    tight = {
        "rpn_pre_nms_top_n": chance.randint(2, top_n // 2),
        "rpn_post_nms_top_n": chance.randint(2, top_n // 2),
        "rpn_nms": chance.choice([0.2, 0.4]),
        "rpn_score": chance.choice([0.6, 0.8]),
        "box_score": chance.choice([0.4, 0.6]),
        "box_nms": chance.choice([0.1, 0.3]),
        "box_limit": chance.choice([1, 2, 4]),
    }
    loose = Thresholds(top_n, 2 * top_n, 0.9, 0.0, 0.05, 0.5, 50)
    return loose.replace(**{field: tight[field] for field in chance.sample(list(tight), 2)})


def jittered(chance: random.Random, box: Box, by: float) -> Box:
    """A box near another one, at least a pixel large."""
    x1, y1, x2, y2 = (
        value + chance.gauss(0, by) * (box[2 + place % 2] - box[place % 2]) for place, value in enumerate(box)
    )
    return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


def scene_by_hand(seed: int, count: int = 12) -> tuple[Replayer, Diagnosis]:
    """Three objects that overlap, and candidates on two levels that crowd around them."""
    chance = random.Random(seed)
    corners = [(chance.uniform(0, 40), chance.uniform(0, 40)) for _ in range(3)]
    boxes: list[Box] = [(x, y, x + chance.uniform(15, 40), y + chance.uniform(15, 40)) for x, y in corners]
    candidates = []
    for place in range(count):
        anchor = jittered(chance, chance.choice(boxes), 0.15)
        decoded = jittered(chance, anchor, 0.12)
        raw = [chance.expovariate(1 / weight) for weight in (1, 3, 2)]
        scores = [value / sum(raw) for value in raw]
        refined = jittered(chance, decoded, 0.1)
        level = int(place >= count // 2)
        candidates.append(Candidate(anchor, chance.uniform(0.1, 0.95), scores, decoded, refined, level))
    rule = chance.choice(["per_class", "per_class", "best_class"])
    trace = hand_trace(
        *candidates,
        thresholds=tight_thresholds(chance, top_n=count),
        rules=FilterRules(detection_rule=rule),
        categories=CATEGORIES[:3],
    )
    replayer = Replayer(trace)
    truth = objects(*boxes, labels=[chance.choice([1, 2]) for _ in boxes])
    return replayer, diagnose(replayer, truth)


def nms_values(ledger: Ledger) -> list[float]:
    """Every IoU that NMS compares, and just below it."""
    values: set[float] = set()
    compared, labels = ledger.compared_boxes(), ledger.labels[ledger.entrants]
    for label in labels.unique():
        own = compared[labels == label]
        values |= set(box_iou(own, own).double().flatten().tolist()) - {0.0}
    return sorted(values | {math.nextafter(value, 0.0) for value in values} | {0.0, 1.0})


def every_value(replayer: Replayer, diagnosis: Diagnosis, field: str) -> list[float]:
    """Every value of a threshold that could make a difference."""
    replay = diagnosis.replay
    if field == "rpn_nms":
        return nms_values(replay.proposals)
    if field == "box_nms":
        return nms_values(replay.detections)
    if field == "box_score":
        scores = replay.detections.scores.numpy()
        return [0.0, *np.nextafter(scores, np.float32(0)).astype(float), *scores.astype(float)]
    if field == "rpn_score":
        return [0.0, *replayer.proposals().scores.double().tolist()]
    if field == "rpn_pre_nms_top_n":
        return list(range(1, max(replay.trace.rpn.per_level) + 1))
    most = {"rpn_post_nms_top_n": replay.proposals.winners, "box_limit": replay.detections.winners}[field]
    return list(range(1, len(most) + 1))


def found(replayer: Replayer, diagnosis: Diagnosis, index: int, field: str, value: float) -> bool:
    replay = replayer.replay(diagnosis.replay.thresholds.replace(**{field: value}))
    matches = match_detections(replay.boxes, replay.labels, replay.scores, diagnosis.truth, diagnosis.iou)
    return int(matches.detection_of[index]) >= 0


def nearest_by_trial(replayer: Replayer, diagnosis: Diagnosis, index: int, field: str) -> float | None:
    """The nearest value that brings an object back, by trying them all."""
    present = getattr(diagnosis.replay.thresholds, field)
    values = sorted(set(every_value(replayer, diagnosis, field)), key=lambda value: abs(value - present))
    return next((value for value in values if found(replayer, diagnosis, index, field, value)), None)
