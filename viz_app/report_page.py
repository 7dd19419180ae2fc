"""The frame of a report: one HTML file that opens from the disk, asks nothing of the network, and runs no script
but its own.

Canvases are the app's own, mounted without Streamlit; what they draw lies in the page as base64. A content security
policy allows exactly one script, by its hash: markup that slipped in with a data set's texts could run nothing. All
texts are escaped all the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from viz_app.canvas import source
from viz_app.figures.gallery import CSS as GALLERY_CSS
from viz_app.figures.ladder_html import CSS as LADDER_CSS
from viz_app.figures.policy import policy_meta
from viz_app.figures.strip_html import CSS as STRIP_CSS

_HERE = Path(__file__).parent
_STYLES = {"strip": STRIP_CSS, "ladder": LADDER_CSS, "gallery": GALLERY_CSS}
_EXPORT = "export default function (component)"


@dataclass(frozen=True, slots=True)
class Page:
    """A report.

    Args:
        title: for people, not escaped.
        body: HTML, trusted: whoever made it escaped every text in it.
        packets: what canvases draw (`viz_app.canvas.packet.pack`), by the name that `canvas_html` mentions.
    """

    title: str
    body: str
    packets: Mapping[str, bytes] = field(default_factory=dict)


def page_html(page: Page) -> str:
    """The report as one file."""
    script = _script()
    packets = "".join(_packet(name, data) for name, data in page.packets.items())
    styles = "\n".join(_scoped(name, css) for name, css in _STYLES.items())
    styles += (_HERE / "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"{policy_meta([script])}"
        f'<meta name="viewport" content="width=device-width"><title>{escape(page.title)}</title>'
        f"<style>{styles}</style></head><body>{page.body}{packets}"
        f'<script type="module">{script}</script></body></html>\n'
    )


def canvas_html(name: str, targets: Mapping[str, str] | None = None) -> str:
    """The place of a canvas that draws the packet of that name.

    Args:
        name: of the packet.
        targets: what opens when a box is clicked: the id of an element, by `group.place` of the box.
    """
    told = escape(json.dumps(dict(targets or {})))
    return f'<div class="report-canvas" data-packet="{escape(name)}" data-targets="{told}"></div>'


def _packet(name: str, data: bytes) -> str:
    """Data that no browser runs or shows."""
    encoded = base64.b64encode(data).decode()
    return f'<script type="application/octet-stream" id="packet-{escape(name)}">{encoded}</script>'


def _scoped(name: str, css: str) -> str:
    """The app's parts have short class names, each in a place of its own: here too."""
    return f".of-{name} {{\n{css}\n}}"


def _script() -> str:
    """The canvas' module and the report's own script as one, with the canvas' markup and style as texts."""
    canvas = source.script()
    if canvas.count(_EXPORT) != 1:
        raise AssertionError(f"the canvas' script no longer has exactly one {_EXPORT!r}")
    canvas = canvas.replace(_EXPORT, "function mountCanvas(component)")
    texts = {"MARKUP": source.markup(), "STYLE": source.style()}
    # A closing tag within a script would end it.
    constants = "\n".join(
        f"const CANVAS_{name} = {json.dumps(text)};".replace("</", "<\\/") for name, text in texts.items()
    )
    return f"{canvas}\n{constants}\n{(_HERE / 'report.js').read_text(encoding='utf-8')}"
