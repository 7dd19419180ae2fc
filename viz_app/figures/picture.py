"""A picture with boxes: one image, any number of boxes, a handful of traces.

Boxes are float xyxy [n, 4] in the **image** frame. Each group of boxes is one scatter trace with gaps (a
shape for each box makes plotly quadratic), plus one trace of invisible markers that answers the pointer.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import cv2
import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from viz_app.figures.palette import text_on
from viz_app.links import Selected

Dash = Literal["solid", "dash", "dot"]
CONFIG = {"displayModeBar": False, "displaylogo": False}
"""What `st.plotly_chart` and `Figure.write_html` should be given for a calm picture."""
MOST_LABELS = 60
"""Labels drawn of each group: more cover the picture."""

_WIDEST = 500
_HEIGHTS = (260, 620)
_DISPLAY_SIDE = 1600


@dataclass(frozen=True, slots=True, eq=False)
class BoxGroup:
    """Boxes that look alike.

    Args:
        boxes: float [n, 4], xyxy, **image** frame.
        name: what they are, for the legend.
        color: of the lines, as `#RRGGBB`.
        dash: style of the lines.
        width: of the lines, in screen pixels.
        hover: n texts shown under the pointer; none by default.
        labels: n texts shown on the picture; none by default.
        halo: colour of a wider line drawn beneath, so that the group reads on any image.
        opacity: of the lines, 0 to 1.
        total: how many there are, where only some of them are drawn; n by default.
        counted: the legend says how many.
        items: what is selected by a click on each of the n boxes, None for nothing; nothing by default.

    Raises:
        ValueError: boxes of another shape, or a number of texts that does not fit.
    """

    boxes: Tensor
    name: str
    color: str
    dash: Dash = "solid"
    width: float = 2.0
    hover: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    halo: str | None = None
    opacity: float = 1.0
    total: int | None = None
    counted: bool = True
    items: tuple[Selected | None, ...] = ()

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes of {self.name!r} have shape {tuple(self.boxes.shape)}; expected [n, 4]")
        for what, texts in (("hover", self.hover), ("labels", self.labels), ("items", self.items)):
            if texts and len(texts) != len(self.boxes):
                raise ValueError(f"{len(texts)} {what} for {len(self.boxes)} boxes of {self.name!r}")

    def __len__(self) -> int:
        return len(self.boxes)


def picture(
    pixels: Tensor,
    groups: Sequence[BoxGroup] = (),
    *,
    overlay: Tensor | None = None,
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """The image with boxes on it, one pixel of the image being one unit of both axes.

    Args:
        pixels: uint8 [3, H, W].
        groups: drawn in this order, later ones on top; empty groups are left out.
        overlay: uint8 [h, w, 4] RGBA, stretched over the image, beneath the boxes.
        title: a line above the picture.
        height: in screen pixels; fits the image by default.
    """
    figure = go.Figure()
    image_height, image_width = pixels.shape[1:]
    sources = _sources(pixels, overlay)
    for place, source in enumerate(sources):
        # Plotly draws only the first of several images of one place and size: the overlay is a hair wider.
        figure.add_layout_image(
            source=source, xref="x", yref="y", x=0, y=0, sizex=image_width * (1 + 1e-9 * place),
            sizey=image_height, sizing="stretch", layer="below",
        )  # fmt: skip
    drawn = [group for group in groups if len(group)]
    for group in drawn:
        figure.add_traces(_lines(group))
    # Markers come after all lines: a line on top of them would take the pointer away.
    for group in drawn:
        if group.hover:
            figure.add_trace(_markers(group))
        for note in _labels(group):
            figure.add_annotation(note)
    _frame(figure, (image_height, image_width), title, height or picture_height(image_height, image_width))
    return figure


def box_path(boxes: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """x and y, float [6 n], of closed rectangles that NaN separates: five corners and a gap for each box."""
    corners = boxes.detach().cpu().double().numpy()
    gap = np.full(len(corners), np.nan)
    x1, y1, x2, y2 = corners.T
    xs = np.stack((x1, x2, x2, x1, x1, gap), axis=1).ravel()
    ys = np.stack((y1, y1, y2, y2, y1, gap), axis=1).ravel()
    return xs, ys


def jpeg_bytes(pixels: Tensor) -> bytes:
    """uint8 [3, H, W] as a JPEG file, at most 1600 pixels wide and high."""
    image = np.ascontiguousarray(pixels.detach().cpu().permute(1, 2, 0).numpy())
    height, width = display_size(image.shape[:2])
    if (height, width) != image.shape[:2]:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    # Without colour subsampling: small pictures are shown enlarged, and coloured edges would smear.
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        92,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)[1].tobytes()


def png_bytes(overlay: Tensor, effort: int | None = None) -> bytes:
    """uint8 [h, w, 4] RGBA as a PNG file; an effort from 0 to 9 goes into making it small."""
    settings = [] if effort is None else [cv2.IMWRITE_PNG_COMPRESSION, effort]
    return cv2.imencode(".png", cv2.cvtColor(overlay.numpy(), cv2.COLOR_RGBA2BGRA), settings)[1].tobytes()


def _sources(pixels: Tensor, overlay: Tensor | None) -> list[str]:
    image = _uri("jpeg", jpeg_bytes(pixels))
    return [image] if overlay is None else [image, _uri("png", png_bytes(overlay))]


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode()


def display_size(image_size: Sequence[int]) -> tuple[int, int]:
    """Height and width of the pixels that are sent of an image: its own, or 1600 on the longer side."""
    scale = min(1.0, _DISPLAY_SIDE / max(image_size))
    return max(1, round(image_size[0] * scale)), max(1, round(image_size[1] * scale))


def picture_height(image_height: int, image_width: int) -> int:
    """Screen pixels that show the image at the width of a page's main column."""
    low, high = _HEIGHTS
    return int(min(max(_WIDEST * image_height / image_width, low), high))


def legend_html(groups: Sequence[BoxGroup]) -> str:
    """One line of HTML that names the groups with a swatch and a count, for below the picture."""
    styles = {"solid": "solid", "dash": "dashed", "dot": "dotted"}
    parts = []
    for group in groups:
        swatch = f"border-top:2px {styles[group.dash]} {group.color};background:{group.halo or 'none'};"
        place = "display:inline-block;width:1.4em;height:4px;vertical-align:middle;margin-right:0.4em"
        text = f'<span style="{swatch}{place}"></span>{escape(legend_words(group))}'
        parts.append(f'<span style="white-space:nowrap;margin-right:1.1em">{text}</span>')
    return f'<div style="font-size:0.875rem;opacity:0.75;line-height:1.7">{"".join(parts)}</div>'


def legend_words(group: BoxGroup) -> str:
    """What a group is and how many boxes of it are drawn, such as `suppressed 50 of 1,204`."""
    if not group.counted:
        return group.name
    whole = "" if group.total is None or group.total == len(group) else f" of {group.total:,}"
    return f"{group.name} {len(group):,}{whole}"


def _lines(group: BoxGroup) -> list[go.Scatter]:
    xs, ys = box_path(group.boxes)
    style = {"x": xs, "y": ys, "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    lines = []
    if group.halo:
        width = group.width + 1.5
        lines.append(
            go.Scatter(**style, name=f"{group.name} (halo)", line={"color": group.halo, "width": width})
        )
    line = {"color": group.color, "width": group.width, "dash": group.dash}
    lines.append(go.Scatter(**style, name=group.name, line=line, opacity=group.opacity))
    return lines


def _markers(group: BoxGroup) -> go.Scatter:
    """Invisible markers at the centre and corners of each box; customdata is its place in the group."""
    boxes = group.boxes.detach().cpu().double().numpy()
    x1, y1, x2, y2 = boxes.T
    xs = np.stack(((x1 + x2) / 2, x1, x2, x2, x1), axis=1).ravel()
    ys = np.stack(((y1 + y2) / 2, y1, y1, y2, y2), axis=1).ravel()
    places = np.repeat(np.arange(len(boxes)), 5)
    texts = [group.hover[place] for place in places]
    label = {"bgcolor": group.color, "bordercolor": group.color, "font": {"color": text_on(group.color)}}
    return go.Scatter(
        x=xs, y=ys, mode="markers", marker={"size": 14, "opacity": 0}, name=f"{group.name} (hover)",
        customdata=places, text=texts, hovertemplate="%{text}<extra></extra>", hoverlabel=label,
        showlegend=False,
    )  # fmt: skip


def _labels(group: BoxGroup) -> list[go.layout.Annotation]:
    notes = []
    boxes = group.boxes[:MOST_LABELS].tolist()
    for text, (x1, y1, _, _) in zip(group.labels, boxes, strict=False):
        # A label of a box at the top edge goes inside it; above it, it would leave the picture.
        anchor = "bottom" if y1 > 12 else "top"
        notes.append(
            go.layout.Annotation(
                x=max(x1, 0), y=max(y1, 0), xanchor="left", yanchor=anchor, text=escape(text),
                showarrow=False, bgcolor=group.color, borderpad=1,
                font={"color": text_on(group.color), "size": 11},
            )
        )  # fmt: skip
    return notes


def _frame(figure: go.Figure, size: tuple[int, int], title: str | None, height: int) -> None:
    """Equal aspect, no axes, tight margins, transparent ground."""
    image_height, image_width = size
    plain = {"visible": False, "showgrid": False, "zeroline": False, "constrain": "domain"}
    figure.update_xaxes(range=[0, image_width], constraintoward="center", **plain)
    figure.update_yaxes(range=[image_height, 0], scaleanchor="x", constraintoward="top", **plain)
    figure.update_layout(
        height=height, margin={"l": 0, "r": 0, "t": 28 if title else 0, "b": 0}, title=title,
        hovermode="closest", paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False, dragmode="zoom",
    )  # fmt: skip
