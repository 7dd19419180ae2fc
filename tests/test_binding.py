"""Where the app may listen: for this machine always, for others behind a login or when somebody says so."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.app import APP
from support.server import boxscope_command, clean_environment, free_port

from viz_app import serving
from viz_app.binding import MEANT, check_binding, is_public

ROOT = APP.parents[1]
SECONDS = 120


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.9.10", "127.1", "localhost", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"]
)
def test_this_machine_alone_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert check_binding(address, login=False) is None


@pytest.mark.parametrize(
    "address", ["", "0.0.0.0", "0", "::", "192.0.2.7", "fe80::1", "2001:db8::1", "::ffff:192.0.2.7"]
)
def test_everything_else_is_public(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MEANT, raising=False)
    assert is_public(address)
    with pytest.raises(ValueError, match=f"(?s)open to the network.*login.*--public.*{MEANT}=1"):
        check_binding(address, login=False)
    for word in ("0", "", "false", "no"):
        monkeypatch.setenv(MEANT, word)
        with pytest.raises(ValueError, match="open to the network"):
            check_binding(address, login=False)


def test_a_login_or_the_word_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_binding("0.0.0.0", login=True) is None
    monkeypatch.setenv(MEANT, "1")
    warning = check_binding("", login=False)
    assert warning is not None and "every interface without a login" in warning


def test_a_name_counts_by_what_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of a machine that has more than one address: one public among them is enough."""

    def resolved(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (number, 0)) for number in ("127.0.0.1", "192.0.2.7")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    assert is_public("both.example")


def test_a_name_that_nothing_is_known_by_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from viz_app import cli

    assert cli.run(["app", "--address", "nowhere.invalid"]) == 2
    assert "'nowhere.invalid': nothing is known by this name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--address", "192.0.2.7", "--port", "8791"], "address 192.0.2.7 is none of this machine"),
        (["--host", "*.example"], "host '*.example': expected a name"),
        (["--host", "https://boxscope.example/"], "without scheme, path or *"),
    ],
)
def test_an_address_or_a_host_that_cannot_be_is_refused(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from viz_app import cli

    assert cli.run(["app", *arguments]) == 2
    assert named in capsys.readouterr().err


def test_the_app_answers_under_its_address_and_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(serving.os, "execv", lambda _, command: commands.append(command))
    monkeypatch.setattr(serving.subprocess, "call", lambda command: commands.append(command) or 0)
    serving.serve(address="::1", hosts=["boxscope.example"])
    serving.serve(address="0.0.0.0")
    named = [[word for word in command if "allowedHosts" in word] for command in commands]
    local = ["--server.allowedHosts=localhost", "--server.allowedHosts=127.0.0.1"]
    assert named[0] == [*local, "--server.allowedHosts=::1", "--server.allowedHosts=boxscope.example"]
    assert named[-1] == local
    assert "--server.address=::1" in commands[0] and "--server.address=0.0.0.0" in commands[-1]


def _refusal(arguments: list[str], home: Path, **settings: str) -> str:
    """What stands on stderr after status 2, in a folder and a home of its own; nothing was said of an address."""
    ended = subprocess.run(
        arguments, cwd=ROOT, env=clean_environment(home) | settings, capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    return ended.stderr


def test_the_command_refuses_every_interface(tmp_path: Path) -> None:
    port = str(free_port())
    said = _refusal([*boxscope_command(), "app", "--address", "0.0.0.0", "--port", port], tmp_path)
    assert said.startswith("boxscope: 0.0.0.0 is open to the network") and said.count("\n") == 1


def test_streamlit_run_refuses_an_address_from_a_setting(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "streamlit", "run", "viz_app/app.py", f"--server.port={free_port()}"]
    said = _refusal(run, tmp_path, STREAMLIT_SERVER_ADDRESS="::")
    assert said.startswith("boxscope: :: is open to the network") and said.count("\n") == 1


def test_half_a_login_closes_the_door(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text('[auth]\nclient_id = "me"\n')
    said = _refusal([*boxscope_command(), "app", "--port", str(free_port())], tmp_path)
    assert said.startswith("boxscope: secrets: [auth] lacks redirect_uri, cookie_secret, client_secret")
