"""A person at the app without a browser: one session over Streamlit's own WebSocket, in its own messages.

A session keeps what a page keeps: the widgets that the last run drew, their values, and the address. It speaks to
this machine only. After streamlit's frontend (`App.tsx`, `WidgetStateManager`) and its server's WebSocket handler.
"""

from __future__ import annotations

import asyncio
import http.client
import uuid
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from viz_app.binding import is_public

_COOKIE = "_streamlit_xsrf"
_DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget that the last run drew.

    Args:
        kind: its field in `Element`, such as `slider`.
        proto: as it came.
        fragment: that it belongs to; empty for none.
    """

    kind: str
    proto: Any
    fragment: str


@dataclass(slots=True)
class Session:
    """One open page.

    Args:
        url: of the server, on this machine.
        patience: seconds until a run counts as lost.

    Raises:
        ValueError: the server is on another machine.
    """

    url: str
    patience: float = 120.0
    errors: list[str] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    received: int = 0
    _widgets: dict[str, Widget] = field(default_factory=dict)
    _values: dict[str, WidgetState] = field(default_factory=dict)
    _page: str = ""
    _query: str = ""
    _id: str = ""
    _token: str = ""
    _socket: ClientConnection | None = None

    def __post_init__(self) -> None:
        if is_public(urlsplit(self.url).hostname or ""):
            raise ValueError(f"{self.url} is on another machine: only this one is asked")

    async def __aenter__(self) -> Session:
        self._token = await asyncio.to_thread(self._fetch_token)
        place = self.url.replace("http://", "ws://")
        self._socket = await connect(
            f"{place}/_stcore/stream", origin=Origin(self.url), max_size=None,
            subprotocols=[Subprotocol("streamlit"), Subprotocol(self._token)],
            additional_headers={"Cookie": f"{_COOKIE}={self._token}"}, open_timeout=self.patience,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()

    def find(self, kind: str, label: str = "") -> Widget | None:
        """The first widget of that kind whose label begins so, None where the page has none."""
        found = (widget for widget in self._widgets.values() if widget.kind == kind)
        return next((widget for widget in found if widget.proto.label.startswith(label)), None)

    async def open(self, page: str = "") -> None:
        """Ask for a page as an address does, and wait until it is drawn."""
        await self._rerun(page_name=page)

    async def go(self, page: str) -> None:
        """Click a page of the navigation, and wait until it is drawn."""
        self._page, self._query = self.pages[page], ""
        await self._rerun()

    async def set(self, widget: Widget, value: WidgetState) -> None:
        """Give a widget a value, and wait until the page is drawn anew."""
        value.id = widget.proto.id
        self._values[value.id] = value
        await self._rerun(fragment_id=widget.fragment)

    async def upload(self, widget: Widget, name: str, content: bytes) -> None:
        """Give a file to an uploader, and wait until the page is drawn anew."""
        asked = BackMsg()
        asked.file_urls_request.request_id = uuid.uuid4().hex
        asked.file_urls_request.session_id = self._id
        asked.file_urls_request.file_names.append(name)
        await self._send(asked)
        urls = (await self._until("file_urls_response")).file_urls_response.file_urls[0]
        await asyncio.to_thread(self._put, urls, name, content)
        state = WidgetState(id=widget.proto.id)
        info = state.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(content), file_id=urls.file_id
        )
        info.file_urls.CopyFrom(urls)
        self._values[widget.proto.id] = state
        await self._rerun(fragment_id=widget.fragment)

    async def walk_out(self) -> None:
        """Ask for the page anew and do not wait: who closes the window while it is drawn."""
        await self._ask("", "")

    async def _rerun(self, *, page_name: str = "", fragment_id: str = "") -> None:
        await self._ask(page_name, fragment_id)
        while (await self._until("script_finished")).script_finished not in _DONE:
            pass
        # As a page does: the value of a widget that is gone goes, too.
        self._values = {name: value for name, value in self._values.items() if name in self._widgets}

    async def _ask(self, page_name: str, fragment_id: str) -> None:
        if not fragment_id:
            self._widgets = {}
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string, state.page_name, state.page_script_hash = self._query, page_name, self._page
        state.fragment_id = fragment_id
        state.widget_states.widgets.extend(self._values.values())
        await self._send(asked)

    async def _send(self, message: BackMsg) -> None:
        assert self._socket is not None
        await self._socket.send(message.SerializeToString())

    async def _until(self, kind: str) -> ForwardMsg:
        """Take in what comes, up to a message of that kind; TimeoutError where none comes."""
        assert self._socket is not None
        async with asyncio.timeout(self.patience):
            while True:
                message = ForwardMsg()
                data = await self._socket.recv(decode=False)
                message.ParseFromString(data)
                self.received += len(data)
                self._take(message)
                if message.WhichOneof("type") == kind:
                    return message

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._id = message.new_session.initialize.session_id or self._id
                self._page = message.new_session.page_script_hash
            case "navigation":
                self.pages = {
                    page.url_pathname: page.page_script_hash for page in message.navigation.app_pages
                }
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "delta":
                self._draw(message.delta)
            case "script_finished" if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                raise RuntimeError("the app does not compile")

    def _draw(self, delta: Delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        proto = getattr(delta.new_element, kind)
        if kind == "exception":
            self.errors.append(f"{proto.type}: {proto.message}"[:300])
        elif kind == "alert" and proto.format == Alert.ERROR:
            self.errors.append(f"box: {proto.body}"[:300])
        elif hasattr(proto, "label") and hasattr(proto, "id"):
            self._widgets[proto.id] = Widget(kind, proto, delta.fragment_id)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self.patience)

    def _fetch_token(self) -> str:
        connection = self._connection()
        try:
            connection.request("GET", "/_stcore/health")
            answer = connection.getresponse()
            answer.read()
            cookie = answer.getheader("set-cookie") or ""
            return cookie.removeprefix(f"{_COOKIE}=").partition(";")[0]
        finally:
            connection.close()

    def _put(self, urls: FileURLs, name: str, content: bytes) -> None:
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        headers = {
            "Cookie": f"{_COOKIE}={self._token}", "X-Xsrftoken": self._token,
            "Content-Type": f"multipart/form-data; boundary={edge}",
        }  # fmt: skip
        connection = self._connection()
        try:
            connection.request(
                "PUT", urls.upload_url, head.encode() + content + f"\r\n--{edge}--\r\n".encode(), headers
            )
            answer = connection.getresponse()
            answer.read()
            if answer.status != 204:
                self.errors.append(f"upload: status {answer.status}")
        finally:
            connection.close()
