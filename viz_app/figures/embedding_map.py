"""All RoIs as points: near where their embeddings are alike. Shapes: `R` RoIs, `K` categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import plotly.graph_objects as go
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.projection import Projection
from detector.tracing.replay import Replay
from viz_app.figures.charts import calm
from viz_app.figures.fast_rcnn import roi_hover
from viz_app.figures.palette import GREY, SELECTED, category_color
from viz_app.figures.roi_refinement import winning_classes

ColorBy = Literal["predicted", "true"]
_MOST_NAMED = 7
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon")


def true_classes(replay: Replay, iou: float = 0.5) -> Tensor:
    """The category of the object that each RoI covers best with at least `iou`, else 0; int64 [R].

    Crowd regions do not count. This is how training labels a RoI, with an IoU of 0.5 in most detectors.
    """
    truth = replay.trace.ground_truth
    boxes = replay.trace.to_image(replay.head.boxes).float().cpu()
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    if truth is None or not bool((~truth.crowd).any()) or len(boxes) == 0:
        return labels
    best = box_iou(boxes, truth.boxes[~truth.crowd].float()).max(dim=1)
    return torch.where(best.values >= iou, truth.labels[~truth.crowd][best.indices], labels)


def embedding_figure(
    replay: Replay,
    plane: Projection,
    labels: Tensor,
    selected: int | None = None,
    *,
    height: int = 430,
) -> go.Figure:
    """The plane of the embeddings, one point for each RoI; its number is the point's custom data.

    Args:
        replay: the RoIs.
        plane: `principal_plane` of their embeddings.
        labels: int64 [R], category of each point; `winning_classes` or `true_classes`.
        selected: the RoI that gets a ring.
        height: in screen pixels.
    """
    figure = go.Figure()
    points = plane.points
    for name, color, symbol, members in _series(labels, replay.trace.categories):
        texts = [f"{text}<br>{name}" for text in roi_hover(replay, members.to(replay.head.level.device))]
        figure.add_scatter(
            x=points[members, 0].tolist(), y=points[members, 1].tolist(), mode="markers", name=name,
            marker={"color": color, "size": 8.5, "symbol": symbol, "line": {"width": 0.5, "color": "white"}},
            opacity=0.55 if color == GREY else 0.9, customdata=members.tolist(), text=texts,
            hovertemplate="%{text}<extra></extra>",
            # A selection is shown by the ring; plotly would fade all other points.
            unselected={"marker": {"opacity": 0.55 if color == GREY else 0.9}},
        )  # fmt: skip
    if selected is not None:
        ring: dict[str, Any] = {"color": SELECTED, "size": 17, "symbol": "circle-open", "line": {"width": 3}}
        figure.add_scatter(
            x=[float(points[selected, 0])], y=[float(points[selected, 1])], mode="markers", name="selected",
            marker=ring, hoverinfo="skip", customdata=[selected],
        )  # fmt: skip
    axes = [f"axis {place + 1}, {share:.0%} of the variance" for place, share in enumerate(plane.shares)]
    calm(figure, x=axes[0], y=axes[1], height=height)
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, dragmode="pan",
        clickmode="event+select",
    )  # fmt: skip
    return figure


def clicked_roi(points: Sequence[dict[str, Any]]) -> int | None:
    """The RoI of a click on the map: what Streamlit reports of the points that plotly selected."""
    for point in points:
        data = point.get("customdata")
        number = data[0] if isinstance(data, list) and data else data
        if isinstance(number, int | float):
            return int(number)
    return None


def _series(labels: Tensor, categories: tuple[str, ...]) -> list[tuple[str, str, str, Tensor]]:
    """Name, colour, symbol and members of each category, the background first; rare ones end as `others`."""
    counts = torch.bincount(labels, minlength=len(categories))
    counts[0] = 0
    named = [label for label in counts.argsort(descending=True, stable=True).tolist() if counts[label]]
    series = [("background", GREY, "circle", (labels == 0).nonzero().flatten())]
    for label in map(int, named[:_MOST_NAMED]):
        members = (labels == label).nonzero().flatten()
        place = (label - 1) % len(_SYMBOLS)
        series.append((categories[label], category_color(label - 1), _SYMBOLS[place], members))
    rest = torch.isin(labels, torch.tensor(named[_MOST_NAMED:], dtype=labels.dtype)).nonzero().flatten()
    series.append(("others", GREY, "x", rest))
    return [entry for entry in series if len(entry[3])]


def labels_of(replay: Replay, by: ColorBy) -> Tensor:
    """Category of each RoI, int64 [R]: what it was taken for, or what it covers."""
    return winning_classes(replay).cpu() if by == "predicted" else true_classes(replay)
