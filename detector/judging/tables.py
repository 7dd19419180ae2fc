"""The rows of all images as two Parquet files, and back.

The same rows give the same bytes. Boxes and areas are in the image frame; `image_index` and `image` name the
image, `object` and `detection` number what is in it.
"""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from detector.data.sealed import replace_file
from detector.judging.rows import FalsePositiveRow, ObjectRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.judging.rows import ImageReport

OBJECTS, FALSE_POSITIVES = "objects.parquet", "false_positives.parquet"
_KINDS = {
    "int": pa.int64(), "float": pa.float64(), "float | None": pa.float64(), "str": pa.string(),
}  # fmt: skip


def write_tables(reports: Sequence[ImageReport], out: Path) -> None:
    """Write both files, each complete or not at all.

    Args:
        reports: in the order of the images.
        out: an existing folder.
    """
    for name, row, rows_of in (
        (OBJECTS, ObjectRow, lambda report: report.objects),
        (FALSE_POSITIVES, FalsePositiveRow, lambda report: report.false_positives),
    ):
        pairs = [(report, one) for report in reports for one in rows_of(report)]
        columns = {
            "image_index": [report.index for report, _ in pairs],
            "image": [report.image for report, _ in pairs],
            **{field.name: [getattr(one, field.name) for _, one in pairs] for field in fields(row)},
        }
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pydict(columns, schema=_schema(row)), buffer)
        replace_file(out / name, buffer.getvalue())


def read_tables(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(objects, false positives) as written.

    Raises:
        OSError: a file is not there.
    """
    return pd.read_parquet(out / OBJECTS), pd.read_parquet(out / FALSE_POSITIVES)


def _schema(row: type[ObjectRow] | type[FalsePositiveRow]) -> pa.Schema:
    kinds = {"image_index": "int", "image": "str", **{field.name: str(field.type) for field in fields(row)}}
    return pa.schema([(name, _KINDS[kind]) for name, kind in kinds.items()])
