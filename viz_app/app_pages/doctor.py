"""Doctor: what is wrong with a data set and a detector before anything is trained, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from detector.judging.doctor import examine
from detector.judging.findings import Finding, Report, Severity
from viz_app import resources, state
from viz_app.app_pages.dataset_causes import capital, model_key, remember_report, run_of, show_causes
from viz_app.app_pages.dataset_choice import choose_dataset
from viz_app.app_pages.parts import select_row
from viz_app.dataset_scenes import annotations_written, image_file, item_key
from viz_app.jobs.job import short_name
from viz_app.jobs.readable import NotReadable, named_source, readable_source
from viz_app.problems import as_sentence, literal
from viz_app.sidebar.visiting import visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.models.detector import Detector
    from viz_app.scene import Scene

MOST_IMAGES = 500
_REPORT = "doctor report"
_ALL, _OTHER = "doctor.all", "doctor.other"
BADGES = {
    Severity.ERROR: ":red-badge[error]",
    Severity.WARNING: ":orange-badge[warning]",
    Severity.NOTE: ":gray-badge[note]",
}
_ABOUT = (
    "The doctor reads every image once, and looks at the boxes, labels and files as they are and after the model's "
    "own resize, and at its anchors, matcher, samplers, filters and weights. Nothing is trained and nothing is "
    "detected, so it takes seconds, not minutes."
)


@dataclass(frozen=True, slots=True)
class _Examined:
    """A report, or the sentence that says why there is none; the key tells what was examined."""

    key: str
    report: Report | None
    problem: str = ""


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image, so it opens without one, too."""
    wanted, asked = _choose(None if scene is None else scene.model)
    if wanted is None:
        return
    if asked:
        state.remember(_REPORT, _examine(wanted))
    known: _Examined | None = state.remembered(_REPORT, None)
    if known is None or known.key != wanted.key:
        with st.container(border=True):
            st.markdown(_ABOUT)
    elif known.report is None:
        st.error(literal(as_sentence(known.problem)), icon=":material/error:")
    else:
        _show(known.report, wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """What is to be examined.

    Args:
        source: the data set.
        other: another split of it, or nothing.
        model: the detector, where there is one.
        every: all images, however many.
        key: tells all of this, and when the files were written.
    """

    source: str
    other: str
    model: Detector | None
    every: bool
    key: str


def _choose(model: Detector | None) -> tuple[_Wanted | None, bool]:
    """The upper card: what is to be examined, and whether the button was clicked."""
    with st.container(border=True):
        left, beside, middle, right = st.columns([0.38, 0.26, 0.16, 0.2], vertical_alignment="bottom")
        with left:
            source = choose_dataset()
        other = beside.text_input(
            "Another split", key=_OTHER, persist_state="session", placeholder="none",
            help="Say of training the data for validation: no image should be in both.",
        ).strip()  # fmt: skip
        every = middle.toggle(
            "all images", key=_ALL, persist_state="session",
            help=f"Of a large data set the first {MOST_IMAGES:,} images are read.",
        )  # fmt: skip
        asked = right.button(
            "Examine", key="doctor.examine", type="primary", icon=":material/stethoscope:", width="stretch",
            disabled=source is None,
        )  # fmt: skip
        with_model = (
            "" if model is None else f", and against the detector *{literal(short_name(model.name))}*"
        )
        st.caption(f"The data set is examined by itself{with_model}.")
    other = named_source(other)
    try:
        if source is None or not (readable_source(source) and (not other or readable_source(other))):
            return None, False
    except NotReadable as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return None, False
    key = "|".join(
        (source, other, annotations_written(source), annotations_written(other), model_key(), str(every))
    )
    return _Wanted(source, other, model, every, key), asked


def finding_table(findings: tuple[Finding, ...]) -> pd.DataFrame:
    """One row for each finding, in their order."""
    return pd.DataFrame(
        {
            "severity": [[finding.severity.value] for finding in findings],
            "count": [finding.count for finding in findings],
            "finding": [capital(finding.message) for finding in findings],
        }
    )


def examine_now(
    source: str, model: Detector | None, others: Sequence[str] = (), limit: int | None = MOST_IMAGES
) -> Report:
    """Ask the doctor, with a bar that moves; the report is kept for this session.

    Args:
        source: the data set.
        model: the detector, where there is one.
        others: further splits of it.
        limit: so many images at most.

    Raises:
        ValueError, OSError, TypeError: it cannot be examined; a sentence for people.
    """
    bar = st.progress(0.0, f"Examining {literal(source)} …")

    def show(done: int, total: int) -> None:
        said = f"Examining {literal(source)}: {done:,} of {total:,} images"
        bar.progress(min(done / total, 1.0) if total else 0.0, said)

    try:
        report = examine(source, model, others=list(others), limit=limit, progress=show)
    finally:
        bar.empty()
    remember_report(source, report)
    return report


def _examine(wanted: _Wanted) -> _Examined:
    others = [wanted.other] if wanted.other else []
    try:
        report = examine_now(wanted.source, wanted.model, others, None if wanted.every else MOST_IMAGES)
    except (ValueError, OSError, TypeError) as problem:
        return _Examined(wanted.key, None, str(problem))
    return _Examined(wanted.key, report)


def _show(report: Report, wanted: _Wanted) -> None:
    _numbers(report)
    if not wanted.every and report.images >= MOST_IMAGES:
        st.caption(f"The first {MOST_IMAGES:,} images were read; switch on *all images* for the rest.")
    if not report.findings:
        st.success("Nothing is wrong here that the doctor knows of.", icon=":material/check_circle:")
        return
    show_causes(report, run_of(wanted.source))
    left, right = st.columns([0.62, 0.38], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Findings", anchor=False)
        place = select_row(
            finding_table(report.findings),
            f"doctor.findings.{report.dataset}.{report.model}",
            {
                "severity": st.column_config.MultiselectColumn(
                    width=84, options=[one.value for one in Severity], color=["red", "orange", "gray"]
                ),
                "count": None,  # the sentence says it, too, and of how many
                "finding": st.column_config.TextColumn(width=400),
            },
            required=True,
            height=520,
            row_height=68,
        )
    with right, st.container(border=True, height="stretch"):
        _details(report.findings[place or 0], wanted.source)


def _numbers(report: Report) -> None:
    numbers = [
        ("Images", report.images),
        ("Objects", report.objects),
        ("Errors", len(report.errors)),
        ("Warnings", len(report.of(Severity.WARNING))),
        ("Notes", len(report.of(Severity.NOTE))),
    ]
    for column, (label, value) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(label, f"{value:,}", border=True)


def _details(finding: Finding, source: str) -> None:
    """One finding with its remedy and the first few places."""
    st.markdown(f"{BADGES[finding.severity]} :gray[{literal(finding.check.replace('_', ' '))}]")
    st.markdown(f"**{literal(as_sentence(capital(finding.message)))}**")
    st.markdown(f"**What to do.** {literal(as_sentence(finding.remedy))}")
    places = [place for place in finding.places if str(place)]
    if not places:
        return
    rest = finding.count - len(places)
    st.caption(f"Where{f', and {rest:,} more' if rest > 0 else ''}:")
    names = _index_of(source, tuple(place.image for place in places if place.image))
    for number, place in enumerate(places):
        index = None if place.image is None else names.get(place.image)
        if index is None:
            st.markdown(f":small[{literal(str(place))}]")
            continue
        st.button(
            literal(str(place)), key=f"doctor.open.{number}", type="tertiary", icon=":material/image_search:",
            on_click=visit, args=(item_key(source, index), None), help="Look at this image with its objects.",
        )  # fmt: skip


def _index_of(source: str, names: tuple[str, ...]) -> dict[str, int]:
    """Places of images in the data set; empty where it is too broken to be opened."""
    try:
        dataset = resources.dataset(source)
    except (OSError, ValueError, TypeError):
        return {}
    found: dict[str, int] = {}
    for index in range(len(dataset)):
        file = image_file(dataset, index)
        if file is None:
            return {name: int(name.split()[-1]) for name in names if name.split()[-1].isdigit()}
        for name in names:
            if name in (file.name, str(file)) or str(file).endswith(f"/{name}"):
                found.setdefault(name, index)
    return found
