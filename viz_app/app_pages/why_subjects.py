"""What the Why? page can be asked about: an object, a false positive, or a box that was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.explaining.evidence import (
    DecodedEvidence,
    FitEvidence,
    FloorEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.ladder import diagnose
from detector.explaining.rungs import Rung
from detector.explaining.survival import one_object
from viz_app.figures.concerned import refined_slot
from viz_app.figures.full_network import detection_items
from viz_app.links import Asked, Selected

if TYPE_CHECKING:
    from torch import Tensor

    from detector.explaining.evidence import Evidence
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Diagnosis, Verdict
    from viz_app.scene import Scene

Question = Selected | Asked


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One question with what answers it; either a verdict or a false positive.

    Args:
        diagnosis: that holds the answer; of a drawn box, a diagnosis of this one object.
        name: for people, such as `#0 triangle`.
        selected: what a link calls it; None for a drawn box.
        verdict: about an object.
        false_positive: about a detection.
    """

    diagnosis: Diagnosis
    name: str
    selected: Selected | None = None
    verdict: Verdict | None = None
    false_positive: FalsePositive | None = None

    @property
    def found(self) -> bool:
        """Whether it is an object that was found."""
        return self.verdict is not None and self.verdict.rung is Rung.FOUND

    @property
    def object_found(self) -> bool:
        """Whether the object that it is about, or that explains a false positive, was found."""
        one = self.false_positive
        verdict = self.verdict if one is None or one.object is None else self.diagnosis.verdict_of(one.object)
        return verdict is not None and verdict.rung is Rung.FOUND

    @property
    def headline(self) -> str:
        """The question in words."""
        if self.false_positive is not None:
            return f"Why was {self.name} detected?"
        if self.selected is None:
            return f"Why is {self.name} {'found' if self.found else 'not found'} here?"
        return f"Why was {self.name} {'found' if self.found else 'lost'}?"

    @property
    def slot(self) -> int | None:
        """The class slot to follow back: of the detection, or the one that came nearest to finding the object."""
        kept = self.diagnosis.replay.detections.kept
        if self.false_positive is not None:
            return int(kept[self.false_positive.detection])
        if self.verdict is None:
            return None
        if self.verdict.detection is not None:
            return int(kept[self.verdict.detection])
        refined = self.verdict.evidence
        if self.verdict.slot is None and isinstance(refined, RefinedEvidence):
            # No refined box fits: the one that came nearest is what there is to follow back.
            return refined_slot(self.diagnosis, self.verdict, refined)
        return self.verdict.slot

    @property
    def anchor(self) -> int | None:
        """The anchor whose objectness matters where no class slot came near; None where one did."""
        if self.slot is not None or self.verdict is None:
            return None
        return anchor_of(self.verdict.evidence)

    @property
    def object(self) -> int | None:
        """The annotated object that it is about; None for a false positive and for a drawn box."""
        chosen = self.selected
        return chosen.index if chosen is not None and chosen.kind == "object" else None

    @property
    def network_box(self) -> Tensor | None:
        """The box of the object, float [4], **network** frame; None for a false positive."""
        if self.verdict is None:
            return None
        return self.diagnosis.replay.trace.to_network(self.diagnosis.truth.boxes[self.verdict.object])

    @property
    def label(self) -> int:
        """Category that was asked for, or that was detected."""
        if self.false_positive is not None:
            return int(self.diagnosis.replay.labels[self.false_positive.detection])
        assert self.verdict is not None
        return int(self.diagnosis.truth.labels[self.verdict.object])


def questions(scene: Scene, asked: Asked | None) -> tuple[Question, ...]:
    """Everything that can be asked about: the drawn box, lost objects, false positives, found objects."""
    drawn = () if asked is None else (asked,)
    if scene.diagnosis is None:
        return drawn
    lost = [Selected("object", verdict.object) for verdict in scene.diagnosis.lost]
    found = [Selected("object", v.object) for v in scene.diagnosis.verdicts if v.rung is Rung.FOUND]
    items = detection_items(scene.replay)
    false = [items[one.detection] for one in scene.diagnosis.false_positives]
    return (*drawn, *lost, *(item for item in false if item is not None), *found)


def asked_now(scene: Scene, selected: Selected | None, asked: Asked | None) -> Question | None:
    """What is asked: what is selected, else the drawn box, else the first that there is.

    A selected detection that is true stands for the object that it found.
    """
    known = questions(scene, asked)
    if selected is not None and selected in known:
        return selected
    stands_for = None if selected is None or selected.kind != "detection" else _object_of(scene, selected)
    if stands_for is not None:
        return stands_for
    return known[0] if known else None


def subject_of(scene: Scene, question: Question) -> Subject:
    """The answer to one of `questions`."""
    if isinstance(question, Asked):
        return asked_subject(scene, question)
    diagnosis = scene.diagnosis
    assert diagnosis is not None
    names = scene.trace.categories
    if question.kind == "object":
        verdict = diagnosis.verdict_of(question.index)
        assert verdict is not None
        name = f"#{question.index} {names[int(diagnosis.truth.labels[question.index])]}"
        return Subject(diagnosis, name, question, verdict=verdict)
    detection = detection_items(scene.replay).index(question)
    false = next(one for one in diagnosis.false_positives if one.detection == detection)
    name = f"{names[int(scene.replay.labels[detection])]} {false.score:.2f}"
    return Subject(diagnosis, name, question, false_positive=false)


def asked_subject(scene: Scene, asked: Asked) -> Subject:
    """A drawn box as an object of its own, the only one that is known."""
    truth = one_object(asked.box, asked.label, scene.trace.categories, scene.trace.input.image_size)
    diagnosis = diagnose(scene.replay, truth)
    name = scene.trace.categories[asked.label]
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return Subject(diagnosis, f"{article} {name}", verdict=diagnosis.verdicts[0])


def question_words(scene: Scene, question: Question) -> str:
    """A question as an entry of the list, such as `lost: #0 triangle`."""
    if isinstance(question, Asked):
        return f"drawn box: {scene.trace.categories[question.label]}"
    subject = subject_of(scene, question)
    if subject.false_positive is not None:
        return f"false positive: {subject.name}"
    return f"{'found' if subject.found else 'lost'}: {subject.name}"


def anchor_of(evidence: Evidence | None) -> int | None:
    """The anchor that a piece of evidence of the RPN is about."""
    match evidence:
        case FitEvidence(anchor=anchor) | DecodedEvidence(anchor=anchor) | FloorEvidence(anchor=anchor):
            return anchor
        case RankEvidence(candidate=anchor, level=int()) | SuppressionEvidence(candidate=anchor):
            return anchor
    return None


def unanswered(scene: Scene, selected: Selected | None) -> str:
    """Why a selected detection cannot be asked about, in one sentence; empty where it can, or none is selected."""
    if selected is None or selected.kind != "detection" or selected in questions(scene, None):
        return ""
    names, label = scene.trace.categories, selected.label or 0
    name = names[label] if label < len(names) else f"category {label}"
    if selected not in detection_items(scene.replay):
        return (
            f"The {name} box of anchor {selected.index:,} is not among the detections under these thresholds."
        )
    if scene.diagnosis is None:
        return f"Nobody annotated this image, so it is not known whether the selected {name} is right."
    if _object_of(scene, selected) is None:
        return f"The selected {name} lies in a crowd region, where detections are not counted."
    return ""


def _object_of(scene: Scene, selected: Selected) -> Selected | None:
    """The object that a true detection found."""
    items = detection_items(scene.replay)
    if scene.diagnosis is None or selected not in items:
        return None
    place = items.index(selected)
    found = (verdict.object for verdict in scene.diagnosis.verdicts if verdict.detection == place)
    index = next(found, None)
    return None if index is None else Selected("object", index)
