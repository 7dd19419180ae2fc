"""The doctor and the diagnosis name the right cause first, by themselves, for all that was broken on purpose.

`python tests/test_planted_faults.py` writes the table of docs/planted_faults.md.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from support.faults import FAULTS, LEFT_OUT, LESSONS, SCENES, WORLD, Case, Fault, unbroken

from detector import diagnose_dataset
from detector.judging.causes import LeadingCause, leading_causes
from detector.judging.dataset_diagnosis import DatasetDiagnosis
from detector.judging.doctor import examine
from detector.judging.findings import Report, Severity

DOCUMENT = Path(__file__).parents[1] / "docs" / "planted_faults.md"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found out about a case."""

    report: Report
    diagnosis: DatasetDiagnosis | None
    causes: tuple[LeadingCause, ...]


def _investigate(case: Case, out: Path) -> Outcome:
    report = examine(case.data, case.detector)
    if case.judged is None:
        return Outcome(report, None, leading_causes(report))
    found = diagnose_dataset(case.detector, case.judged, out, remedies=False, recommend=False)
    causes = leading_causes(
        report, found.summary, objects=found.objects, false_positives=found.false_positives
    )
    return Outcome(report, found, causes)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_the_cause_of_a_planted_fault_is_named_first(fault: Fault, tmp_path: Path) -> None:
    outcome = _investigate(fault.plant(tmp_path), tmp_path / "out")
    assert outcome.causes, [finding.check for finding in outcome.report.findings]
    first = outcome.causes[0]
    assert first.name == fault.cause, [(cause.name, cause.weight, cause.message) for cause in outcome.causes]
    assert first.remedy.endswith(".")
    assert 0 < first.weight <= 1
    if fault.cause == "class_left_out":
        assert repr(LEFT_OUT) in first.message


def test_nothing_is_made_up_where_nothing_is_broken(tmp_path: Path) -> None:
    outcome = _investigate(unbroken(tmp_path), tmp_path / "out")
    assert outcome.report.errors == ()
    assert not outcome.report.of(Severity.WARNING)
    assert {cause.name for cause in outcome.causes}.isdisjoint(fault.cause for fault in FAULTS)
    assert outcome.diagnosis is not None
    lost = outcome.diagnosis.summary.objects - outcome.diagnosis.summary.found
    assert outcome.causes[0].weight * outcome.diagnosis.summary.objects <= lost


def _row(title: str, outcome: Outcome) -> str:
    found = outcome.diagnosis.summary if outcome.diagnosis is not None else None
    counts = "the reader refuses the file" if found is None else (
        "no image can be judged" if not found.objects else f"{found.found} of {found.objects}")  # fmt: skip
    first = outcome.causes[0]
    evidence = [part for part in first.evidence if " lost at " in part]
    said = "; ".join([first.message, *evidence])
    return f"| {title} | {counts} | `{first.name}` | {said} |"


def table() -> str:
    """The document: every fault, what was named first, and why."""
    rows = []
    for fault in (Fault("(nothing)", "", unbroken), *FAULTS):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(_row(fault.title, _investigate(fault.plant(Path(folder)), Path(folder) / "out")))
    head = _HEAD.format(scenes=SCENES, world=WORLD, left_out=LEFT_OUT, lessons=LESSONS, count=len(FAULTS))
    return head + "\n".join(rows) + "\n"


_HEAD = """# Planted faults

Data sets and detectors that were broken in one known way each, and the cause that `examine` (the doctor) and
`diagnose_dataset` together name first, by themselves (`leading_causes`). Every case is {scenes} scenes of the
shapes world, `ShapesDataset({scenes}, seed={world})`, which the bundled detector never saw, and that detector; only
the fault differs. `tests/test_planted_faults.py` runs all {count} of them, and
`python tests/test_planted_faults.py` writes this file.

How the order comes about: errors that make every other number meaningless come first, in the order in which the
data flow; then what is known to be wrong and explains lost objects, by their share; then the rungs that lost most.
The class {left_out!r} is left out by training the second stage's classifier anew (150 steps, from its initial
values) on RoIs of {lessons} other scenes in which that class is not annotated; the other layers keep their weights.
The sampler that draws one positive is judged before any training: the detector itself is sound there, and finds
what it did before.

| broken | found | first cause | what is said |
|---|---|---|---|
"""


if __name__ == "__main__":
    DOCUMENT.write_text(table(), encoding="utf-8")
