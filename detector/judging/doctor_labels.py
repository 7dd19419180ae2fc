"""The doctor's look at the labels: within the list, not off by one, every class seen, the model's names in order.

Shapes: `n` objects, `K` categories with background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.judging.findings import Finding, Severity, finding_at

if TYPE_CHECKING:
    from detector.judging.doctor_survey import Survey

_BACKGROUND = ("background", "__background__", "bg")
_NOT_A_CLASS = ("N/A", "")
_NAMED = 5


def label_findings(survey: Survey, model: tuple[str, ...] | None) -> list[Finding | None]:
    """Every check of the labels.

    Args:
        survey: the data set.
        model: the detector's K names, index 0 is background; None without a detector.
    """
    allowed = _allowed(survey, model)
    shifted = off_by_one(survey, allowed)
    found: list[Finding | None] = [shifted]
    if shifted is None:
        found += _outside(survey, allowed)
    found.append(_listed_background(survey))
    if model is not None and survey.listed is not None:
        found += against_the_model(survey, model)
    found.append(never_seen(survey, model))
    return found


def _allowed(survey: Survey, model: tuple[str, ...] | None) -> set[int] | None:
    """The numbers that a label may be; None where nobody says."""
    if survey.categories is not None:
        return set(survey.categories)
    return None if model is None else set(range(1, len(model)))


def off_by_one(survey: Survey, allowed: set[int] | None) -> Finding | None:
    """Labels that are all in the list once one is added to them, or taken away, and not before."""
    used = set(survey.labels.unique().tolist())
    if not used or allowed is None or used <= allowed:
        return None
    step = next((step for step in (1, -1) if {label + step for label in used} <= allowed), None)
    if step is None or len(used) == 1:
        return None
    wrong = ~torch.isin(survey.labels, torch.tensor(sorted(allowed)))
    start, right = min(used), min(allowed)
    return finding_at(
        Severity.ERROR, "labels_off_by_one",
        f"the labels go from {start} to {max(used)} while the categories go from {right} to {max(allowed)}: "
        f"every label is one too {'low' if step > 0 else 'high'}, and each object is learnt as another class",
        f"{'Add 1 to' if step > 0 else 'Subtract 1 from'} every label; 0 is the background.",
        survey.places(torch.ones_like(wrong)),
    )  # fmt: skip


def _outside(survey: Survey, allowed: set[int] | None) -> list[Finding | None]:
    labels = survey.labels
    known = None if allowed is None else torch.tensor(sorted(allowed), dtype=torch.int64)
    free = torch.zeros_like(labels, dtype=torch.bool) if known is None else torch.isin(labels, known)
    over = torch.zeros_like(free) if known is None else ~free & (labels > 0)
    most = (
        ""
        if allowed is None or not allowed
        else f" ({len(allowed)} categories, {min(allowed)} to {max(allowed)})"
    )
    return [
        _label_finding(survey, (labels == 0) & ~free, "label_zero", "have the label 0, which is the background",
                       "Give objects labels from 1, or leave what is no object out."),
        _label_finding(survey, labels < 0, "label_negative", "have a label under 0",
                       "Give objects labels from 1."),
        _label_finding(survey, over, "label_unknown", f"have a label that is not in the list of categories{most}",
                       "Add the category to the list, or correct the label."),
    ]  # fmt: skip


def _label_finding(survey: Survey, bad: Tensor, check: str, message: str, remedy: str) -> Finding | None:
    values = sorted(set(survey.labels[bad].tolist()))
    said = ", ".join(map(str, values[:_NAMED])) + (", ..." if len(values) > _NAMED else "")
    return finding_at(
        Severity.ERROR,
        check,
        f"{int(bad.sum())} of {len(bad)} objects {message}: {said}",
        remedy,
        survey.places(bad),
    )


def _listed_background(survey: Survey) -> Finding | None:
    """A background that is listed as a category: every other label is one higher than a detector expects."""
    name = next((n for n in (survey.listed or ())[1:] if n.lower() in _BACKGROUND), None)
    if name is None:
        return None
    return Finding(
        Severity.WARNING, "background_listed", f"the list of categories holds the background ({name!r})",
        "Leave it out: index 0 is the background in every torchvision detector, and it is never annotated.",
    )  # fmt: skip


def against_the_model(survey: Survey, model: tuple[str, ...]) -> list[Finding | None]:
    """The data set's names beside the model's: shifted, in another order, or unknown to it."""
    listed = survey.listed or ()
    place = {name: index for index, name in enumerate(model) if index and name not in _NOT_A_CLASS}
    if _is_numbered(model):
        return [_counts_differ(listed, model)]
    shared = [(name, index, place[name]) for index, name in enumerate(listed) if index and name in place]
    steps = {there - here for _, here, there in shared}
    findings: list[Finding | None] = [_unknown(survey, set(place))]
    if len(shared) > 1 and len(steps) == 1 and abs(next(iter(steps))) == 1:
        name, here, there = shared[0]
        findings.append(
            Finding(
                Severity.WARNING, "labels_off_by_one",
                f"{name!r} is label {here} in the data set and class {there} of the model, and so on for "
                f"{len(shared)} names: the lists are shifted by one",
                "Bring both lists in one order; Boxscope matches classes by name, a training loop by number.",
                count=len(survey),
            )
        )  # fmt: skip
    elif any(steps):
        moved = [entry for entry in shared if entry[1] != entry[2]]
        name, here, there = moved[0]
        findings.append(
            Finding(
                Severity.WARNING, "category_order",
                f"{len(moved)} names have another place in the model's list: {name!r} is label {here} in the data "
                f"set and class {there} of the model",
                "Match classes by name, as Boxscope does; a training loop matches by number.", count=len(moved),
            )
        )  # fmt: skip
    return findings


def _is_numbered(model: tuple[str, ...]) -> bool:
    """Whether these are the names that `Detector.wrap` gives where nobody says any."""
    return model[1:] == tuple(f"category {index}" for index in range(1, len(model)))


def _counts_differ(listed: tuple[str, ...], model: tuple[str, ...]) -> Finding | None:
    if len(listed) == len(model):
        return None
    return Finding(
        Severity.ERROR, "category_count",
        f"the data set has {len(listed) - 1} categories, the model {len(model) - 1}",
        "Give the model one class for each category, and one for the background.",
    )  # fmt: skip


def _unknown(survey: Survey, known: set[str]) -> Finding | None:
    names = survey.categories or {}
    strange = {number for number, name in names.items() if name not in known}
    bad = torch.isin(survey.labels, torch.tensor(sorted(strange), dtype=torch.int64))
    if not bad.any():
        return None
    used = sorted({names[number] for number in survey.labels[bad].tolist()})
    every = bool(bad.all())
    said = ", ".join(map(repr, used[:_NAMED])) + (", ..." if len(used) > _NAMED else "")
    return finding_at(
        Severity.ERROR if every else Severity.WARNING, "unknown_to_model",
        f"the model knows {'none' if every else 'not all'} of the categories: {int(bad.sum())} of {len(survey)} "
        f"objects are {said}",
        "Train the model on these categories, or leave their objects out of the judgement.", survey.places(bad),
    )  # fmt: skip


def never_seen(survey: Survey, model: tuple[str, ...] | None) -> Finding | None:
    """Classes of the list (and of the model) of which no object is annotated."""
    if model is not None and survey.listed is not None and _is_numbered(model):
        model = None  # numbers stand for the data set's own names
    wanted = [name for name in (model or survey.listed or ())[1:] if name not in _NOT_A_CLASS]
    numbers = set(survey.labels.tolist())
    if survey.categories is not None:
        seen = {name for number, name in survey.categories.items() if number in numbers}
    else:
        seen = {name for index, name in enumerate(model or (), 0) if index in numbers}
    missing = [name for name in wanted if name not in seen and name.lower() not in _BACKGROUND]
    if not missing or not len(survey):
        return None
    said = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    return Finding(
        Severity.WARNING if survey.whole else Severity.NOTE, "class_never_seen",
        f"{len(missing)} of {len(wanted)} classes have no object in {_images(len(survey.images))}: {said}",
        "Add images of them before training; a class without objects is learnt as background.", count=len(missing),
    )  # fmt: skip


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
