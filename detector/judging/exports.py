"""An evaluation as tables to take away: a name, a data frame, and the same as CSV or Parquet."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd

from detector.judging.tables import read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.judging.evaluation_records import Evaluation
    from detector.judging.kept_run import KeptRun

KINDS = ("csv", "parquet")


def tables_of(run: KeptRun, evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """Everything as tables, by name.

    `objects` and `false_positives` are those of the diagnosis; `detections` has every detection; `images`,
    `categories`, `curves` (a row for each category, IoU and recall), `calibration` and `confusion` (a row for each
    pair of categories) are the evaluation.

    Args:
        run: read from its folder.
        evaluation: of the same run.
    """
    objects, false_positives = read_tables(run.folder)
    images = [
        {**_without(asdict(one), "losses"), **(asdict(one.losses) if one.losses else {}), "loss": one.loss}
        for one in evaluation.images
    ]
    categories = [{"category": name, **asdict(one)} for name, one in evaluation.by_category.items()]
    return {
        "objects": objects,
        "false_positives": false_positives,
        "detections": pd.DataFrame(_detections(run), columns=_DETECTION),
        "images": pd.DataFrame(images),
        "categories": pd.DataFrame(categories),
        "curves": _curves(evaluation),
        "calibration": pd.DataFrame([asdict(one) for one in evaluation.calibration.bins]),
        "confusion": _confusion(evaluation),
    }


def table_bytes(table: pd.DataFrame, kind: str) -> bytes:
    """A table as a file, `csv` (UTF-8, all digits) or `parquet`.

    Raises:
        ValueError: another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"a table was asked for as {kind!r}; expected {' or '.join(KINDS)}")
    if kind == "csv":
        return table.to_csv(index=False).encode()
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


_DETECTION = (
    "image_index", "image", "detection", "category", "score", "x1", "y1", "x2", "y2", "object",
)  # fmt: skip


def _detections(run: KeptRun) -> Iterator[tuple[object, ...]]:
    """`object` is what a detection matches at the diagnosis' IoU, or -1."""
    for report in run.reports:
        for place, one in enumerate(report.detections):
            name = run.categories[one.label]
            yield report.index, report.image, place, name, one.score, *one.box, one.object


def _curves(evaluation: Evaluation) -> pd.DataFrame:
    """Categories without objects have no curve and no rows."""
    curves, parts = evaluation.curves, []
    for name, one in evaluation.by_category.items():
        if not one.objects:
            continue
        for level, iou in enumerate(curves.ious):
            parts.append(
                pd.DataFrame(
                    {
                        "category": name,
                        "iou": round(float(iou), 2),
                        "recall": curves.recalls,
                        "precision": curves.precision[level, :, one.label - 1],
                        "score": curves.scores[level, :, one.label - 1],
                    }
                )
            )
    columns = ["category", "iou", "recall", "precision", "score"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _confusion(evaluation: Evaluation) -> pd.DataFrame:
    """Pairs that occur."""
    counts, names = evaluation.confusion.counts, evaluation.confusion.categories
    rows, columns = counts.nonzero()
    return pd.DataFrame(
        {
            "true": [names[row] for row in rows],
            "found": [names[column] for column in columns],
            "count": counts[rows, columns],
        }
    )


def _without(record: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in record.items() if key != name}
