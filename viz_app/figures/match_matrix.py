"""Objects against detections: how much each pair overlaps, and which pairs are matches.

Shapes: `G` objects, `M` detections. IoU is taken in the **image** frame; for a crowd region it is the share of
the detection inside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import torch
from torch import Tensor

from detector.explaining.matching import overlaps
from viz_app.figures.charts import calm
from viz_app.figures.full_network import detection_items
from viz_app.figures.palette import FALSE_POSITIVE, FOUND, GREY, SELECTED
from viz_app.figures.picture import box_path
from viz_app.links import Selected

if TYPE_CHECKING:
    from detector.explaining.verdicts import Diagnosis

MOST_DETECTIONS = 60
_ROW, _ROOM = 26, 110
_HEIGHTS = (180, 1100)
_MOST_NUMBERS = 20
_STRONG = 0.45
_PALE_TO_BLUE = ((0.0, "rgba(0,114,178,0.05)"), (1.0, "rgba(0,114,178,0.95)"))
_CROWD = "in the crowd: not counted"
MARKERS = "pairs"
"""Name of the trace whose points answer a click; customdata is (object, detection)."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchMatrix:
    """Every object against the strongest detections.

    Args:
        objects: indices of the objects, a row each; crowd regions come last.
        detections: how many of the detections are shown, a column each, best first.
        iou: float64 [objects, detections].
        statuses: what each overlapping pair is, by (object, detection).
    """

    objects: tuple[int, ...]
    detections: int
    iou: Tensor
    statuses: dict[tuple[int, int], str]


def match_matrix(diagnosis: Diagnosis) -> MatchMatrix:
    """Overlaps and matches of the detections of a diagnosis, `MOST_DETECTIONS` at most."""
    replay, truth = diagnosis.replay, diagnosis.truth
    shown = min(len(replay.labels), MOST_DETECTIONS)
    quality = overlaps(replay.boxes[:shown], truth).cpu()
    order = (*(~truth.crowd).nonzero().flatten().tolist(), *truth.crowd.nonzero().flatten().tolist())
    statuses = {
        (index, detection): _status(diagnosis, index, detection, float(quality[detection, index]))
        for detection, index in quality.nonzero().tolist()
    }
    return MatchMatrix(order, shown, quality[:, list(order)].T, statuses)


def matrix_figure(diagnosis: Diagnosis, selected: Selected | None = None) -> go.Figure:
    """The matrix as a heat map; matches are framed, and every overlapping pair answers the pointer.

    A heat map gives no click in Streamlit, hence the invisible squares over it (`MARKERS`).

    Args:
        diagnosis: which detections match which objects.
        selected: the object or the detection whose row or column is marked.
    """
    matrix = match_matrix(diagnosis)
    columns, rows = list(range(matrix.detections)), list(range(len(matrix.objects)))
    figure = go.Figure(
        [
            _heat(matrix),
            # A colour of their own: what is beneath is nearly transparent, on a light page or on a dark one.
            _numbers(matrix, "small overlaps", 0.005, _STRONG, GREY),
            _numbers(matrix, "large overlaps", _STRONG, 2.0, "#FFFFFF"),
            _frames(matrix, "match", "match", FOUND),
            _frames(matrix, "in a crowd", _CROWD, FALSE_POSITIVE),
            _pairs(diagnosis, matrix),
        ]
    )
    height = min(max(_ROOM + _ROW * len(rows), _HEIGHTS[0]), _HEIGHTS[1])
    calm(figure, x="detection, best score first", height=height)
    ticks = [_detection_name(diagnosis, detection) for detection in columns]
    every = max(len(columns) // 20, 1)
    figure.update_xaxes(
        showgrid=False, tickvals=columns[::every], ticktext=ticks[::every],
        tickangle=-35 if len(columns) > 8 else 0, range=[-0.5, max(len(columns), 1) - 0.5],
    )  # fmt: skip
    names = [_object_name(diagnosis, index) for index in matrix.objects]
    figure.update_yaxes(showgrid=False, tickvals=rows, ticktext=names, range=[len(rows) - 0.5, -0.5])
    _mark(figure, diagnosis, matrix, selected)
    return figure


def picked_item(diagnosis: Diagnosis, pair: tuple[int, int], selected: Selected | None) -> Selected | None:
    """What a click on a pair (object, detection) selects: the detection, or its object at the second click."""
    item = detection_items(diagnosis.replay)[pair[1]]
    if item is None or item == selected:
        return None if diagnosis.truth.crowd[pair[0]] else Selected("object", pair[0])
    return item


def _status(diagnosis: Diagnosis, index: int, detection: int, quality: float) -> str:
    matches, replay, truth = diagnosis.matches, diagnosis.replay, diagnosis.truth
    if int(matches.object_of[detection]) == index:
        return _CROWD if truth.crowd[index] else "match"
    if int(replay.labels[detection]) != int(truth.labels[index]):
        return "no match: another category"
    if quality < diagnosis.iou:
        return f"no match: IoU under {diagnosis.iou:g}"
    taken = int(matches.detection_of[index])
    if taken >= 0 and not truth.crowd[index]:
        return f"no match: the object is taken by detection {taken}"
    return "no match: the detection is taken by another object"


def _object_name(diagnosis: Diagnosis, index: int) -> str:
    name = f"#{index} {diagnosis.replay.trace.categories[int(diagnosis.truth.labels[index])]}"
    return f"{name} (crowd)" if diagnosis.truth.crowd[index] else name


def _detection_name(diagnosis: Diagnosis, detection: int) -> str:
    replay = diagnosis.replay
    category = replay.trace.categories[int(replay.labels[detection])]
    return f"{category} {float(replay.scores[detection]):.2f}"


def _heat(matrix: MatchMatrix) -> go.Heatmap:
    return go.Heatmap(
        z=matrix.iou.numpy(), zmin=0, zmax=1, xgap=1, ygap=1, colorscale=_PALE_TO_BLUE, hoverinfo="skip",
        name="IoU", colorbar={"title": "IoU", "thickness": 8, "outlinewidth": 0},
    )  # fmt: skip


def _numbers(matrix: MatchMatrix, name: str, low: float, high: float, color: str) -> go.Scatter:
    """The overlaps from `low` up to `high` as text in their cells, where there is room for numbers."""
    chosen = (matrix.iou >= low) & (matrix.iou < high)
    cells = chosen.nonzero().tolist() if matrix.detections <= _MOST_NUMBERS else []
    return go.Scatter(
        x=[column for _, column in cells], y=[row for row, _ in cells], mode="text", name=name,
        text=[f"{float(matrix.iou[row, column]):.2f}" for row, column in cells],
        textfont={"color": color, "size": 11}, hoverinfo="skip",
    )  # fmt: skip


def _frames(matrix: MatchMatrix, name: str, status: str, color: str) -> go.Scatter:
    """Frames around the cells of this status, as one line with gaps."""
    cells = [
        (detection, matrix.objects.index(index))
        for (index, detection), own in matrix.statuses.items()
        if own == status
    ]
    corners = torch.tensor([[x - 0.47, y - 0.44, x + 0.47, y + 0.44] for x, y in cells]).reshape(-1, 4)
    xs, ys = box_path(corners)
    return go.Scatter(
        x=xs, y=ys, mode="lines", name=name, hoverinfo="skip", line={"color": color, "width": 3}
    )


def _pairs(diagnosis: Diagnosis, matrix: MatchMatrix) -> go.Scatter:
    texts, rows = [], []
    for (index, detection), status in matrix.statuses.items():
        row = matrix.objects.index(index)
        rows.append(row)
        quality = float(matrix.iou[row, detection])
        texts.append(
            f"{_object_name(diagnosis, index)}<br>{detection}: {_detection_name(diagnosis, detection)}"
            f"<br>IoU {quality:.2f}, {status}"
        )
    return go.Scatter(
        x=[detection for _, detection in matrix.statuses], y=rows,
        customdata=[list(pair) for pair in matrix.statuses], text=texts, mode="markers", name=MARKERS,
        hovertemplate="%{text}<extra></extra>", marker={"symbol": "square", "size": 24, "opacity": 0},
    )  # fmt: skip


def _mark(figure: go.Figure, diagnosis: Diagnosis, matrix: MatchMatrix, selected: Selected | None) -> None:
    """A frame around the selected object's row, or the selected detection's column."""
    line = {"color": SELECTED, "width": 2}
    if selected is None:
        return
    if selected.kind == "object" and selected.index in matrix.objects:
        row = matrix.objects.index(selected.index)
        figure.add_shape(
            type="rect", x0=-0.5, x1=matrix.detections - 0.5, y0=row - 0.5, y1=row + 0.5, line=line
        )
    items = detection_items(diagnosis.replay)[: matrix.detections]
    if selected.kind == "detection" and selected in items:
        column = items.index(selected)
        bottom = len(matrix.objects) - 0.5
        figure.add_shape(type="rect", x0=column - 0.5, x1=column + 0.5, y0=-0.5, y1=bottom, line=line)
