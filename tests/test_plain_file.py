"""Paths that lead to no plain file: one sentence, at once, for images, checkpoints and traces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from detector.data.image_headers import upright_size
from detector.data.images import read_image
from detector.data.plain_file import open_plain
from detector.models.checkpoints import load_checkpoint
from detector.tracing.trace_file import load_trace
from viz_app import cli

OPENERS: dict[str, Callable[[Path], Any]] = {
    "image": read_image, "size": upright_size, "checkpoint": load_checkpoint, "trace": load_trace,
}  # fmt: skip
NOBODY = 65534


def sparse(path: Path) -> Path:
    """Five gigabytes that take no room."""
    with path.open("wb") as file:
        file.truncate(5 * 10**9)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def link(path: Path) -> Path:
    path.symlink_to(path.with_name("gone"))
    return path


def ring(path: Path) -> Path:
    path.symlink_to(path)
    return path


PLACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing there": (lambda path: path, "there is no such file"),
    "no folder there": (lambda path: path / "a" / "b", "there is no such file"),
    "up and away": (lambda path: path.parent / ".." / ".." / "none" / "x", "there is no such file"),
    "a folder": (lambda path: path.parent, "it is a folder"),
    "a device without end": (lambda path: Path("/dev/zero"), "a pipe or a device"),
    "a pipe that nobody writes": (pipe, "a pipe or a device"),
    "a link to nothing": (link, "the link leads to nothing"),
    "a link to itself": (ring, "cannot be read"),
    "300 characters": (lambda path: path.with_name("x" * 300), "File name too long"),
    "an emoji and a line break": (lambda path: path.with_name("🦄\n<b>.png"), "there is no such file"),
    "five gigabytes": (sparse, "the file has 5 GB, over "),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", OPENERS)
def test_what_is_no_plain_file_is_one_sentence_at_once(kind: str, place: str, tmp_path: Path) -> None:
    make, words = PLACES[place]
    path = make(tmp_path / "x")
    with pytest.raises(ValueError) as caught:
        OPENERS[kind](path)
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)


def test_a_file_a_little_too_large_is_not_as_large_as_allowed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    os.truncate(path, 2 * 10**9 + 5)
    with pytest.raises(ValueError, match="the file has 2,000,000,005 bytes, over 2 GB; save it smaller"):
        open_plain(path, at_most=2 * 10**9, remedy="save it smaller")


@pytest.mark.parametrize("kind", OPENERS)
def test_a_name_with_nul_is_no_name(kind: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        OPENERS[kind](Path("a\0b"))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: where the tests run as root they become somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("kind", OPENERS)
def test_a_file_that_may_not_be_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"anything")
    path.chmod(0)
    with as_nobody(), pytest.raises(ValueError, match=r"cannot be read \(Permission denied\)"):
        OPENERS[kind](path)


ASKED = {
    "show": ["show", "IMAGE", "--out", "NEW"],
    "trace": ["trace", "IMAGE", "--out", "NEW.trace"],
    "a trace": ["show", "IMAGE.trace", "--out", "NEW"],
    "a model": ["show", "scene_00", "--out", "NEW", "--model", "IMAGE"],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("asked", ASKED)
def test_the_command_says_it_in_one_line(
    asked: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = PLACES[place]
    path, new = make(tmp_path / ("x.trace" if asked == "a trace" else "x")), str(tmp_path / "new.png")
    names = {"IMAGE": str(path), "IMAGE.trace": str(path), "NEW": new, "NEW.trace": f"{new}.trace"}
    before = set(tmp_path.iterdir())
    assert cli.run([names.get(part, part) for part in ASKED[asked]]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("boxscope: ")
    assert words.lower() in said.err.lower()
    assert set(tmp_path.iterdir()) == before


def test_a_name_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\x1b[2Jgood\u202egnp.x\r.png"
    assert cli.run(["why", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"boxscope: {tmp_path}/\\x1b[2Jgood\\u202egnp.x .png: there is no such file\n"
    )
