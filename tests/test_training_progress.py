"""The line that shows how far a training is: what it says, and that only a terminal gets it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from support.runs import status_of

from detector.training.run_status import RunState, write_status
from viz_app.commands import training_progress
from viz_app.commands.training_progress import followed, progress_words


def test_it_says_where_the_run_is_and_how_long_it_takes() -> None:
    training = status_of(phase="training")
    assert progress_words(training) == "epoch 2 of 3, step 120 of 300, 4.0 steps/s, 45 s left"
    slow = status_of(phase="validating", rate=0.25, seconds_left=None)
    assert progress_words(slow) == "epoch 2 of 3, step 120 of 300, validating, 4.0 s/step"
    assert progress_words(status_of(step=0, steps=0, phase="starting")) == "starting ..."


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FAILED])
def test_a_terminal_is_shown_a_run_that_is_alive(
    state: RunState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_progress, "_EVERY", 0.001)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    write_status(tmp_path, status_of(state=state))
    shown, until = "", time.monotonic() + (10 if state is RunState.RUNNING else 0.1)
    with followed(tmp_path):
        while "step 120 of 300" not in shown and time.monotonic() < until:
            shown += capsys.readouterr().err
    assert ("step 120 of 300" in shown) == (state is RunState.RUNNING)
    assert capsys.readouterr().err.endswith("\r\x1b[K")


def test_a_file_is_shown_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_status(tmp_path, status_of())
    with followed(tmp_path):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
