"""Where a threshold of the box filter may bring an object back; all is known from the RoIs of the replay.

Shapes: `S` class slots of one category.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import boxes as box_ops

from detector.explaining.nms_breakpoints import Flags, Pairs, Suppression, pairs_in_order
from detector.explaining.trial import Search, Trial, compared, fitting_slots, in_order, slots_of_class
from detector.tracing.filters import DetectionFate

if TYPE_CHECKING:
    from detector.tracing.replay import Replay

# NMS among more slots than this is not walked: its table of pairs would not fit.
MOST_SLOTS = 3_000
_FALLBACKS = 5


def search_score(trial: Trial) -> Search:
    """Values of `box_score`: just below the score of the slot that would take the object.

    Lowering the threshold appends candidates, and NMS, limit and matching decide about a candidate by what
    scores higher: one NMS over all slots of the category, whatever they score, knows every result.
    """

    def values() -> Iterator[float]:
        detections = trial.replay.detections
        if len(detections.winners) >= trial.present.box_limit:
            return  # what is appended is over the limit
        slots = slots_of_class(trial)
        slots = in_order(detections.scores, slots[_only_the_score(trial, slots)])
        kept = box_ops.nms(detections.boxes[slots], detections.scores[slots], trial.present.box_nms)
        taker = trial.match(slots[kept])
        if taker is not None:
            score = float(detections.scores[taker])
            # Where rounding defeats it, the next ones.
            lower = (value for value in _below_fitting(trial) if value < _below(score))
            yield from chain((_below(score),), islice(lower, _FALLBACKS))

    return Search("box_score", values(), lambda: next(_below_fitting(trial), None))


def search_overlap(trial: Trial) -> Search:
    """Values of `box_nms` at which the matching would give the object a detection, limit apart."""
    detections = trial.replay.detections
    own = _entrants_of(trial.replay, trial.label)
    if len(own) > MOST_SLOTS:
        return Search("box_nms", iter(()), lambda: None)
    fitting = torch.isin(own, fitting_slots(trial)).cpu().numpy()
    binding = trial.present.box_limit < len(detections.entrants) <= MOST_SLOTS

    def takes(kept: Sequence[Flags]) -> bool:
        return bool(kept[0][fitting].any()) and trial.match(_chosen(own, kept[0])) is not None

    def survives(kept: Sequence[Flags]) -> bool:
        return bool(kept[0][fitting].any())

    def others() -> Sequence[Pairs]:
        labels = detections.labels[detections.entrants].unique().tolist() if binding else ()
        return [
            _pairs(trial.replay, _entrants_of(trial.replay, label))
            for label in labels
            if label != trial.label
        ]

    pairs, present = _pairs(trial.replay, own), trial.present.box_nms
    return Search(
        "box_nms",
        Suppression((pairs,), others, present, takes).values(),
        lambda: next(Suppression((pairs,), tuple, present, survives).values(), None),
    )


def search_limit(trial: Trial) -> Search:
    """The value of `box_limit` that lets in the slot that would take the object: its place after NMS."""
    detections = trial.replay.detections
    winners = detections.winners
    taker = trial.match(winners[detections.labels[winners] == trial.label])

    def passing() -> int | None:
        places = torch.isin(winners, fitting_slots(trial)).nonzero().flatten()
        places = places[places >= trial.present.box_limit]
        return int(places[0]) + 1 if len(places) else None

    place = None if taker is None else int((winners == taker).nonzero()) + 1
    wanted = place is not None and place > trial.present.box_limit
    return Search("box_limit", iter((place,) if wanted and place else ()), passing)


def overlaps_without(replay: Replay, slot: int) -> Iterator[float]:
    """Values of `box_nms` under the present one at which NMS suppresses a class slot that it kept."""
    own = _entrants_of(replay, int(replay.detections.labels[slot]))
    if len(own) > MOST_SLOTS:
        return iter(())
    place = own.tolist().index(slot)
    present = replay.thresholds.box_nms
    search = Suppression((_pairs(replay, own),), tuple, present, lambda kept: not kept[0][place])
    return (value for value in search.values() if value < present)


def _below(score: float) -> float:
    """The highest float32 below a score, a float32: the filter takes what is over the threshold."""
    return float(np.nextafter(np.float32(score), np.float32(0)))


def _below_fitting(trial: Trial) -> Iterator[float]:
    """Just below the score of each slot that fits and needs nothing but a lower threshold, best first."""
    slots = fitting_slots(trial)
    scores = trial.replay.detections.scores[slots[_only_the_score(trial, slots)]]
    return (_below(score) for score in scores.unique().flip(0).tolist())


def _only_the_score(trial: Trial, slots: Tensor) -> Tensor:
    """Which slots nothing but their score may keep out of NMS: neither another class nor their size."""
    detections = trial.replay.detections
    large = torch.zeros(len(slots), dtype=torch.bool, device=slots.device)
    rules = trial.replay.trace.rules
    large[box_ops.remove_small_boxes(detections.boxes[slots], rules.box_min_size)] = True
    other = detections.fate[slots] == int(DetectionFate.OTHER_CLASS)
    return large & ~other & (detections.scores[slots] > 0)


def _entrants_of(replay: Replay, label: int) -> Tensor:
    """What entered NMS of one category, in the order in which NMS takes it."""
    detections = replay.detections
    return in_order(detections.scores, detections.entrants[detections.labels[detections.entrants] == label])


def _pairs(replay: Replay, slots: Tensor) -> Pairs:
    return pairs_in_order(compared(replay.detections, slots))


def _chosen(slots: Tensor, kept: Flags) -> Tensor:
    return slots[torch.from_numpy(kept).to(slots.device)]
