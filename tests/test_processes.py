"""What ended a process of a diagnosis, in words; and who holds its folder."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from detector.judging.locks import LOCK, is_locked, locked
from detector.judging.processes import in_words


def _missing() -> None:
    Path("/no/such/file").read_bytes()


def _two_lines() -> None:
    raise ValueError("the first line\nthe second: one")


def _foreign() -> None:
    raise LookupError("a sentence")


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (_missing, OSError, "[Errno 2] No such file or directory: '/no/such/file'"),
        (_two_lines, ValueError, "the first line\nthe second: one"),
        (_foreign, RuntimeError, "LookupError: a sentence"),
    ],
)
def test_what_a_process_raised_is_raised_here(body: Callable[[], None], kind: type, says: str) -> None:
    told = ""
    try:
        body()
    except Exception:
        told = f"\n\n-- Process 1 terminated with the following error:\n{traceback.format_exc()}"
    found = in_words(ProcessRaisedException(told, 1, 4711))
    assert type(found) is kind
    assert str(found) == says


def test_a_process_that_was_ended_says_what_to_do() -> None:
    ended = ProcessExitedException("process 1 terminated with signal SIGKILL", 1, 4711, -9, "SIGKILL")
    assert "call again, with fewer processes" in str(in_words(ended))


def test_a_folder_is_locked_while_it_is_held_and_where_that_cannot_be_told(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "not there")
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    (tmp_path / LOCK).unlink()
    (tmp_path / LOCK).mkdir()
    assert is_locked(tmp_path)
