"""D9: AP by class and by size of the object, with how many objects each number stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app.figures.count_grid import Cell, grid_figure
from viz_app.figures.words import plural
from viz_app.survey import SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import plotly.graph_objects as go

    from detector.judging.evaluation_records import CategoryScore

MOST_ROWS = 30
ALL = "all"
COLUMNS = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
"""Fields of `CategoryScore` and names of COCO's statistics."""
_TITLES = ("AP", "AP50", "AP75", *SIZES)


def average_precision_figure(
    scores: Mapping[str, CategoryScore],
    statistics: Mapping[str, float | None],
    counts: Mapping[tuple[str, str], int],
    chosen: tuple[str, str] | None = None,
) -> go.Figure:
    """A row for each category, the lowest AP first, below the row of them all.

    A click gives the category, or the category, a line break and the size; nothing on the row of all.

    Args:
        scores: by category; of many the `MOST_ROWS` of the lowest AP are drawn.
        statistics: COCO's numbers by name, for the row of all.
        counts: objects by (category, size).
        chosen: (category, size) that is looked at; an empty size stands for all.
    """
    ranked = lowest_first(scores)
    rows = [_all(statistics, scores, counts)]
    rows += [[_cell(name, scores[name], place, counts) for place in range(len(COLUMNS))] for name in ranked]
    total = sum(one.objects for one in scores.values())
    names = [f"{ALL} · {total:,}", *(f"{name} · {scores[name].objects:,}" for name in ranked)]
    return grid_figure(
        names, _TITLES, rows, chosen=None if chosen is None else _key(*chosen),
        row_height=40 if len(rows) < 10 else 30,
    )  # fmt: skip


def lowest_first(scores: Mapping[str, CategoryScore]) -> list[str]:
    """Categories that have objects, the lowest AP first, at most `MOST_ROWS`."""
    known = [name for name, one in scores.items() if one.objects]
    return sorted(known, key=lambda name: scores[name].AP or 0.0)[:MOST_ROWS]


def average_precision_words(
    scores: Mapping[str, CategoryScore], statistics: Mapping[str, float | None]
) -> str:
    """What is seen in the table, in one sentence."""
    ranked = lowest_first(scores)
    if not ranked:
        return "There is no object, and so no AP."
    low, high = scores[ranked[0]], max(scores.values(), key=lambda one: one.AP or 0.0)
    name = next(name for name, one in scores.items() if one is high)
    said = f"{ranked[0]} is lowest with AP {low.AP or 0.0:.3f} on {plural(low.objects, 'object')}"
    if len(ranked) > 1:
        said += f", {name} highest with {high.AP or 0.0:.3f}"
    sizes = {size: statistics.get(f"AP_{size}") for size in SIZES}
    known = {size: value for size, value in sizes.items() if value is not None}
    if len(known) < 2:
        return f"{said}."
    worst, best = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    return f"{said}; by size, {worst} objects reach {known[worst]:.3f} and {best} ones {known[best]:.3f}."


def picked_group(key: str) -> tuple[str, str | None]:
    """(category, size) of a click; the size is None where the cell is of all sizes."""
    category, _, size = key.partition("\n")
    return category, size or None


def _all(
    statistics: Mapping[str, float | None],
    scores: Mapping[str, CategoryScore],
    counts: Mapping[tuple[str, str], int],
) -> list[Cell]:
    total = sum(one.objects for one in scores.values())
    cells = []
    for column, title in zip(COLUMNS, _TITLES, strict=True):
        size = title if title in SIZES else ""
        objects = sum(n for (_, own), n in counts.items() if own == size) if size else total
        cells.append(_written(f"all classes, {title}", statistics.get(column), objects, ""))
    return cells


def _cell(name: str, score: CategoryScore, place: int, counts: Mapping[tuple[str, str], int]) -> Cell:
    title = _TITLES[place]
    size = title if title in SIZES else ""
    objects = counts.get((name, size), 0) if size else score.objects
    value = getattr(score, COLUMNS[place])
    return _written(f"{name}, {title}", value, objects, _key(name, size) if objects else "")


def _written(what: str, value: float | None, objects: int, key: str) -> Cell:
    if value is None:
        return Cell("–", f"{what}: no such object", None)
    return Cell(f"{value:.2f}", f"{what}: {value:.3f} on {plural(objects, 'object')}", value, key)


def _key(category: str, size: str) -> str:
    return f"{category}\n{size}" if size else category
