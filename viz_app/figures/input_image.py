"""The image as the file holds it and as the network gets it: resized, normalised, padded.

Shapes: (H, W) image frame; (h, w) network frame, after the resize; (h', w') padded. Boxes say their frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor

from detector.tracing.trace import Trace
from viz_app.figures.charts import calm
from viz_app.figures.palette import ACCENT, DARK_HALO, GREEN, GREY, GROUND_TRUTH, VERMILLION, with_alpha
from viz_app.figures.picture import BoxGroup
from viz_app.figures.words import size_words
from viz_app.links import Selected

if TYPE_CHECKING:
    from detector.models.detector import Detector

Frame = Literal["image", "network"]
CHANNELS = ("red", "green", "blue")
# Not pure red, green and blue: these three stay apart for colour-blind readers too.
_CHANNEL_COLORS = (VERMILLION, GREEN, ACCENT)
_STRIPE = 8
_BINS = 64


@dataclass(frozen=True, slots=True)
class InputRules:
    """What a model does to an image before the backbone sees it (torchvision's `GeneralizedRCNNTransform`).

    Args:
        mean, std: of the normalisation, per channel, for values from 0 to 1.
        min_size, max_size: bounds of the shorter and the longer side after the resize, px; None where the
            model resizes to a fixed size or not at all.
        fixed_size: (height, width) that every image gets, px, or None.
        divisor: sides are padded up to a multiple of it, px.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    min_size: int | None
    max_size: int | None
    fixed_size: tuple[int, int] | None
    divisor: int

    @classmethod
    def from_detector(cls, detector: Detector) -> InputRules:
        """The rules of a detector."""
        transform: Any = detector.model.transform
        fixed = transform.fixed_size
        free = fixed is None and not transform._skip_resize
        return cls(
            tuple(map(float, transform.image_mean)), tuple(map(float, transform.image_std)),
            int(transform.min_size[-1]) if free else None, int(transform.max_size) if free else None,
            None if fixed is None else (int(fixed[1]), int(fixed[0])), int(transform.size_divisible),
        )  # fmt: skip


def factors(trace: Trace) -> tuple[float, float]:
    """Network pixels per image pixel along y and x; they differ a little, because sides are whole pixels."""
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    return rows / height, columns / width


def padding(trace: Trace) -> tuple[int, int]:
    """Rows below and columns to the right of the image that are padding, px, network frame."""
    (rows, columns), (height, width) = trace.input.network_size, trace.input.tensor.shape[-2:]
    return height - rows, width - columns


def padding_words(trace: Trace) -> str:
    """Where padding was added, such as `22 px below`; empty where none was."""
    below, right = padding(trace)
    parts = [f"{right} px on the right"] * (right > 0) + [f"{below} px below"] * (below > 0)
    return " and ".join(parts)


def turned_back(trace: Trace, rules: InputRules) -> Tensor:
    """The network's input without its normalisation, float [3, h, w], 0 to 1; the padding is cut off."""
    rows, columns = trace.input.network_size
    values = trace.input.tensor[:, :rows, :columns].detach().float().cpu()
    mean, std = (torch.tensor(part)[:, None, None] for part in (rules.mean, rules.std))
    return values * std + mean


def network_picture(values: Tensor, padded: Sequence[int]) -> Tensor:
    """An image [3, h, w], 0 to 1, as uint8 [3, h', w']; the padding is striped."""
    height, width = padded[-2:]
    y, x = torch.arange(height)[:, None], torch.arange(width)[None]
    stripes = torch.where((x + y) // _STRIPE % 2 == 0, 120, 170).to(torch.uint8)
    picture = stripes.expand(3, height, width).clone()
    pixels = (values.nan_to_num(0) * 255).round().clamp(0, 255).to(torch.uint8)
    picture[:, : values.shape[1], : values.shape[2]] = pixels
    return picture


def truth_groups(trace: Trace, frame: Frame) -> list[BoxGroup]:
    """Ground truth with ids and classes, in one of the two frames; none where it is not known."""
    truth = trace.ground_truth
    if truth is None or len(truth) == 0:
        return []
    boxes = truth.boxes if frame == "image" else trace.to_network(truth.boxes)
    names = [f"#{index} {trace.categories[label]}" for index, label in enumerate(truth.labels.tolist())]
    hover = tuple(
        f"{name}<br>{size_words(box)} px, {frame} frame" for name, box in zip(names, boxes, strict=True)
    )
    items = tuple(Selected("object", index) for index in range(len(truth)))
    return [
        BoxGroup(
            boxes, "ground truth", GROUND_TRUTH, dash="dash", width=1.75, halo=DARK_HALO, hover=hover,
            labels=tuple(names), items=items,
        )
    ]  # fmt: skip


def padding_groups(trace: Trace) -> list[BoxGroup]:
    """The edge of the image inside its padding, network frame; nothing where nothing was padded."""
    rows, columns = trace.input.network_size
    if padding(trace) == (0, 0):
        return []
    edge = torch.tensor([[0.0, 0.0, float(columns), float(rows)]])
    return [BoxGroup(edge, "image inside its padding", GREY, dash="dot", width=1.5, counted=False)]


def object_frames_table(trace: Trace) -> pd.DataFrame:
    """One row for each object: category, and size and corners in both frames, px."""
    truth = trace.ground_truth
    assert truth is not None
    inside = trace.to_network(truth.boxes)
    return pd.DataFrame(
        {
            "": [f"#{index}" for index in range(len(truth))],
            "category": [trace.categories[label] for label in truth.labels.tolist()],
            "image frame, px": [size_words(box) for box in truth.boxes],
            "network frame, px": [size_words(box) for box in inside],
            "image x, y": [f"{float(box[0]):.0f}, {float(box[1]):.0f}" for box in truth.boxes],
            "network x, y": [f"{float(box[0]):.0f}, {float(box[1]):.0f}" for box in inside],
        }
    )


def channel_table(trace: Trace, rules: InputRules) -> pd.DataFrame:
    """One row for each channel: the file's mean (0 to 1), the rule's mean and std, and what came of it."""
    raw = trace.input.pixels.float() / 255
    rows, columns = trace.input.network_size
    normalised = trace.input.tensor[:, :rows, :columns].float()
    return pd.DataFrame(
        {
            "channel": list(CHANNELS),
            "mean of the image": raw.mean(dim=(1, 2)).tolist(),
            "minus": list(rules.mean),
            "divided by": list(rules.std),
            "lowest": normalised.amin(dim=(1, 2)).tolist(),
            "mean": normalised.mean(dim=(1, 2)).tolist(),
            "std": normalised.std(dim=(1, 2), correction=0).tolist(),
            "highest": normalised.amax(dim=(1, 2)).tolist(),
        }
    )


def file_histogram(trace: Trace) -> go.Figure:
    """How the values of the file spread, per channel: share of its pixels by value, 0 to 255."""
    return _channel_lines(trace.input.pixels.float(), (0.0, 255.0), "value in the file, 0 to 255")


def normalised_histogram(trace: Trace) -> go.Figure:
    """How the values that the network gets spread, per channel; the padding is left out."""
    rows, columns = trace.input.network_size
    values = trace.input.tensor[:, :rows, :columns].detach().float().cpu()
    finite = values[torch.isfinite(values)]
    low, high = (float(value) for value in finite.aminmax()) if len(finite) else (0.0, 1.0)
    figure = _channel_lines(values, (low, max(high, low + 1e-6)), "normalised value, standard deviations")
    if low < 0 < high:
        figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    return figure


def _channel_lines(values: Tensor, span: tuple[float, float], unit: str) -> go.Figure:
    figure = go.Figure()
    edges = np.linspace(*span, _BINS + 1)
    for name, color, channel in zip(CHANNELS, _CHANNEL_COLORS, values, strict=True):
        counts = torch.histc(channel, _BINS, *span)
        figure.add_scatter(
            x=(edges[:-1] + edges[1:]) / 2, y=(counts / channel.numel()).tolist(), name=name, mode="lines",
            line={"color": color, "width": 1.75, "shape": "hvh"}, fill="tozeroy", opacity=0.9,
            fillcolor=with_alpha(color, 0.12),
            hovertemplate=f"{name} %{{x:.3g}}<br>%{{y:.2%}} of the pixels<extra></extra>",
        )  # fmt: skip
    calm(figure, x=unit, y="share of the pixels", height=230)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.12, "x": 0, "font": {"size": 11}}
    )
    return figure


def pixel_words(trace: Trace, x: float, y: float) -> str:
    """The values of the pixel at (x, y) of the image frame, in the file and where the network gets it."""
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    column, row = min(int(x), width - 1), min(int(y), height - 1)
    raw = zip(CHANNELS, trace.input.pixels[:, row, column].tolist(), strict=True)
    place = min(int(y * rows / height), rows - 1), min(int(x * columns / width), columns - 1)
    given = ", ".join(f"{value:+.2f}" for value in trace.input.tensor[:, place[0], place[1]].tolist())
    return (
        f"Pixel ({column}, {row}): {', '.join(f'{name} {value}' for name, value in raw)}. "
        f"The network gets {given} at ({place[1]}, {place[0]})."
    )
