"""A command in a shell that does odd things to it: nobody reads, a full or closed stream, no folder, no name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detector.data.sealed import replace_file
from viz_app import cli

SECONDS = 60
SPEAK = """
from viz_app import cli

def speak(options):
    print("n\\u00f6 \\u2192" + options.more)
    return 0

cli.COMMANDS = {"say": cli.Command("says", lambda parser: parser.add_argument("--more", default="."), speak)}
cli.main()
"""


def say(arguments: str, *, before: str = "", **environment: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command with the shell's own redirections among its arguments."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'{before} "$0" -c "$SPEAK" {arguments}', sys.executable],
        env={**os.environ, "SPEAK": SPEAK, "PYTHONPATH": str(Path(cli.__file__).parents[1]), **environment},
        capture_output=True, timeout=SECONDS,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_reader_who_leaves_is_no_mistake(size: int) -> None:
    """What fits into the buffer is found out at the end, what does not while it is written."""
    reading, writing = os.pipe()
    os.close(reading)
    speak = SPEAK.replace("options.more", f"options.more * {size}")
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-c", speak, "say"], cwd=Path(cli.__file__).parents[1],
            stdout=nobody, stderr=subprocess.PIPE, timeout=SECONDS,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (cli.NOBODY_READS, b"")


def test_a_full_output_is_one_line() -> None:
    status, _, told = say("say >/dev/full")
    assert status == cli.USAGE_ERROR
    assert told == "boxscope: the output: no space left on device; free some space, or choose another place\n"


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere(closed: str) -> None:
    assert say(f"say {closed}") == (0, "", "")


@pytest.mark.parametrize("silent", ["2>&-", "2>/dev/full"])
def test_a_mistake_that_cannot_be_shown_is_still_a_status(silent: str) -> None:
    assert say(f"bogus {silent}") == (cli.USAGE_ERROR, "", "")


def test_what_the_terminal_cannot_show_is_written_out() -> None:
    assert say("say", PYTHONIOENCODING="ascii") == (0, "n\\xf6 \\u2192.\n", "")


def test_a_folder_that_is_gone_is_the_reason(tmp_path: Path) -> None:
    status, shown, told = say(
        "say", before=f"mkdir '{tmp_path}/gone' && cd '{tmp_path}/gone' && rmdir ../gone;"
    )
    assert (status, shown) == (cli.USAGE_ERROR, "")
    assert told == "boxscope: the folder that this is called in is gone; change into another one\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["diagnose", "shapes:2", "--out", ""], "--out"),
        (["diagnose", "shapes:2", "--out="], "--out"),
        (["show", "", "--out", "x.png"], "IMAGE"),
        (["runs", ""], "FOLDER"),
        (["compare", "shapes", "", "shapes:2"], "B"),
        (["train", "--out", ""], "--out"),
        (["app", "--folder", ".", "--folder", ""], "--folder"),
    ],
)
def test_an_empty_name_is_not_the_present_folder(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == cli.USAGE_ERROR
    assert capsys.readouterr().err == f"boxscope: {named} is empty; say what is meant, or leave it out\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show"], "IMAGE and --out are missing"),
        (["show", "scene_00", "--stage", "all"], "--stage is 'all'; expected one of rpn, fast_rcnn, full"),
        (["show", "scene_00", "--out", "x.png", "--box_score="], "--box_score is ''; expected a number"),
    ],
)
def test_the_parsers_words_are_ours(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == cli.USAGE_ERROR
    assert capsys.readouterr().err.startswith(f"boxscope: {said} (`boxscope show --help`")


@pytest.mark.parametrize("name", ["summary.json", "objects.parquet"])
def test_a_diagnosis_writes_over_nobodys_files(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("mine")
    assert cli.run(["diagnose", "shapes:1:1", "--out", str(tmp_path)]) == cli.USAGE_ERROR
    assert capsys.readouterr().err.endswith(
        f"{tmp_path} holds a {name} that is no diagnosis's; choose a new or empty folder\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_a_training_or_study_is_not_spread_over_a_diagnosis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "status.json").write_text('{"phase": "diagnose", "state": "done"}')
    for command in ("train --data.train shapes:2 --data.val shapes:2", "tune thresholds shapes:2 --trials 1"):
        assert cli.run([*command.split(), "--out", str(tmp_path)]) == cli.USAGE_ERROR
        told = capsys.readouterr().err
        assert told == f"boxscope: {tmp_path}: there is something already; expected a new or empty folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_the_parser_is_not_read_before_ctrl_c_can_be_answered() -> None:
    """Whoever changes their mind at once gets no stack out of an import."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from viz_app import cli; print('jsonargparse' in sys.modules)"],
        cwd=Path(cli.__file__).parents[1], capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.stdout == "False\n"


def test_a_file_that_cannot_be_written_is_named_and_not_the_temporary_one(tmp_path: Path) -> None:
    place = tmp_path / "folder.png"
    (place / "inside").mkdir(parents=True)
    with pytest.raises(OSError) as refused:
        replace_file(place, b"picture")
    assert refused.value.filename == str(place)
    assert list(tmp_path.iterdir()) == [place]
