"""Where nothing was detected: how far the score thresholds have to come down for the strongest candidate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from detector.tracing.filters import filter_detections

if TYPE_CHECKING:
    from detector.tracing.replay import Replay, Replayer
    from detector.tracing.thresholds import Thresholds


def strongest_slot(replay: Replay) -> int | None:
    """The class slot that would be the first detection if no score were too low; None where no slot would.

    Under the best-class rule there is none where the background wins every RoI.
    """
    open_door = replay.thresholds.replace(box_score=0.0)
    with torch.no_grad():
        ledger = filter_detections(replay.class_boxes, replay.class_scores, open_door, replay.trace.rules)
    return int(ledger.kept[0]) if len(ledger.kept) else None


def lowered_until_found(replayer: Replayer, replay: Replay, step: float = 0.005) -> Thresholds | None:
    """Thresholds under which at least one detection comes out, or None where no score threshold brings one.

    First the RPN's score is lowered where it left no proposal, then the box score where no slot passes; each to
    the highest multiple of `step` that lets the strongest candidate through. A replay under the result has been
    run: it does show a detection.

    Args:
        replayer: of the same trace.
        replay: without detections.
        step: of the sliders.
    """
    wanted = replay.thresholds
    try:
        if len(replay.proposals.kept) == 0:
            ledger = replayer.proposals(wanted.replace(rpn_score=0.0))
            if len(ledger.kept) == 0:
                return None
            best = float(ledger.scores[ledger.kept[0]])
            wanted = wanted.replace(rpn_score=_multiple(best, step, below=False))
            replay = replayer.replay(wanted)
        if len(replay.labels) == 0:
            slot = strongest_slot(replay)
            if slot is None:
                return None
            best = float(replay.detections.scores[slot])
            wanted = wanted.replace(box_score=_multiple(best, step, below=True))
        return wanted if len(replayer.replay(wanted).labels) else None
    except ValueError:
        return None  # RoIs that the capture did not see, and no detector to look at them


def _multiple(score: float, step: float, *, below: bool) -> float:
    """The highest multiple of `step`, from 0, that is at most `score`, or less than it."""
    place = math.floor(score / step)
    value = round(place * step, 6)
    if value > score or (below and value >= score):
        value = round((place - 1) * step, 6)
    return max(value, 0.0)
