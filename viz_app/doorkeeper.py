"""Around the script: whom the web server answers, and the browser it opens; the server reads this once.

Streamlit checks `server.allowedHosts` where a session opens (the WebSocket) and nowhere else. A page elsewhere
that rebinds its own name to this machine would still be served the app's files, media and health.
"""

from __future__ import annotations

import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

if TYPE_CHECKING:
    from streamlit.starlette import App

# Where no settings file names any, as with `streamlit run` from a folder of one's own.
_THIS_MACHINE = ("localhost", "127.0.0.1")


def only_known_hosts() -> tuple[Middleware, ...]:
    """Every request under another name than those of `server.allowedHosts` gets 400, before anything sees it."""
    allowed = [host.strip() for host in st.get_option("server.allowedHosts") or _THIS_MACHINE]
    return (Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),)


@asynccontextmanager
async def opened_in_a_browser(app: App) -> AsyncIterator[None]:
    """While the server runs; at its start the browser opens on it, unless `server.headless` says not to.

    Streamlit itself does so for a script alone, not for a script with middleware.
    """
    del app
    if not st.get_option("server.headless"):
        # A thread of its own: some browsers on a terminal return when they are closed.
        Thread(target=webbrowser.open, args=(_address(),), daemon=True).start()
    yield


def _address() -> str:
    host = st.get_option("server.address") or "localhost"
    return f"http://{'localhost' if host in ('0.0.0.0', '::') else host}:{st.get_option('server.port')}"
