"""What the doctor reports: findings, each with what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.judging.doctor_anchors import AnchorFits

EXAMPLES = 5


class Severity(StrEnum):
    """How bad: results mean nothing before an error is put right; a warning costs objects; a note informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where: the file name of an image and the id of an annotation, as far as there is one."""

    image: str | None = None
    annotation: int | None = None

    def __str__(self) -> str:
        parts = (self.image or "", "" if self.annotation is None else f"annotation {self.annotation}")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Args:
        severity: how bad.
        check: name of the check, such as `box_format`.
        message: one sentence, what is wrong.
        remedy: one sentence, what to do.
        image, annotation: file name and annotation id of the first place; None where it is about the whole.
        count: how many images or objects it is about.
        places: the first few of them.
    """

    severity: Severity
    check: str
    message: str
    remedy: str
    image: str | None = None
    annotation: int | None = None
    count: int = 1
    places: tuple[Place, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {
            "severity": self.severity.value,
            "check": self.check,
            "message": self.message,
            "remedy": self.remedy,
            "image": self.image,
            "annotation": self.annotation,
            "count": self.count,
            "places": [{"image": place.image, "annotation": place.annotation} for place in self.places],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What the doctor found.

    Args:
        dataset, model: what was examined; no model where none was given.
        images, objects: how many were looked at.
        categories: names, index 0 is background: the model's, else the data set's; empty where nobody says.
        findings: errors first, then warnings, then notes.
        fits: how the model's anchors fit each object; None without a model, or where the boxes are wrong.
    """

    dataset: str
    model: str | None
    images: int
    objects: int
    categories: tuple[str, ...]
    findings: tuple[Finding, ...]
    fits: AnchorFits | None = field(default=None, repr=False)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What must be put right first."""
        return self.of(Severity.ERROR)

    def find(self, check: str) -> Finding | None:
        """The first finding of a check."""
        return next((finding for finding in self.findings if finding.check == check), None)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {
            "dataset": self.dataset,
            "model": self.model,
            "images": self.images,
            "objects": self.objects,
            "errors": len(self.errors),
            "warnings": len(self.of(Severity.WARNING)),
            "findings": [finding.as_json() for finding in self.findings],
        }


def finding_at(
    severity: Severity, check: str, message: str, remedy: str, places: Iterable[Place]
) -> Finding | None:
    """A finding about all `places`, naming the first few; None where there is none."""
    every = list(places)
    if not every:
        return None
    return Finding(
        severity, check, message, remedy, every[0].image, every[0].annotation, len(every), tuple(every[:EXAMPLES])
    )  # fmt: skip


def in_order(findings: Iterable[Finding | None]) -> tuple[Finding, ...]:
    """Without the empty ones; errors first, otherwise as they came."""
    ranks = list(Severity)
    return tuple(sorted((f for f in findings if f is not None), key=lambda f: ranks.index(f.severity)))
