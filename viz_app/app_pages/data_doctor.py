"""What the doctor says of the data set, on the Data page: its worst findings, and the way to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.judging.findings import Severity
from viz_app import state
from viz_app.app_pages.dataset_causes import capital, report_of
from viz_app.app_pages.doctor import BADGES, MOST_IMAGES, examine_now
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.judging.findings import Finding, Report
    from detector.models.detector import Detector

MOST_FINDINGS = 4
_ASKED = "data doctor asked"


def show_doctor(source: str, model: Detector | None) -> None:
    """Draw the card.

    Args:
        source: the data set; it may be too broken to be opened.
        model: the detector of the sidebar, where there is one.
    """
    if state.remembered(_ASKED, "") == source:
        state.remember(_ASKED, "")
        if _examine(source, model):
            st.rerun()  # what stands above says how the anchors fit, too
    report = report_of(source)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("The doctor", anchor=False, width="stretch")
            if report is None:
                st.button(
                    "Examine", icon=":material/stethoscope:", key="data.examine",
                    on_click=lambda: state.remember(_ASKED, source),
                )  # fmt: skip
            _link()
        if report is None:
            st.caption(
                f"Not examined yet. {plural(MOST_IMAGES, 'image')} at most are read: boxes, labels, files, and how "
                "the anchors fit. Mistakes are named with their place, before anything is trained."
            )
        else:
            _findings(report)


def _examine(source: str, model: Detector | None) -> bool:
    """Whether there is a report now; if not, it is told why."""
    try:
        examine_now(source, model)
    except (ValueError, OSError, TypeError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return False
    return True


def _findings(report: Report) -> None:
    counts = [(severity, len(report.of(severity))) for severity in Severity]
    st.markdown(" ".join(
        f"{BADGES[severity].replace(severity.value, plural(count, severity.value))}"
        for severity, count in counts if count
    ) or "Nothing is wrong here that the doctor knows of.")  # fmt: skip
    for finding in report.findings[:MOST_FINDINGS]:
        st.markdown(_finding_words(finding))
    rest = len(report.findings) - MOST_FINDINGS
    if rest > 0:
        st.caption(f"and {plural(rest, 'more finding')}.")


def _finding_words(finding: Finding) -> str:
    said, remedy = literal(as_sentence(capital(finding.message))), literal(as_sentence(finding.remedy))
    return f"{BADGES[finding.severity]} **{said}**  \n:small[:gray[{remedy}]]"


def _link() -> None:
    from viz_app.shell import page_called  # the shell imports pages when they are opened

    st.page_link(
        page_called("doctor"), label="Open the Doctor", icon=":material/arrow_forward:", width="content"
    )
