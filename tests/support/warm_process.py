"""The helper behind `support.forking`: everything imported once, then a fork for each piece of work.

Each child is a process and a session of its own and calls the very function that the command or the app calls. It
may end itself with SIGKILL at the n-th time that it touches the file system below a folder: that is as sudden as a
kill from outside, and happens at the same place every time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

from support.forked_work import WORK

_EVENTS = frozenset(
    (
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.truncate",
        "sqlite3.connect",
        "subprocess.Popen",
    )
)


def main() -> None:
    """Answer requests, one line of JSON each, until there are no more."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what anybody prints is no answer
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = _fork(request)
        print(answer, file=answers, flush=True)


def _fork(request: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = _work(request)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise AssertionError


def _work(request: dict[str, Any]) -> int:
    count = _counted(request["watch"], request["end_at"])
    os.environ.update(request["environment"])
    status = WORK[request["work"]](*request["arguments"])
    Path(request["output"]).with_suffix(".events").write_text(str(count[0]))
    return status


def _counted(folder: str, end_at: int | None) -> list[int]:
    """Count from here on how often this process touches something below a folder; end it at the given time."""
    count = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and folder in str(arguments[:2]):
            count[0] += 1
            if count[0] == end_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


if __name__ == "__main__":
    main()
