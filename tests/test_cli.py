"""The command `boxscope`: what it offers, and one line for every mistake."""

import socket
import subprocess
from collections.abc import Iterator, Sequence

import pytest
from jsonargparse import ArgumentParser
from support.server import boxscope_command

from viz_app import cli

SECONDS = 60


def _boxscope(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*boxscope_command(), *arguments], capture_output=True, text=True, timeout=SECONDS)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_help_lists_every_subcommand() -> None:
    shown = _boxscope(["--help"])
    assert shown.returncode == 0
    for name, command in cli.COMMANDS.items():
        assert f"{name} " in shown.stdout
        assert command.summary in shown.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_subcommand_explains_itself(name: str) -> None:
    shown = _boxscope([name, "--help"])
    assert shown.returncode == 0
    assert cli.COMMANDS[name].summary[1:] in shown.stdout  # there it is a sentence


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "app"),
        (["bogus"], "'bogus'"),
        (["app", "--bogus"], "--bogus"),
        (["app", "extra"], "extra"),
        (["app", "--port", "0"], "port 0 is out of range"),
        (["app", "--port", "65536"], "port 65536 is out of range"),
        (["app", "--port", "many"], "--port is 'many'; expected a whole number"),
        (["why"], "IMAGE is missing (`boxscope why --help`"),
        (["diagnose", "shapes:2"], "--out is missing (`boxscope diagnose --help`"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments: list[str], named: str) -> None:
    refused = _boxscope(arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.startswith("boxscope: ")
    assert refused.stderr.count("\n") == 1
    assert named in refused.stderr
    assert "<class" not in refused.stderr


def test_a_taken_port_is_named_with_the_remedy(taken_port: int) -> None:
    refused = _boxscope(["app", "--port", str(taken_port)])
    assert refused.returncode == 2
    remedy = "stop what listens there, or choose another with --port"
    assert refused.stderr == f"boxscope: port {taken_port} is already taken: {remedy}\n"


@pytest.mark.parametrize("mistake", [ValueError, TypeError, FileNotFoundError])
def test_a_subcommands_mistake_is_one_line_and_status_2(
    mistake: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise mistake("first line\n  second line")

    monkeypatch.setitem(cli.COMMANDS, "fail", cli.Command("fails", lambda parser: None, fail))
    assert cli.run(["fail"]) == 2
    assert capsys.readouterr().err == "boxscope: first line second line\n"


def test_a_subcommand_gets_its_options_and_gives_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def options(parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=int)

    monkeypatch.setitem(cli.COMMANDS, "add", cli.Command("adds one", options, lambda given: given.to + 1))
    assert cli.run(["add", "--to", "41"]) == 42


def test_a_bug_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(options: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setitem(cli.COMMANDS, "break", cli.Command("breaks", lambda parser: None, break_down))
    with pytest.raises(ZeroDivisionError):
        cli.run(["break"])
