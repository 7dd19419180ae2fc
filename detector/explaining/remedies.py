"""The smallest change of one threshold that brings a lost object back, or that removes a false positive.

*Smallest* is exact among the values of the one threshold that guards the rung where the object was lost, the
others staying as they are: no value nearer to the present one gives a detection that COCO's matching gives to the
object. Every remedy is verified by a replay. So that a search ends soon it leaves out: of the proposals that the
capture did not see all but the `most_rois` nearest to the object (the others' refined boxes would have to come a
long way), values after 100 replays, and NMS among more than 3,000 candidates of one label. Beyond these bounds a
nearer value may exist, or one where none was found; a remedy is never wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.explaining import box_search, rpn_search
from detector.explaining.advice import advice_for as advice_for
from detector.explaining.ladder import diagnose
from detector.explaining.price import Price, identities_of, price_between
from detector.explaining.rungs import Rung
from detector.explaining.trial import MOST_ROIS, Search, Trial
from detector.tracing.thresholds import Thresholds

if TYPE_CHECKING:
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replayer

_SEARCHES: dict[Rung, Callable[[Trial], Search]] = {
    Rung.RPN_RANK: rpn_search.search_rank,
    Rung.RPN_SCORE: rpn_search.search_score,
    Rung.RPN_NMS: rpn_search.search_overlap,
    Rung.RPN_LIMIT: rpn_search.search_limit,
    Rung.ROI_CLASS: box_search.search_score,
    Rung.BOX_NMS: box_search.search_overlap,
    Rung.BOX_LIMIT: box_search.search_limit,
    Rung.MATCHED_ELSEWHERE: box_search.search_overlap,
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of one threshold, verified by a replay, and its price.

    Args:
        object: the lost object that it is for; None for a remedy against a false positive.
        field: of `Thresholds`.
        before, after: the value that was applied, and the nearest one that helps.
        rung: verdict of the object after the change: FOUND, or, where no value of this field brings the object
            back, the later rung that it reaches; None for a remedy against a false positive.
        price: what else changes on this image.
        thresholds: all thresholds after the change.
        detection: the false positive that it removes, place among the kept ones before the change.
    """

    object: int | None
    field: str
    before: float
    after: float
    rung: Rung | None
    price: Price
    thresholds: Thresholds
    detection: int | None = None

    @property
    def brings_back(self) -> bool:
        """Whether the object is found after the change: ask this before you call it a remedy."""
        return self.rung is Rung.FOUND

    @property
    def removes(self) -> bool:
        """Whether this is against a false positive."""
        return self.detection is not None

    @property
    def change(self) -> dict[str, float]:
        """For `Thresholds.replace`."""
        return {self.field: self.after}


def remedy_for(
    replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict, *, most_rois: int = MOST_ROIS
) -> Remedy | None:
    """The smallest change of the threshold that lost an object, and what the object then reaches.

    Where a value of this threshold brings the object back, the nearest one, with `brings_back`. Where none does,
    but one gets it past its rung, that one, and `rung` says where it is lost then: the nearest value that lets a
    box pass that fits. (A proposal that fits only after its refinement may pass earlier, too weak to be found.)
    None where no threshold lost the object (ANCHOR_FIT, RPN_BOX, ROI_BOX, a box too small, the best-class rule),
    where it is found, or where no value helps.

    Args:
        replayer: of the trace that was diagnosed; with a detector, or RPN thresholds can be judged only as far
            as the capture saw their proposals.
        diagnosis: under the present thresholds.
        verdict: one of it.
        most_rois: how many unseen proposals the second stage may be asked about.

    Raises:
        ValueError: a replayer of another trace.
    """
    _check(replayer, diagnosis)
    if verdict.rung not in _SEARCHES:
        return None
    trial = Trial(replayer, diagnosis, verdict.object, most_rois)
    search = _SEARCHES[verdict.rung](trial)
    first: float | None = None
    for value in search.values:
        if trial.finds(**{search.field: value}):
            return _remedy(replayer, diagnosis, search.field, value, verdict.object)
        first = value if first is None else first
        if trial.spent:
            break
    return _further(replayer, diagnosis, verdict, search, first)


def _further(
    replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict, search: Search, first: float | None
) -> Remedy | None:
    """The nearest value that gets an object past its rung: the first one tried, or that of a box that fits."""
    present = getattr(diagnosis.replay.thresholds, search.field)
    values = {value for value in (first, search.passing()) if value is not None}
    for value in sorted(values, key=lambda value: abs(value - present)):
        remedy = _remedy(replayer, diagnosis, search.field, value, verdict.object)
        if remedy is not None and remedy.rung is not None and remedy.rung > verdict.rung:
            return remedy
    return None


def remedy_against(replayer: Replayer, diagnosis: Diagnosis, false_positive: FalsePositive) -> Remedy | None:
    """The smallest change of one threshold that removes a false positive.

    Either `box_score` rises to exactly its score (a detection must exceed it), or `box_nms` falls until another
    detection suppresses it. The one at which fewer objects are lost is taken; among equals the one that changes
    fewer detections.

    Args:
        replayer: of the trace that was diagnosed.
        diagnosis: under the present thresholds.
        false_positive: one of it.

    Raises:
        ValueError: a replayer of another trace.
    """
    _check(replayer, diagnosis)
    replay, detection = diagnosis.replay, false_positive.detection
    slot = int(replay.detections.kept[detection])
    values = [("box_score", float(replay.scores[detection]))]
    overlap = next(box_search.overlaps_without(replay, slot), None)
    if overlap is not None:
        values.append(("box_nms", overlap))
    gone = identities_of(replay)[detection]
    remedies = []
    for field, value in values:
        after = diagnosed(replayer, diagnosis, replay.thresholds.replace(**{field: value}))
        if after is not None and gone not in identities_of(after.replay):
            remedies.append(_priced(diagnosis, after, field, detection=detection))
    return min(remedies, key=_harm, default=None)


def diagnosed(replayer: Replayer, diagnosis: Diagnosis, thresholds: Thresholds) -> Diagnosis | None:
    """The same objects under other thresholds; None where unseen RoIs would need a detector that is not there."""
    try:
        replay = replayer.replay(thresholds)
    except ValueError:
        return None
    return diagnose(replay, diagnosis.truth, diagnosis.iou)


def _check(replayer: Replayer, diagnosis: Diagnosis) -> None:
    if replayer.trace is not diagnosis.replay.trace:
        raise ValueError(
            f"the replayer is of {replayer.trace.input.name}, the diagnosis of another trace; give both of one"
        )


def _remedy(replayer: Replayer, diagnosis: Diagnosis, field: str, value: float, index: int) -> Remedy | None:
    after = diagnosed(replayer, diagnosis, diagnosis.replay.thresholds.replace(**{field: value}))
    return None if after is None else _priced(diagnosis, after, field, index=index)


def _priced(
    before: Diagnosis,
    after: Diagnosis,
    field: str,
    *,
    index: int | None = None,
    detection: int | None = None,
) -> Remedy:
    thresholds = after.replay.thresholds
    verdict = None if index is None else after.verdict_of(index)
    return Remedy(
        index, field, getattr(before.replay.thresholds, field), getattr(thresholds, field),
        None if verdict is None else verdict.rung, price_between(before, after), thresholds, detection,
    )  # fmt: skip


def _harm(remedy: Remedy) -> tuple[int, int]:
    """What a remedy does beyond its aim, the worse the higher."""
    return len(remedy.price.lost), remedy.price.came + remedy.price.went
