"""The waiter before a training: `python -m viz_app.jobs.slots FOLDER COUNT DEVICES COMMAND ...`.

A machine trains so many runs at once as it has slots. Each slot is a file in the workspace, and whoever holds its
lock has it: the lock goes when its process ends, however that ends. The waiter takes a slot and then becomes the
training itself (same process, same number), with the lock still in its hands. Who came first is served first.

Neither torch nor Streamlit is imported here: waiting costs next to nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import psutil

from viz_app.jobs.workspace import workspace

try:
    import fcntl
except ImportError:  # not a POSIX system: every run begins at once
    fcntl = None

if TYPE_CHECKING:
    from types import FrameType

STATUS = "status.json"
STOP_FILE = "stop"
WAITING, STARTING = "waiting", "starting"
"""What a queued run does: the one until it has a slot, the other until it has loaded what it needs."""
CUDA = "CUDA_VISIBLE_DEVICES"
_EVERY_SECONDS, _BEAT_SECONDS = 0.3, 2.0
_WORDS = "it was stopped while it waited for its turn"


def slots_folder() -> Path:
    """Where the locks of the slots lie; it need not exist."""
    return workspace() / "slots"


def taken_slots() -> int:
    """How many slots are held now."""
    return sum(_is_held(path) for path in slots_folder().glob("slot_*.lock"))


class Place:
    """A place in the queue: before it stand those who came earlier and still wait.

    Args:
        folder: of the slots.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._path = folder / f"waits_{time.time_ns():020d}_{os.getpid()}.lock"
        self._file = self._path.open("a")
        _lock(self._file)

    def take(self, count: int) -> tuple[int, IO[str]] | None:
        """The number and the held file of a free slot; None while there is none, or somebody else is first.

        Args:
            count: slots of this machine.
        """
        if any(_is_held(path) for path in self._earlier()):
            return None
        for number in range(count):
            file = (self._folder / f"slot_{number}.lock").open("a")
            if _lock(file):
                return number, file
            file.close()
        return None

    def leave(self) -> None:
        """Let the next one be first."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def _earlier(self) -> list[Path]:
        """Those before this one; who has died is forgotten."""
        before = [path for path in self._folder.glob("waits_*.lock") if path.name < self._path.name]
        for path in before:
            if not _is_held(path):
                path.unlink(missing_ok=True)
        return before


def main(arguments: list[str]) -> None:
    """Wait for a slot, then become the command; returns only where the run was stopped before its turn."""
    folder, count, devices, command = Path(arguments[0]), int(arguments[1]), arguments[2], arguments[3:]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _note(folder, pid=os.getpid())
        number, slot = _wait(folder, count)
        _note(folder, phase=STARTING)
        os.set_inheritable(slot.fileno(), True)
    except KeyboardInterrupt:
        _note(folder, state="stopped", seconds_left=None, message=_WORDS)
        return
    _become(command, devices.split(",")[number] if devices else "")


def _become(command: list[str], device: str) -> NoReturn:
    """Go on as the training, with the slot in its hands, on one GPU where one is named."""
    if device:
        os.environ[CUDA] = device
    os.execv(command[0], command)


def _wait(folder: Path, count: int) -> tuple[int, IO[str]]:
    place = Place(slots_folder())
    beat = -_BEAT_SECONDS
    try:
        while True:
            if (folder / STOP_FILE).exists():
                raise KeyboardInterrupt
            if (found := place.take(count)) is not None:
                return found
            if time.monotonic() > beat + _BEAT_SECONDS:
                _note(folder, phase=WAITING)
                beat = time.monotonic()
            time.sleep(_EVERY_SECONDS)
    finally:
        place.leave()


def _note(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - whatever a status holds
    """Write into the status that whoever launched the run left, and that this process is alive."""
    with suppress(OSError, ValueError):  # who reads it sees the process; a full disk must not end the wait
        path = folder / STATUS
        content = json.loads(path.read_text(encoding="utf-8"))
        # Asked anew each time: it moves whenever the clock is set.
        alive = {"heartbeat": time.time(), "process_started": psutil.Process().create_time()}
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")  # as detector.data.leftovers sweeps them
        temporary.write_text(json.dumps({**content, **alive, **changes}), encoding="utf-8")
        temporary.replace(path)


def _is_held(path: Path) -> bool:
    try:
        with path.open("a") as file:
            return not _lock(file)
    except OSError:
        return False


def _lock(file: IO[str]) -> bool:
    """Whether this process has the lock of a file now."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main(sys.argv[1:])
