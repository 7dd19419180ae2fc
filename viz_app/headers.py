"""Headers that every answer of the server carries: what a browser may do with it, and what not.

Pages run the app's own scripts and nothing from elsewhere. Media (images, downloads) are shown or saved, never run:
their names come from users, and so may their contents.
"""

from __future__ import annotations

from pathlib import Path

import streamlit
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from viz_app.figures.policy import script_hash, scripts_in

_SHELL = Path(streamlit.__file__).parent / "static" / "index.html"
_INLINE = " ".join(script_hash(script) for script in scripts_in(_SHELL.read_text(encoding="utf-8")) if script)
_PAGE = "; ".join(
    (
        "default-src 'self'",
        # Streamlit's reader of messages does its sums of 64 bits in WebAssembly.
        f"script-src 'self' blob: 'wasm-unsafe-eval' {_INLINE}",
        # Streamlit and plotly write styles while they run.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
# An opened file has an origin of its own and no scripts; `style-src` is for pictures in SVG.
_MEDIA = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
_MOST = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
PAGE_HEADERS = (*_MOST, (b"content-security-policy", _PAGE.encode()))
MEDIA_HEADERS = (*_MOST, (b"content-security-policy", _MEDIA.encode()))


class WithHeaders:
    """Adds the headers to every answer as it starts; bodies, streams and WebSockets pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (the ASGI interface)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = MEDIA_HEADERS if "/media/" in scope["path"] else PAGE_HEADERS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)
