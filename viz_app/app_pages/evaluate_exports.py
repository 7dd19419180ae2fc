"""What an evaluation leaves to take away: COCO's results file, all tables, and the numbers; made when asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources

if TYPE_CHECKING:
    from pathlib import Path

    from viz_app.app_pages.dataset_shown import ShownRun

_TABLES = {
    "objects": "objects, with the rung where each was lost",
    "false_positives": "false positives, with their types",
    "detections": "all detections",
    "images": "images, with their AP",
    "categories": "classes, with their AP",
    "curves": "precision and recall",
    "calibration": "calibration",
    "confusion": "confusion",
}
"""Names of the tables of `detector.judging.exports.tables_of`, with words for people."""
_MIME = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def show_exports(run: ShownRun) -> None:
    """The card: three files as they are, and a table to choose."""
    with st.container(border=True):
        st.subheader("Take it away", anchor=False)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _button(
                "COCO results", f"{run.name}.results.json", "application/json",
                partial(_results, run.folder, run.source), "What pycocotools' loadRes takes.",
            )  # fmt: skip
            _button(
                "Report", f"{run.name}.html", "text/html", partial(_report, run.folder, run.source),
                "One web page with the lost objects on a picture to zoom in; it needs no network.",
            )  # fmt: skip
            _button(
                "All numbers", f"{run.name}.evaluation.json", "application/json", partial(_numbers, run.folder),
                "Everything on this page that is a number, as JSON.",
            )  # fmt: skip
            table = st.selectbox(
                "Table", list(_TABLES), key="evaluate.table", format_func=_TABLES.__getitem__, width=300,
                persist_state="session",
            )  # fmt: skip
            for kind, mime in _MIME.items():
                _button(
                    "CSV" if kind == "csv" else "Parquet", f"{run.name}.{table}.{kind}", mime,
                    partial(_table, run.folder, table, kind), "A row for each line of the table.",
                )  # fmt: skip


def _button(label: str, file: str, mime: str, make: partial[bytes], about: str) -> None:
    st.download_button(
        label, make, file, mime, key=f"evaluate.export.{label}", on_click="ignore", help=about,
        icon=":material/download:",
    )  # fmt: skip


# Imported when a button is clicked: none of this is of use before.
def _results(folder: Path, source: str) -> bytes:
    from detector.judging.coco_results import coco_results_of
    from detector.judging.kept_run import read_run

    return coco_results_of(read_run(folder), resources.dataset(source)).text.encode()


def _report(folder: Path, source: str) -> bytes:
    from viz_app.report import dataset_report

    return dataset_report(folder, resources.dataset(source)).encode()


def _numbers(folder: Path) -> bytes:
    from detector.judging.evaluation_json import evaluation_json

    return evaluation_json(resources.evaluation(folder)).encode()


def _table(folder: Path, name: str, kind: str) -> bytes:
    from detector.judging.exports import table_bytes, tables_of
    from detector.judging.kept_run import read_run

    return table_bytes(tables_of(read_run(folder), resources.evaluation(folder))[name], kind)
