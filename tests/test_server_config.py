"""The settings the app is served under hold in effect, in a folder and a home that ask for the opposite."""

import json
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.app import APP
from support.server import (
    START_SECONDS,
    Server,
    clean_environment,
    free_port,
    request,
    running,
    running_app,
)

from viz_app.bundled import config_file
from viz_app.serving import streamlit_command

HOSTILE = """
[server]
address = "0.0.0.0"
allowedHosts = ["*"]
enableXsrfProtection = false
enableCORS = false
enableStaticServing = true
[browser]
gatherUsageStats = true
[client]
showErrorDetails = "full"
[theme]
primaryColor = "#FF0000"
"""

# What Streamlit obeys and does not show.
UNLISTED = ("logger.hideWelcomeMessage",)

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "Ym94c2NvcGUtYm94c2NvcA==",
    "Sec-WebSocket-Protocol": "streamlit",
}


def _hostile_folder(folder: Path) -> Path:
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text(HOSTILE)
    # As a person's own project might have: `python -m` would import it before the real one.
    (folder / "detector.py").write_text("raise SystemExit('the wrong detector was imported')\n")
    return folder


FOREIGN = ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0")
# The shell of the app, a file of it, health, settings, and where media and uploads would lie.
EVERYWHERE = (
    "/", "/rpn", "/favicon.png", "/_stcore/health", "/_stcore/host-config", "/media/0.png",
    "/_stcore/upload_file/00000000-0000-0000-0000-000000000000/picture",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_app(_hostile_folder(tmp_path_factory.mktemp("hostile"))) as started:
        yield started


@pytest.fixture(scope="module")
def from_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`streamlit run viz_app/app.py`, as the README has it; its browser is a script that writes a file."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    (home / "browser").write_text(f'#!/bin/sh\necho "$1" > {shlex.quote(str(home / "opened"))}\n')
    (home / "browser").chmod(0o755)
    command = [
        "env", f"BROWSER={home / 'browser'} %s", "STREAMLIT_SERVER_HEADLESS=false",
        sys.executable, "-m", "streamlit", "run", "viz_app/app.py", f"--server.port={port}",
    ]  # fmt: skip
    with running(command, port, home=home, folder=APP.parents[1]) as started:
        yield started


def test_it_listens_on_this_machine_only(server: Server) -> None:
    sockets = psutil.Process(server.process_id).net_connections(kind="inet")
    listening = {(s.laddr.ip, s.laddr.port) for s in sockets if s.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", server.port)}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_session_opens_under_the_local_names(server: Server, host: str) -> None:
    named = {"Host": f"{host}:{server.port}", "Origin": f"http://{host}:{server.port}"}
    assert request(server, "/_stcore/stream", HANDSHAKE | named)[0] == 101


@pytest.mark.parametrize("host", FOREIGN)
def test_no_session_opens_under_a_foreign_name(server: Server, host: str) -> None:
    rebound = {"Host": f"{host}:{server.port}", "Origin": f"http://{host}:{server.port}"}
    assert request(server, "/_stcore/stream", HANDSHAKE | rebound)[0] == 400


@pytest.fixture(params=["server", "from_the_checkout"])
def either(request: pytest.FixtureRequest) -> Server:
    """Both ways to start the app."""
    return request.getfixturevalue(request.param)


def test_nothing_at_all_is_served_under_a_foreign_name(either: Server) -> None:
    for host in FOREIGN:
        for path in EVERYWHERE:
            answer = request(either, path, {"Host": f"{host}:{either.port}"})
            assert answer == (400, b"Invalid host header"), (host, path)
        assert request(either, "/", {"Host": f"{host}:{either.port}"}, method="PUT")[0] == 400
    assert request(either, "/", {"Host": ""})[0] == 400


def test_the_app_is_served_under_the_local_names(either: Server) -> None:
    for host in ("localhost", "127.0.0.1"):
        local = {"Host": f"{host}:{either.port}"}
        status, shell = request(either, "/", local)
        assert status == 200
        assert b"<noscript>" in shell
        assert request(either, "/_stcore/health", local) == (200, b"ok")


def test_the_browser_opens_on_the_app(from_the_checkout: Server) -> None:
    opened = from_the_checkout.log.with_name("opened")
    deadline = time.monotonic() + START_SECONDS
    while not (opened.exists() and opened.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert opened.read_text() == f"{from_the_checkout.url}\n"


def test_no_session_opens_for_a_foreign_page(server: Server) -> None:
    foreign = {"Host": f"localhost:{server.port}", "Origin": "http://evil.example"}
    assert request(server, "/_stcore/stream", HANDSHAKE | foreign)[0] == 403


def test_no_upload_without_the_token_of_a_session(server: Server) -> None:
    path = "/_stcore/upload_file/00000000-0000-0000-0000-000000000000/picture"
    assert request(server, path, method="PUT") == (403, b"XSRF token missing or invalid")


def test_every_setting_beats_the_folders_and_the_homes(tmp_path: Path) -> None:
    folder = _hostile_folder(tmp_path)
    settings = tomllib.loads(config_file().read_text())
    flags = [argument for argument in streamlit_command(settings, port=None) if argument.startswith("--")]
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "streamlit", "config", "show", *flags],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    # Two lines of greeting come before the first section.
    in_effect = _flat(tomllib.loads(shown.stdout[shown.stdout.index("\n[") :]))
    for key, value in _flat(settings).items():
        if key in UNLISTED:
            assert f"--{key}={json.dumps(value)}" in flags
            continue
        # The theme's lists stay the JSON text they are on the command line until a page asks for them.
        got = (
            json.loads(in_effect[key])
            if isinstance(value, list) and key.startswith("theme.")
            else in_effect[key]
        )
        assert got == value, key


def test_the_settings_the_app_promises() -> None:
    settings = _flat(tomllib.loads(config_file().read_text()))
    assert settings["server.address"] == "127.0.0.1"
    assert settings["server.maxUploadSize"] == 25
    assert settings["server.showEmailPrompt"] is False
    assert settings["server.enableXsrfProtection"] is True
    assert settings["server.enableCORS"] is True
    assert settings["server.enableStaticServing"] is False
    assert settings["browser.gatherUsageStats"] is False
    assert settings["client.showErrorDetails"] == "none"
    assert {"theme.light.primaryColor", "theme.dark.primaryColor"} <= settings.keys()


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
