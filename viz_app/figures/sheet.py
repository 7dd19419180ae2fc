"""Several pictures of one image on one sheet, each with its title and legend: as pixels, and as a web page.

A drawing is uint8 RGB [h, w, 3]; a page is one HTML file that needs nothing from the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from torch import Tensor

from viz_app.figures.lettering import Lettering
from viz_app.figures.names_as_text import names_as_text
from viz_app.figures.palette import rgba
from viz_app.figures.picture import CONFIG, BoxGroup, legend_html, legend_words, picture
from viz_app.figures.policy import policy_meta, scripts_in
from viz_app.figures.raster import box_coverage, draw_picture

_MOST_COLUMNS = 3
_SIDES = {1: (640, 1400), 2: (560, 900), 3: (480, 640)}
_MARGIN, _GAP, _SWATCH = 24, 20, 22
_PAPER = 255
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{policy}<title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 24px auto; padding: 0 24px; max-width: 1840px; }}
h1 {{ font-size: 1.4rem; margin: 0 0 1rem; }} h2 {{ font-size: 1rem; margin: 0 0 0.5rem; }}
main {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 24px; }}
.picture {{ aspect-ratio: {width} / {height}; max-width: calc(85vh * {width} / {height}); }}
.strip {{ margin-bottom: 1.5rem; }} footer {{ margin-top: 1.5rem; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --st-text-color: #e6eaef; --st-background-color: #12171e; --st-border-color: #323a45;
    --st-red-color: #ff8a80; }}
}}
</style><script>{script}</script></head>
<body><h1>{title}</h1>{head}<main>{panels}</main><footer>{words}</footer></body></html>
"""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture of a sheet.

    Args:
        title: above it.
        groups: boxes, image frame, drawn in this order.
        overlay: uint8 [h, w, 4] RGBA beneath the boxes, stretched over the image.
        note: one sentence below the legend.
    """

    title: str
    groups: tuple[BoxGroup, ...]
    overlay: Tensor | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Pictures of one image.

    Args:
        title: of the whole sheet.
        pixels: uint8 [3, H, W].
        panels: at least one.
        words: sentences below the pictures.
        head: HTML above the pictures of a web page, trusted.
    """

    title: str
    pixels: Tensor
    panels: tuple[Panel, ...]
    words: tuple[str, ...] = ()
    head: str = ""


def draw_sheet(sheet: Sheet) -> np.ndarray:
    """The whole sheet on white, at most three pictures in a row."""
    columns = min(_MOST_COLUMNS, len(sheet.panels))
    drawn = [_draw_panel(sheet.pixels, panel, _SIDES[columns]) for panel in sheet.panels]
    rows = [_beside(drawn[start : start + columns]) for start in range(0, len(drawn), columns)]
    width = max(row.shape[1] for row in rows)
    parts = [_text(Lettering(20, bold=True), [sheet.title], width), *rows]
    if sheet.words:
        parts.append(_text(Lettering(14), sheet.words, width))
    margins = ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
    return np.pad(_below(parts), margins, constant_values=_PAPER)


def sheet_figures(sheet: Sheet) -> list[go.Figure]:
    """Each picture of the sheet as a plotly figure that answers the pointer."""
    return [picture(sheet.pixels, panel.groups, overlay=panel.overlay) for panel in sheet.panels]


def sheet_html(sheet: Sheet) -> str:
    """The sheet as a web page with plotly inside, so that it opens anywhere and without a network."""
    parts, scripts = [], [get_plotlyjs()]
    for panel, figure in zip(sheet.panels, sheet_figures(sheet), strict=True):
        figure.update_layout(height=None, autosize=True)
        drawn = names_as_text(figure).to_html(
            full_html=False, include_plotlyjs=False, config={**CONFIG, "responsive": True}
        )
        scripts += scripts_in(drawn)  # Plotly escapes what comes from data.
        note = f"<p>{escape(panel.note)}</p>" if panel.note else ""
        legend = legend_html([group for group in panel.groups if len(group)])
        title = f"<h2>{escape(panel.title)}</h2>" if panel.title else ""
        parts.append(f'<section>{title}<div class="picture">{drawn}</div>{legend}{note}</section>')
    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in sheet.words)
    height, width = sheet.pixels.shape[1:]
    return _PAGE.format(
        title=escape(sheet.title), script=scripts[0], policy=policy_meta(scripts), head=sheet.head,
        panels="".join(parts), words=words, width=width, height=height,
    )  # fmt: skip


def draw_legend(groups: Sequence[BoxGroup], width: int) -> np.ndarray:
    """The legend as pixels, wrapped to `width` px: a piece of each group's line, its name and its count."""
    lettering = Lettering(13)
    places, x, y = [], 0, 0
    for group in groups:
        wide = _SWATCH + 6 + lettering.size(legend_words(group))[0] + 16
        if x and x + wide > width:
            x, y = 0, y + lettering.line
        places.append((x, y))
        x += wide
    drawing = _paper(y + lettering.line, width)
    for group, (x, y) in zip(groups, places, strict=True):
        _draw_swatch(drawing[y : y + lettering.line, x : x + _SWATCH], group)
        lettering.write(drawing, legend_words(group), (x + _SWATCH + 6, y + 1))
    return drawing


def _draw_swatch(place: np.ndarray, group: BoxGroup) -> None:
    """A piece of the group's line across `place`: its halo, where it has one, and its dashes."""
    middle = place.shape[0] / 2
    line = np.array([[0.0, middle, place.shape[1], middle]])
    for color, width, dash in (
        (group.halo, 5.0, 0.0),
        (group.color, 2.5, 0.0 if group.dash == "solid" else 4.0),
    ):
        if color is None:
            continue
        (tint, alpha), size = rgba(color), (place.shape[0], place.shape[1])
        weight = (box_coverage(line, size, width, dash) * alpha)[..., None]
        place[:] = np.rint(place * (1 - weight) + np.array(tint) * weight)


def _draw_panel(pixels: Tensor, panel: Panel, sides: tuple[int, int]) -> np.ndarray:
    drawing = draw_picture(pixels, panel.groups, overlay=panel.overlay, sides=sides)
    width = drawing.shape[1]
    parts = [_text(Lettering(15, bold=True), [panel.title], width)] if panel.title else []
    parts.append(drawing)
    drawn = [group for group in panel.groups if len(group)]
    if drawn:
        parts.append(draw_legend(drawn, width))
    if panel.note:
        parts.append(_text(Lettering(13), [panel.note], width))
    return _below(parts, gap=8)


def _text(lettering: Lettering, paragraphs: Sequence[str], width: int) -> np.ndarray:
    lines = [line for paragraph in paragraphs for line in lettering.wrapped(paragraph, width)]
    drawing = _paper(lettering.line * len(lines), width)
    for place, line in enumerate(lines):
        lettering.write(drawing, line, (0, place * lettering.line))
    return drawing


def _beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    height = max(part.shape[0] for part in parts)
    spaced = [
        part
        for drawing in parts
        for part in (_paper(height, _GAP), _filled(drawing, height, drawing.shape[1]))
    ]
    return np.hstack(spaced[1:])


def _below(parts: Sequence[np.ndarray], gap: int = _GAP) -> np.ndarray:
    width = max(part.shape[1] for part in parts)
    spaced = [
        part for drawing in parts for part in (_paper(gap, width), _filled(drawing, drawing.shape[0], width))
    ]
    return np.vstack(spaced[1:])


def _filled(drawing: np.ndarray, height: int, width: int) -> np.ndarray:
    """The drawing at the upper left of a paper of this size."""
    paper = _paper(height, width)
    paper[: drawing.shape[0], : drawing.shape[1]] = drawing
    return paper


def _paper(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), _PAPER, dtype=np.uint8)
