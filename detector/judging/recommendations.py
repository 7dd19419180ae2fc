"""Changes of one threshold for a whole data set: picked from the lost objects' remedies, then tried on every image.

What brings one object back says little of what the data set gains: only changes that were tried on all of it are
recommended, with the detections that come and go and the AP before and after.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from detector.explaining.matching import match_detections
from detector.explaining.price import Identity, identities_of
from detector.judging.coco_metrics import ImageBoxes
from detector.judging.rows import Found, found_of
from detector.judging.summary import Recommendation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.data.ground_truth import GroundTruth
    from detector.judging.coco_metrics import CocoJudge
    from detector.judging.image_work import ImageWork
    from detector.judging.rows import ImageReport
    from detector.tracing.replay import Replay
    from detector.tracing.thresholds import Thresholds

_COUNTS = ("rpn_pre_nms_top_n", "rpn_post_nms_top_n", "box_limit")
_SHARES = (0.25, 0.5, 0.75, 1.0)
_MOST = 12
_COUNTED = ("came_true", "came_false", "went_true", "went_false")


@dataclass(frozen=True, slots=True)
class Change:
    """One threshold and the value to try; `objects` is how many lost ones ask for this much or less."""

    field: str
    after: float
    objects: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What one change does to one image.

    Args:
        came_true, came_false, went_true, went_false: how many detections; one that stays and is right now
            instead of wrong counts as a wrong one that goes and a right one that comes.
        detections: after the change; None where they are the same as before.
    """

    came_true: int
    came_false: int
    went_true: int
    went_false: int
    detections: tuple[Found, ...] | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What each change does to one image, in the changes' order."""

    index: int
    tried: tuple[Tried, ...]

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> Trial:
        """From the parsed line."""
        return cls(content["index"], tuple(_tried(one) for one in content["tried"]))


@dataclass(frozen=True, slots=True, eq=False)
class TrialWork:
    """Tries changes on one image.

    Args:
        work: how images are looked at.
        changes: what is tried.
    """

    work: ImageWork
    changes: tuple[Change, ...]

    def line(self, index: int) -> str:
        """What the changes do to one image as a line of JSON; nothing where the image cannot be used."""
        try:
            replayer, truth, _ = self.work.look(index)
        except (ValueError, OSError):
            return json.dumps({"index": index, "tried": []})
        before = _Judged(replayer.replay(self.work.thresholds), truth, self.work.iou)
        tried = []
        for change in self.changes:
            thresholds = self.work.thresholds.replace(**{change.field: change.after})
            tried.append(_compare(before, _Judged(replayer.replay(thresholds), truth, self.work.iou)))
        return json.dumps(asdict(Trial(index, tuple(tried))), separators=(",", ":"))


def choose_changes(reports: Iterable[ImageReport], thresholds: Thresholds) -> tuple[Change, ...]:
    """For each threshold the values that bring back a quarter, half, three quarters and all of the lost objects
    that it lost; the ones that most objects ask for, when there are many.

    Args:
        reports: of all images, with remedies.
        thresholds: as they are.
    """
    wanted: dict[str, list[float]] = defaultdict(list)
    for report in reports:
        for row in report.objects:
            if row.remedy_field and row.remedy_after is not None:
                wanted[row.remedy_field].append(row.remedy_after)
    changes: dict[tuple[str, float], Change] = {}
    for field, values in sorted(wanted.items()):
        before = getattr(thresholds, field)
        # Largest steps last: a value serves every object that asks for less of a change.
        ordered = sorted(values, key=lambda value: abs(value - before))
        for share in _SHARES:
            place = math.ceil(share * len(ordered)) - 1
            after = rounded(field, before, ordered[place])
            changes[field, after] = Change(field, after, place + 1)
    ranked = sorted(changes.values(), key=lambda change: (-change.objects, change.field, change.after))
    return tuple(sorted(ranked[:_MOST], key=lambda change: (change.field, change.after)))


def rounded(field: str, before: float, after: float) -> float:
    """A value that people would type, at least as far from `before` as `after` is: two telling digits."""
    if field in _COUNTS:
        return int(after)
    digits = 2 if after >= 0.1 else 1 - math.floor(math.log10(after)) if after > 0 else 2
    unit = 10.0**digits
    toward = math.floor if after < before else math.ceil
    return round(min(max(toward(round(after * unit, 6)) / unit, 0.0), 1.0), digits)


def recommend(
    changes: Sequence[Change],
    trials: Iterable[Trial],
    reports: Sequence[ImageReport],
    thresholds: Thresholds,
    judge: CocoJudge,
) -> tuple[Recommendation, ...]:
    """What the changes do to the whole data set, the largest gain of AP first.

    Args:
        changes: that were tried.
        trials: of all images.
        reports: of the same images.
        thresholds: as they are.
        judge: of the images as they are.
    """
    known = {report.index: report for report in reports if not report.problem}
    usable = sorted((t for t in trials if t.index in known and t.tried), key=lambda trial: trial.index)
    now = judge.averages().AP
    found = []
    for place, change in enumerate(changes):
        each = [trial.tried[place] for trial in usable]
        changed = [
            ImageBoxes(trial.index, known[trial.index].truth, one.detections)
            for trial, one in zip(usable, each, strict=True)
            if one.detections is not None
        ]
        counts = {name: sum(getattr(one, name) for one in each) for name in _COUNTED}
        before = getattr(thresholds, change.field)
        then = judge.averages(changed).AP
        found.append(
            Recommendation(change.field, before, change.after, **counts, AP_before=now, AP_after=then)
        )
    return tuple(sorted(found, key=lambda one: (-one.gain, one.field, one.after)))


class _Judged:
    """The detections of one replay, each with who it is and whether it is right."""

    def __init__(self, replay: Replay, truth: GroundTruth, iou: float) -> None:
        matches = match_detections(replay.boxes, replay.labels, replay.scores, truth, iou)
        objects = matches.object_of.tolist()
        crowd = truth.crowd.tolist()
        self.kinds: set[tuple[Identity, bool]] = {
            (identity, index >= 0)
            for identity, index in zip(identities_of(replay), objects, strict=True)
            if index < 0 or not crowd[index]
        }
        self.found = found_of(replay, matches)


def _compare(before: _Judged, after: _Judged) -> Tried:
    came, went = after.kinds - before.kinds, before.kinds - after.kinds
    right, gone_right = sum(is_true for _, is_true in came), sum(is_true for _, is_true in went)
    same = after.found == before.found
    return Tried(right, len(came) - right, gone_right, len(went) - gone_right, None if same else after.found)


def _tried(content: dict[str, Any]) -> Tried:
    found = content["detections"]
    boxes = None if found is None else tuple(Found(**{**one, "box": tuple(one["box"])}) for one in found)
    return replace(Tried(**{**content, "detections": None}), detections=boxes)
