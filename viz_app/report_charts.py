"""The charts of a data set's report as light SVG and HTML: curves, calibration, confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from viz_app.figures.palette import ACCENT, GREY, ORANGE, VERMILLION, category_color, with_alpha
from viz_app.figures.words import plural
from viz_app.report_parts import Line, Trusted, line_chart, place, text

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation

_MOST_CURVES, _MOST_CELLS = 7, 16


def curves_chart(evaluation: Evaluation) -> Trusted:
    """The mean at three IoUs, and the categories of lowest AP at IoU .50."""
    curves = evaluation.curves
    shown = sorted((one.AP50 or 0.0, name) for name, one in evaluation.by_category.items() if one.objects)
    lines = [
        Line(
            name, category_color(one.label - 1),
            _points(curves.recalls, curves.at(0.5, one.label)), width=1.4,
        )
        for _, name in shown[:_MOST_CURVES]
        for one in [evaluation.by_category[name]]
    ]  # fmt: skip
    for iou, dash in ((0.9, "2 4"), (0.75, "7 4"), (0.5, "")):
        # In the colour of the text: it is read on both grounds.
        lines.append(Line(f"mean at IoU {iou:g}", GREY, _points(curves.recalls, curves.at(iou)), 2.6, dash))
    return line_chart(lines, "recall", "precision")


def _points(xs: np.ndarray, ys: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True) if np.isfinite(y)]


def calibration_chart(evaluation: Evaluation) -> Trusted:
    """Bars of accuracy against the diagonal; the more detections a bar stands for, the darker."""
    told = evaluation.calibration
    most = max((one.count for one in told.bins), default=0)
    bars = []
    for one in told.bins:
        if one.accuracy is None:
            continue
        (left, top), (right, bottom) = place(one.low, one.accuracy), place(one.high, 0)
        shade = with_alpha(ACCENT, 0.25 + 0.65 * one.count / most)
        bars.append(
            f'<rect x="{left + 1:.1f}" y="{top:.1f}" width="{right - left - 2:.1f}" height="{bottom - top:.1f}" '
            f'fill="{shade}"><title>{plural(one.count, "detection")} of mean score {one.confidence:.2f}: '
            f"{one.accuracy:.0%} true</title></rect>"
        )
    perfect = Line("as sure as right", ORANGE, [(0, 0), (1, 1)], 1.5, "5 4")
    return line_chart([perfect], "score", "share of true detections", beneath="".join(bars))


def calibration_lead(evaluation: Evaluation) -> str:
    """How far scores are off, in a sentence."""
    told = evaluation.calibration
    if told.ECE is None:
        return "There are no detections."
    return f"Off by {told.ECE:.3f} on average (ECE over {plural(told.count, 'detection')}, IoU {told.iou:g})."


def confusion_table(evaluation: Evaluation) -> Trusted:
    """Rows are what an object is, columns what it was found as; each row is shaded by its own sum."""
    matrix = evaluation.confusion
    known = [label for label in range(1, len(matrix.categories)) if matrix.counts[label].sum()]
    known.sort(key=lambda label: -matrix.counts[label].sum())
    labels = [*sorted(known[:_MOST_CELLS]), 0]
    names = {0: "nothing", **{label: matrix.categories[label] for label in labels if label}}
    head = "".join(f"<th>{text(names[label])}</th>" for label in labels)
    rows = [f'<tr><th class="text"></th>{head}</tr>']
    for row in labels:
        total = max(1, int(matrix.counts[row].sum()))
        cells = "".join(_cell(int(matrix.counts[row, column]), total, row == column) for column in labels)
        rows.append(f'<tr><th class="text">{text(names[row])}</th>{cells}</tr>')
    return Trusted(f'<div class="wide"><table class="matrix">{"".join(rows)}</table></div>')


def _cell(count: int, total: int, same: bool) -> str:
    color = with_alpha(ACCENT if same else VERMILLION, 0.9 * count / total) if count else "transparent"
    kind = ' class="self"' if same else ""
    return f'<td{kind} style="background:{color}">{f"{count:,}" if count else ""}</td>'


def confusion_lead(evaluation: Evaluation) -> str:
    """What the matrix shows, in a sentence."""
    matrix = evaluation.confusion
    known = int((matrix.counts[1:].sum(axis=1) > 0).sum())
    some = f" The {_MOST_CELLS} largest of {known} categories." if known > _MOST_CELLS else ""
    return (
        "Rows are what an object is, columns what it is found as, from score "
        f"{matrix.score:g} and IoU {matrix.iou:g} on.{some}"
    )
