"""Around the script: where the web server listens, whom it answers, and the browser it opens; read once.

Streamlit checks `server.allowedHosts` where a session opens (the WebSocket) and nowhere else. A page elsewhere
that rebinds its own name to this machine would still be served the app's files, media and health.
"""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from viz_app.binding import check_binding
from viz_app.headers import WithHeaders
from viz_app.login import login
from viz_app.upload_gate import UploadGate

if TYPE_CHECKING:
    from streamlit.starlette import App

# Where no settings file names any, as with `streamlit run` from a folder of one's own.
_THIS_MACHINE = ("localhost", "127.0.0.1")


USAGE_ERROR = 2


def end_if_open() -> None:
    """End the process, with a sentence and status 2, where the app would be open to strangers or half closed.

    The server has not answered anybody by then.
    """
    try:
        warning = check_binding(st.get_option("server.address") or "", login=login() is not None)
    except ValueError as refusal:
        print(f"boxscope: {refusal}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    if warning is not None:
        print(f"boxscope: {warning}", file=sys.stderr)


def middleware() -> tuple[Middleware, ...]:
    """What every request passes before Streamlit sees it."""
    return (Middleware(WithHeaders), only_known_hosts(), Middleware(UploadGate))


def only_known_hosts() -> Middleware:
    """Every request under another name than those of `server.allowedHosts` gets 400, before anything sees it."""
    named = [host.strip() for host in st.get_option("server.allowedHosts") or _THIS_MACHINE]
    # A request names an IPv6 address in brackets, the setting has it without.
    allowed = [f"[{host}]" if ":" in host else host for host in named]
    return Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)


@asynccontextmanager
async def opened_in_a_browser(app: App) -> AsyncIterator[None]:
    """While the server runs; at its start it says where, and opens the browser unless `server.headless` is set.

    Streamlit itself does so for a script alone, not for a script with middleware.
    """
    del app
    print(f"Boxscope is open at {_address()} (Ctrl+C ends it)", flush=True)
    if not st.get_option("server.headless"):
        # A thread of its own: some browsers on a terminal return when they are closed.
        Thread(target=webbrowser.open, args=(_address(),), daemon=True).start()
    yield


def _address() -> str:
    host = st.get_option("server.address") or "localhost"
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{st.get_option('server.port')}"
