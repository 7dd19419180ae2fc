"""What a change of thresholds costs: detections that come and go, objects that are found and lost.

Shapes: `M` kept detections of one replay. A detection is named by its place among the kept ones of the replay it
belongs to: of the later one for those that come, of the earlier one for those that go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from detector.explaining.rungs import Rung

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis
    from detector.tracing.replay import Replay


class Identity(NamedTuple):
    """What makes a detection the same under other thresholds: where its RoI came from, and its category.

    Args:
        anchor: of its RoI; -1 where that is not known (a RoI that a training step added).
        roi: index of such a RoI, which no threshold changes; -1 where the anchor is known.
        label: category index.
    """

    anchor: int
    roi: int
    label: int


@dataclass(frozen=True, slots=True)
class Price:
    """The difference between two diagnoses of one image with the same objects.

    True means matched to an object, false means matched to nothing (with the matching and the IoU of the
    diagnoses). A match with a crowd region is neither, and not counted. Where only some objects of an image are
    known, `true` and `false` are as good as that knowledge: then use `came` and `went`.

    Args:
        came_true, came_false: new detections, places in the later replay.
        went_true, went_false: detections that are gone, places in the earlier replay.
        turned_true, turned_false: detections that stay, but match now what they did not match before (or no
            more), because a better one went or came; places in the later replay.
        found: objects that are found now and were not.
        lost: objects that were found and are not any more.
        came_other, went_other: how many came and went that match a crowd region.
        more_true, more_false: by how much the numbers of true and of false detections rise, all in all;
            negative where they fall.
    """

    came_true: tuple[int, ...] = ()
    came_false: tuple[int, ...] = ()
    went_true: tuple[int, ...] = ()
    went_false: tuple[int, ...] = ()
    turned_true: tuple[int, ...] = ()
    turned_false: tuple[int, ...] = ()
    found: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    came_other: int = 0
    went_other: int = 0
    more_true: int = 0
    more_false: int = 0

    @property
    def came(self) -> int:
        """How many detections are new."""
        return len(self.came_true) + len(self.came_false) + self.came_other

    @property
    def went(self) -> int:
        """How many detections are gone."""
        return len(self.went_true) + len(self.went_false) + self.went_other

    @property
    def is_free(self) -> bool:
        """No object lost, and no more false detections than before."""
        return not self.lost and self.more_false <= 0


class _Kind(Enum):
    TRUE = "true"
    FALSE = "false"
    OTHER = "other"


def identities_of(replay: Replay) -> tuple[Identity, ...]:
    """What identifies each of the M kept detections, in their order; no two are equal."""
    rois = replay.rois.tolist()
    anchors = replay.head.anchor[replay.rois].tolist()
    return tuple(
        Identity(anchor, -1 if anchor >= 0 else roi, label)
        for anchor, roi, label in zip(anchors, rois, replay.labels.tolist(), strict=True)
    )


def price_between(before: Diagnosis, after: Diagnosis) -> Price:
    """What changed from one diagnosis to another one.

    Args:
        before, after: of the same trace, with the same objects and the same IoU, under different thresholds.

    Raises:
        ValueError: diagnoses of different images, objects or IoUs.
    """
    if before.replay.trace is not after.replay.trace:
        raise ValueError("the two diagnoses belong to different traces; expected one trace, replayed twice")
    if before.truth is not after.truth or before.iou != after.iou:
        raise ValueError("the two diagnoses have different objects or IoUs; expected the same for both")
    old, new = _kinds(before), _kinds(after)
    came = {identity: placed for identity, placed in new.items() if identity not in old}
    went = {identity: placed for identity, placed in old.items() if identity not in new}
    turned = {identity: new[identity] for identity in new if identity in old and _turns(old, new, identity)}
    found, had = _found(after), _found(before)
    return Price(
        _places(came, _Kind.TRUE), _places(came, _Kind.FALSE), _places(went, _Kind.TRUE),
        _places(went, _Kind.FALSE), _places(turned, _Kind.TRUE), _places(turned, _Kind.FALSE),
        tuple(sorted(found - had)), tuple(sorted(had - found)),
        len(_places(came, _Kind.OTHER)), len(_places(went, _Kind.OTHER)),
        _rise(old, new, _Kind.TRUE), _rise(old, new, _Kind.FALSE),
    )  # fmt: skip


_Placed = dict[Identity, tuple[int, _Kind]]


def _kinds(diagnosis: Diagnosis) -> _Placed:
    """Place and kind of every kept detection."""
    objects = diagnosis.matches.object_of.tolist()
    crowd = diagnosis.truth.crowd.tolist()
    kinds = [_Kind.FALSE if index < 0 else _Kind.OTHER if crowd[index] else _Kind.TRUE for index in objects]
    identities = identities_of(diagnosis.replay)
    return {identity: (place, kinds[place]) for place, identity in enumerate(identities)}


def _turns(old: _Placed, new: _Placed, identity: Identity) -> bool:
    return old[identity][1] is not new[identity][1]


def _places(placed: _Placed, kind: _Kind) -> tuple[int, ...]:
    return tuple(sorted(place for place, its_kind in placed.values() if its_kind is kind))


def _rise(old: _Placed, new: _Placed, kind: _Kind) -> int:
    return len(_places(new, kind)) - len(_places(old, kind))


def _found(diagnosis: Diagnosis) -> set[int]:
    return {verdict.object for verdict in diagnosis.verdicts if verdict.rung is Rung.FOUND}
