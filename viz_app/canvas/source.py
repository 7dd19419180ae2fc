"""The canvas' own files: markup, style and script, for Streamlit and for a page without it."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
_SCRIPTS = (
    "packet.js", "boxes.js", "preview.js", "sidebar.js", "knobs.js",
    "paint.js", "view.js", "gestures.js", "linked.js", "canvas.js",
)  # fmt: skip


def script() -> str:
    """The component's JavaScript, one module."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def markup() -> str:
    """What the component is made of, HTML."""
    return (FOLDER / "canvas.html").read_text(encoding="utf-8")


def style() -> str:
    """The component's CSS, for a shadow root or a scope of its own."""
    return (FOLDER / "canvas.css").read_text(encoding="utf-8")
