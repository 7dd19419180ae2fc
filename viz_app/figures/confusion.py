"""D6: what the objects of a data set were taken for; the background stands last, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app.figures.count_grid import Cell, grid_figure
from viz_app.figures.palette import ACCENT, VERMILLION
from viz_app.figures.words import plural

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

    from detector.judging.evaluation_records import Confusion

MOST_CATEGORIES = 20


def confusion_figure(confusion: Confusion, chosen: str | None = None) -> go.Figure:
    """Objects (rows) by what they were found as (columns), missed ones and detections of background last.

    A click gives `row.column`, indices of categories.

    Right answers are blue, wrong ones vermillion; the shade is the share of the row.

    Args:
        confusion: counts; of many categories the `MOST_CATEGORIES` that are confused most are drawn.
        chosen: the cell that is looked at, such as `3.0`.
    """
    labels = drawn_labels(confusion)
    order = [*labels, 0]
    totals = confusion.counts.sum(axis=1)
    cells = [[_cell(confusion, row, column, int(totals[row])) for column in order] for row in order]
    names = [confusion.categories[label] for label in labels]
    return grid_figure(
        [*names, "background"], [*names, "missed"], cells, chosen=chosen, colors=(ACCENT, VERMILLION),
        y="the object", row_height=34 if len(order) <= 12 else 26,
    )  # fmt: skip


def drawn_labels(confusion: Confusion) -> list[int]:
    """Categories of the picture: those with an object or a detection, at most `MOST_CATEGORIES`, in their order."""
    counts = confusion.counts
    known = [label for label in range(1, len(counts)) if counts[label].sum() + counts[:, label].sum() > 0]
    wrong = {
        label: counts[label].sum() + counts[:, label].sum() - 2 * counts[label, label] for label in known
    }
    return sorted(sorted(known, key=lambda label: -wrong[label])[:MOST_CATEGORIES])


def cell_words(confusion: Confusion, row: int, column: int) -> str:
    """What a cell holds, such as `3 objects: ring, found as star`."""
    count, names = int(confusion.counts[row, column]), confusion.categories
    if row == 0:
        return f"{plural(count, 'detection')} of {names[column]} on no object"
    if column == 0:
        return f"{plural(count, 'object')}: {names[row]}, not found as anything"
    if row == column:
        return f"{plural(count, 'object')}: {names[row]}, found as such"
    return f"{plural(count, 'object')}: {names[row]}, found as {names[column]}"


def confusion_words(confusion: Confusion) -> str:
    """What is seen in the matrix, in one sentence."""
    counts, names = confusion.counts, confusion.categories
    objects = int(counts[1:].sum())
    right = int(counts.diagonal()[1:].sum())
    said = f"{right:,} of {plural(objects, 'object')} are found as what they are"
    worst = most_confused(counts)
    if worst is None:
        return f"{said}, and no class is taken for another."
    row, column = worst
    count = int(counts[row, column])
    times = "once" if count == 1 else f"{count:,} times"
    return f"{said}; most often {names[row]} is taken for {names[column]}, {times}."


def most_confused(counts: np.ndarray) -> tuple[int, int] | None:
    """(true, found) of the largest count of two different categories, background aside; None without any."""
    wrong = counts[1:, 1:].copy()
    if wrong.size == 0:
        return None
    wrong[range(len(wrong)), range(len(wrong))] = 0
    if wrong.max() == 0:
        return None
    row, column = divmod(int(wrong.argmax()), wrong.shape[1])
    return row + 1, column + 1


def _cell(confusion: Confusion, row: int, column: int, total: int) -> Cell:
    count = int(confusion.counts[row, column])
    if row == column == 0:
        return Cell("", "", None)
    share = count / total if total else 0.0
    of = "the false ones" if row == 0 else "its row"
    return Cell(
        f"{count:,}" if count else "·",
        f"{cell_words(confusion, row, column)} ({share:.0%} of {of})",
        share,
        f"{row}.{column}" if count else "",
        0 if row == column else 1,
    )
