"""At the server's door: a session that holds as many uploaded bytes as it may sends no more.

Pages say it in a sentence (`viz_app.jobs.quotas`), but only after a file has arrived; this bounds the memory of
whoever sends many at once, or without a page.
"""

from __future__ import annotations

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime

from viz_app.jobs.quotas import MOST_IMAGES, SESSION_BYTES, words

# More than a page takes: it says in a sentence what it left out.
MOST_FILES, MOST_BYTES = 4 * MOST_IMAGES, SESSION_BYTES * 5 // 4
_PLACE = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+")


class UploadGate:
    """Answers 413 to a file for which its session has no room; everything else passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (the ASGI interface)."""
        place = _PLACE.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if place is None or scope["method"] not in ("PUT", "POST") or has_room(place[1], _length(scope)):
            await self._app(scope, receive, send)
            return
        sentence = f"This session has uploaded {MOST_FILES} files or {words(MOST_BYTES)}: remove some first."
        await PlainTextResponse(sentence, 413)(scope, receive, send)


def has_room(session: str, size: int) -> bool:
    """Whether a session may send another file.

    Args:
        session: its number.
        size: bytes of the request, as it says; what it sends beyond them is not read.
    """
    storage = getattr(runtime.get_instance().uploaded_file_mgr, "file_storage", {})
    files = list(dict(storage.get(session, {})).values())
    return len(files) < MOST_FILES and sum(len(file.data) for file in files) + size <= MOST_BYTES


def _length(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"")
    return int(text) if text.isdigit() else 0
