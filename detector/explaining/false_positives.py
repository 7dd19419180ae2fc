"""False positives: why a detection matches no object, one cause for each.

Causes are exclusive and total, and the nearest explanation comes first: an object of the same category that a
better detection took, an object of another category under the box, an object of the same category that the box
only touches, an object of another category that it only touches, and else nothing. `tide` is the type that
Bolya et al. 2020 ("TIDE: A General Toolbox for Identifying Object Detection Errors") give the same detection,
by their tests in their order (Loc, Cls, Dupe, Bkg, else Both), with t_f the IoU of the diagnosis and t_b 0.1.
Where the two differ:

- A box that covers an object of another category and touches one of its own is Loc to TIDE, because that test
  comes first; here the object under the box explains it (`OTHER_CLASS`).
- A box that covers an object of its own category, taken already, and one of another is Cls to TIDE and a
  `DUPLICATE` here: the category is right.
- TIDE's Both has no cause of its own; it is `OTHER_CLASS` with an IoU under the bound.
- TIDE knows no missing labels: a `MISSING_LABEL` is Bkg to it, or Both where it touches an object of another
  category (an unlabelled thing in front of a labelled one). Which boxes are one, see `agreement`.

The matching is COCO's at one IoU, as in the verdicts, so a detection in a crowd region of its category is no
false positive; TIDE asks there for an IoU above t_f, COCO for one of at least t_f. TIDE's Miss is about objects,
see `missed_objects`.

Shapes: `M` detections, `F` false ones, `G` objects, `R` RoIs. Overlaps are taken in the image frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.explaining.agreement import Agreement, agreements, is_missing_label
from detector.explaining.evidence import BACKGROUND_IOU
from detector.explaining.matching import overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.ground_truth import GroundTruth
    from detector.explaining.matching import Matches
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay


class Cause(StrEnum):
    """Why a detection is false."""

    DUPLICATE = "duplicate"
    POOR_BOX = "poor box"
    OTHER_CLASS = "other class"
    BACKGROUND = "background"
    MISSING_LABEL = "likely missing label"


class TideType(StrEnum):
    """The six types of TIDE; MISS is about objects, the others about detections."""

    CLS = "Cls"
    LOC = "Loc"
    BOTH = "Both"
    DUPE = "Dupe"
    BKG = "Bkg"
    MISS = "Miss"


@dataclass(frozen=True, slots=True)
class FalsePositive:
    """A detection that matches no object.

    Args:
        detection: its place among the kept ones.
        cause: why.
        tide: its type by TIDE's own tests.
        object: the object that explains it; None for background and for a likely missing label.
        iou: with that object; with the nearest object of any category where there is none.
        score: of the detection.
        reason: one phrase with this image's own numbers.
        agreement: what speaks for an object that nobody annotated; None where the box covers an object, touches
            one of its category, or lies in a crowd region.
    """

    detection: int
    cause: Cause
    tide: TideType
    object: int | None
    iou: float
    score: float
    reason: str
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The objects that F false detections overlap most, each int64 [F] with its IoU float64 [F].

    Args:
        own, own_iou: of the same category.
        other, other_iou: of another category.
        used, used_iou: of the same category, taken by a detection.
        crowd_iou: share inside the crowd region that holds most of it.
    """

    own: Tensor
    own_iou: Tensor
    other: Tensor
    other_iou: Tensor
    used: Tensor
    used_iou: Tensor
    crowd_iou: Tensor


def false_positives_of(
    replay: Replay, truth: GroundTruth, matches: Matches, iou: float = 0.5
) -> tuple[FalsePositive, ...]:
    """One cause for each detection that matches neither an object nor a crowd region, best score first.

    Args:
        replay: the detections, and the RoIs beside them.
        truth: the objects.
        matches: of these detections with these objects, at `iou`.
        iou: the overlap that counts.
    """
    false = (matches.object_of < 0).nonzero().flatten()
    if len(false) == 0:
        return ()
    near = _nearest(replay, truth, matches, false)
    scores = replay.scores.tolist()
    drafts = [
        FalsePositive(index, cause, tide, thing, overlap, scores[index], "")
        for index, tide, (cause, thing, overlap) in zip(
            false.tolist(),
            _tide_types(near, iou),
            (_cause(near, row, iou) for row in range(len(false))),
            strict=True,
        )
    ]
    doubted = _doubt_labels(replay, drafts, near.crowd_iou.tolist(), iou)
    return tuple(_with_reason(replay, truth, one, iou) for one in doubted)


def missed_objects(diagnosis: Diagnosis) -> tuple[int, ...]:
    """TIDE's Miss: lost objects that no box of type Loc or Cls stands for, rising.

    An object that such a box stands for would be found if that box, or its category, were right.
    """
    matches = diagnosis.matches
    false = (matches.object_of < 0).nonzero().flatten()
    lost = {verdict.object for verdict in diagnosis.verdicts if verdict.detection is None}
    if len(false) and lost:
        near = _nearest(diagnosis.replay, diagnosis.truth, matches, false)
        meant = {TideType.LOC: near.own.tolist(), TideType.CLS: near.other.tolist()}
        for row, tide in enumerate(_tide_types(near, diagnosis.iou)):
            if tide in meant:
                lost.discard(meant[tide][row])
    return tuple(sorted(lost))


def _nearest(replay: Replay, truth: GroundTruth, matches: Matches, false: Tensor) -> _Nearest:
    quality = overlaps(replay.boxes[false.to(replay.boxes.device)], truth).cpu()
    real = ~truth.crowd
    same = replay.labels.cpu()[false][:, None] == truth.labels
    kinds = (same & real, ~same & real, same & real & (matches.detection_of >= 0))
    own, other, used = (_best(quality, kind) for kind in kinds)
    return _Nearest(*own, *other, *used, _best(quality, truth.crowd.expand_as(quality))[1])


def _best(quality: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Column and value of the highest overlap in each row among those allowed; 0 and 0.0 where none is."""
    if quality.shape[1] == 0:
        return torch.zeros(len(quality), dtype=torch.int64), quality.new_zeros(len(quality))
    found = (quality * allowed).max(dim=1)
    return found.indices, found.values


def _tide_types(near: _Nearest, iou: float) -> list[TideType]:
    """TIDE's tests in TIDE's order."""
    types = []
    rows = zip(near.own_iou.tolist(), near.other_iou.tolist(), near.used_iou.tolist(), strict=True)
    for own, other, used in rows:
        if BACKGROUND_IOU <= own <= iou:
            types.append(TideType.LOC)
        elif other >= iou:
            types.append(TideType.CLS)
        elif used >= iou:
            types.append(TideType.DUPE)
        else:
            types.append(TideType.BKG if max(own, other) <= BACKGROUND_IOU else TideType.BOTH)
    return types


def _cause(near: _Nearest, row: int, iou: float) -> tuple[Cause, int | None, float]:
    """The cause of one false detection, before labels are doubted; the object and the IoU that show it."""
    own, other = (
        (int(near.own[row]), float(near.own_iou[row])),
        (int(near.other[row]), float(near.other_iou[row])),
    )
    # Whatever covers an object of its category and matches nothing came too late for it.
    if own[1] >= iou:
        return Cause.DUPLICATE, int(near.used[row]), float(near.used_iou[row])
    if other[1] >= iou:
        return Cause.OTHER_CLASS, *other
    floor = min(BACKGROUND_IOU, iou)
    if own[1] >= floor:
        return Cause.POOR_BOX, *own
    if other[1] >= floor:
        return Cause.OTHER_CLASS, *other
    return Cause.BACKGROUND, None, max(own[1], other[1])


def _doubt_labels(
    replay: Replay, found: Sequence[FalsePositive], crowd_ious: Sequence[float], bound: float
) -> list[FalsePositive]:
    """Turn what covers nothing into a likely missing label where all stages agree and no crowd region is near."""
    unsure = [
        one.cause in (Cause.BACKGROUND, Cause.OTHER_CLASS) and one.iou < bound and crowd < BACKGROUND_IOU
        for one, crowd in zip(found, crowd_ious, strict=True)
    ]
    looked = iter(agreements(replay, [one.detection for one, ask in zip(found, unsure, strict=True) if ask]))
    result = []
    for one, ask in zip(found, unsure, strict=True):
        agreement = next(looked) if ask else None
        missing = agreement is not None and is_missing_label(agreement)
        if missing:
            one = replace(one, cause=Cause.MISSING_LABEL, object=None)
        result.append(replace(one, agreement=agreement))
    return result


def _with_reason(replay: Replay, truth: GroundTruth, one: FalsePositive, bound: float) -> FalsePositive:
    names = replay.trace.categories
    own = names[int(replay.labels[one.detection])]
    thing = "" if one.object is None else f"{names[int(truth.labels[one.object])]} #{one.object}"
    return replace(one, reason=_reason(one, own, thing, bound))


def _reason(one: FalsePositive, own: str, thing: str, bound: float) -> str:
    if one.cause is Cause.DUPLICATE:
        return f"{thing} (IoU {one.iou:.2f}) has a better detection"
    if one.cause is Cause.POOR_BOX:
        return f"overlaps {thing} by {one.iou:.2f} only, and {bound:.2f} counts"
    if one.cause is Cause.OTHER_CLASS:
        verb = "lies on" if one.iou >= bound else "touches"
        return f"{verb} {thing} (IoU {one.iou:.2f}), but says {own}"
    if one.cause is Cause.MISSING_LABEL and one.agreement is not None:
        return f"no object is annotated here, but {one.agreement.rois} RoIs agree on {own} ({one.score:.2f})"
    return f"overlaps no object (best IoU {one.iou:.2f})"
