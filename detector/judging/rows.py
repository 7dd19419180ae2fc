"""What is kept of one image: a row for each object and each false positive, and its detections.

A report is one line of JSON, so that a run that is killed loses one image at most. Boxes are xyxy in the image
frame; labels are the detector's.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detector.explaining.evidence import ClassEvidence, FitEvidence, FloorEvidence, SuppressionEvidence

if TYPE_CHECKING:
    from detector.explaining.evidence import Evidence
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.matching import Matches
    from detector.explaining.remedies import Remedy
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replay

SMALL, MEDIUM = 32.0**2, 96.0**2
"""COCO's bounds between small, medium and large objects, in square pixels of the image frame."""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object that is not a crowd region; see the columns of `objects.parquet` in `tables`."""

    object: int
    annotation_id: int
    category: str
    x1: float
    y1: float
    x2: float
    y2: float
    area: float
    size: str
    rung: str
    mechanism: str
    cause: str
    best_iou: float | None
    best_score: float | None
    reason: str
    detection_score: float | None
    remedy_field: str = ""
    remedy_before: float | None = None
    remedy_after: float | None = None


@dataclass(frozen=True, slots=True)
class FalsePositiveRow:
    """One detection that matches nothing; see the columns of `false_positives.parquet` in `tables`."""

    detection: int
    category: str
    score: float
    x1: float
    y1: float
    x2: float
    y2: float
    cause: str
    tide: str
    object: int
    iou: float
    anchor: int
    level: int
    reason: str


@dataclass(frozen=True, slots=True)
class Truth:
    """One object or crowd region as COCO's evaluation needs it."""

    box: tuple[float, float, float, float]
    label: int
    crowd: bool
    area: float


@dataclass(frozen=True, slots=True)
class Found:
    """One kept detection; `object` is the index of what it matches at the diagnosis' IoU, or -1.

    Raises:
        ValueError: a box or a score that is not finite; pycocotools would take it for a hit.
    """

    box: tuple[float, float, float, float]
    label: int
    score: float
    object: int

    def __post_init__(self) -> None:
        if not math.isfinite(sum(self.box) + self.score):
            raise ValueError(
                f"a detection has the box {self.box} and the score {self.score}; expected finite numbers"
            )


@dataclass(frozen=True, slots=True)
class ImageReport:
    """All that is kept of one image.

    Args:
        index: in the data set.
        image: its name.
        size: (H, W) in pixels.
        network_scale: (vertical, horizontal) factor from the image frame to the network frame.
        objects, false_positives: the rows.
        truth: all objects and crowd regions, in the order of the annotations.
        detections: in the model's order.
        seconds: that the image took.
        problem: why the image could not be used, in one sentence; then all the rest is empty.
        faithful: whether the replay gave the model's own output under the model's own thresholds.
    """

    index: int
    image: str
    size: tuple[int, int] = (0, 0)
    network_scale: tuple[float, float] = (1.0, 1.0)
    objects: tuple[ObjectRow, ...] = ()
    false_positives: tuple[FalsePositiveRow, ...] = ()
    truth: tuple[Truth, ...] = ()
    detections: tuple[Found, ...] = ()
    seconds: float = 0.0
    problem: str = ""
    faithful: bool = True

    def to_line(self) -> str:
        """One line of JSON without its end."""
        # Not `asdict`, which copies each number on its way.
        return json.dumps(_content(self), default=_content, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> ImageReport:
        """From the parsed line."""
        return cls(
            **{
                **content,
                "size": tuple(content["size"]),
                "network_scale": tuple(content["network_scale"]),
                "objects": tuple(ObjectRow(**row) for row in content["objects"]),
                "false_positives": tuple(FalsePositiveRow(**row) for row in content["false_positives"]),
                "truth": tuple(Truth(**{**one, "box": tuple(one["box"])}) for one in content["truth"]),
                "detections": tuple(
                    Found(**{**one, "box": tuple(one["box"])}) for one in content["detections"]
                ),
            }
        )


def _content(row: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the records above
    return {name: getattr(row, name) for name in row.__slots__}


def size_of(area: float) -> str:
    """COCO's small, medium or large."""
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"


def truths_of(diagnosis: Diagnosis, areas: list[float] | None = None) -> tuple[Truth, ...]:
    """All objects and crowd regions of an image.

    Args:
        diagnosis: of the image.
        areas: square pixels of each, where the annotations say it (COCO: of the mask); of the box otherwise.
    """
    truth = diagnosis.truth
    boxes = [(box[0], box[1], box[2], box[3]) for box in truth.boxes.tolist()]
    own = areas or [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes]
    rows = zip(boxes, truth.labels.tolist(), truth.crowd.tolist(), own, strict=True)
    return tuple(Truth(*row) for row in rows)


def detections_of(diagnosis: Diagnosis) -> tuple[Found, ...]:
    """All kept detections with what they match."""
    return found_of(diagnosis.replay, diagnosis.matches)


def found_of(replay: Replay, matches: Matches) -> tuple[Found, ...]:
    """As `detections_of`, of a replay that was matched and not diagnosed."""
    columns = replay.boxes, replay.labels, replay.scores, matches.object_of
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(Found((b[0], b[1], b[2], b[3]), label, score, index) for b, label, score, index in rows)


def object_row(diagnosis: Diagnosis, verdict: Verdict, truth: Truth, remedy: Remedy | None) -> ObjectRow:
    """The row of one object; the remedy only where it brings the object back."""
    detection, mechanism = verdict.detection, verdict.mechanism
    score = None if detection is None else float(diagnosis.replay.scores[detection])
    change: tuple[str, float | None, float | None] = ("", None, None)
    if remedy is not None and remedy.brings_back:
        change = remedy.field, float(remedy.before), float(remedy.after)
    return ObjectRow(
        verdict.object,
        int(diagnosis.truth.ids[verdict.object]),
        diagnosis.replay.trace.categories[truth.label],
        *truth.box,
        truth.area,
        size_of(truth.area),
        verdict.rung.name,
        "" if mechanism is None else mechanism.value,
        "" if verdict.evidence is None else cause_of(verdict.evidence),
        _finite(verdict.best_iou),
        best_score(verdict),
        verdict.reason,
        score,
        *change,
    )


def best_score(verdict: Verdict) -> float | None:
    """The highest score of the candidates that got deepest: objectness, or the right class's probability."""
    told = [step.best_score for step in verdict.steps if step.survivors and step.best_score is not None]
    return _finite(told[-1]) if told else None


def _finite(value: float) -> float | None:
    """None for what JSON cannot say: a broken model's scores may be NaN."""
    return float(value) if math.isfinite(value) else None


def cause_of(evidence: Evidence) -> str:
    """The sub-cause in a word or two; empty for rungs that have but one."""
    if isinstance(evidence, ClassEvidence | FloorEvidence):
        return evidence.cause
    if isinstance(evidence, FitEvidence):
        return evidence.misfit
    return evidence.culprit if isinstance(evidence, SuppressionEvidence) else ""


def false_positive_row(diagnosis: Diagnosis, false: FalsePositive) -> FalsePositiveRow:
    """The row of one false positive."""
    replay, place = diagnosis.replay, false.detection
    anchor = int(replay.head.anchor[replay.rois[place]])
    x1, y1, x2, y2 = replay.boxes[place].tolist()
    return FalsePositiveRow(
        place,
        replay.trace.categories[int(replay.labels[place])],
        false.score,
        x1,
        y1,
        x2,
        y2,
        false.cause.value,
        false.tide.value,
        -1 if false.object is None else false.object,
        false.iou,
        anchor,
        int(replay.head.level[replay.rois[place]]),
        false.reason,
    )
