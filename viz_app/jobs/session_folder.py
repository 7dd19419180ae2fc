"""What one session has written to disk: WORKSPACE/sessions/<random name>/, gone when the session ends.

The server holds a lock in the folder for as long as the session lasts. What a server that was killed has left is
told by its lock, which nobody holds, and swept when the next one starts; that of a living one stays.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import IO

try:
    import fcntl
except ImportError:  # not a POSIX system: `is_locked` takes every folder for one in use, and none is swept
    fcntl = None

from detector.judging.locks import LOCK, is_locked, locked
from viz_app.jobs.workspace import workspace

GRACE_SECONDS = 150.0
"""A browser whose connection broke may come back for two minutes (Streamlit's session storage)."""
_GONE = ".gone-"
_NAME = re.compile(r"[0-9a-f]{16}")


def sessions_folder() -> Path:
    """The folder of all sessions; it need not exist."""
    return workspace() / "sessions"


class SessionFolder:
    """The folder of one session, made when it is first needed.

    Attributes:
        path: where it lies; None before.
        ending: what removes it, once the session seems to have ended.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._lock: IO[str] | None = None
        self.ending: Timer | None = None

    def stay(self) -> SessionFolder:
        """The same folder: its session is here, or here again."""
        if self.ending is not None:
            self.ending.cancel()
            self.ending = None
        return self

    def close_later(self) -> None:
        """Remove it, unless its session comes back soon."""
        if self.path is not None:
            self.ending = Timer(GRACE_SECONDS, self.close)
            self.ending.daemon = True
            self.ending.start()

    def datasets(self) -> Path:
        """The folder of its data sets, which is made where it is missing.

        Raises:
            OSError: it cannot be made.
        """
        if self.path is None:
            self.path = self._make()
        (self.path / "datasets").mkdir(exist_ok=True)
        return self.path / "datasets"

    def uploaded(self) -> list[Path]:
        """Folders of the data sets that were uploaded and are not kept."""
        folder = None if self.path is None else self.path / "datasets"
        if folder is None or not folder.is_dir():
            return []
        return [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]

    def close(self) -> None:
        """Remove it; what cannot be removed is swept later."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _make(self) -> Path:
        above = sessions_folder()
        above.mkdir(parents=True, exist_ok=True)
        path = above / secrets.token_hex(8)
        with locked(above):  # nobody may sweep between the two
            path.mkdir()
            self._lock = (path / LOCK).open("a")
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path


def sweep() -> None:
    """Remove what servers that are gone have left; nothing happens where that cannot be told, or not be done.

    What is no folder of a session stays: a workspace may be a folder that people use for other things, too.
    """
    above = sessions_folder()
    if not above.is_dir() or not os.access(above, os.W_OK):
        return
    with suppress(OSError, ValueError), locked(above):
        for folder in above.iterdir():
            if _is_ours(folder) and not is_locked(folder):
                folder.rename(above / f"{_GONE}{secrets.token_hex(8)}")
    for folder in above.glob(f"{_GONE}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return bool(_NAME.fullmatch(folder.name)) and not folder.is_symlink() and (folder / LOCK).is_file()


def kept(source: str) -> str:
    """A data set that outlives the session, because a process of its own will read it; any other one as it is.

    An uploaded one moves to the data sets of the workspace. A link stays in its place, so that what this session
    has opened goes on.

    Args:
        source: as `open_dataset` takes it.

    Returns:
        It, as `open_dataset` takes it from now on.

    Raises:
        OSError: it cannot be moved.
    """
    from viz_app.jobs.dataset_uploads import free_folder

    uploaded = _uploaded(source)
    if uploaded is None:
        return source
    if not uploaded.is_symlink():
        new = free_folder(uploaded.name)
        new.parent.mkdir(parents=True, exist_ok=True)
        uploaded.rename(new)
        uploaded.symlink_to(new, target_is_directory=True)
    return str(uploaded.resolve() / Path(source).relative_to(uploaded))


def is_of_session(source: str) -> bool:
    """Whether a data set was uploaded in a session, is still there, and goes with it."""
    uploaded = _uploaded(source)
    return uploaded is not None and uploaded.is_dir() and not uploaded.is_symlink()


def _uploaded(source: str) -> Path | None:
    """The folder in a session's folder that an uploaded data set was unpacked into; None for any other one."""
    path, above = Path(source), sessions_folder()
    if ".." in path.parts or not path.is_relative_to(above):
        return None
    parts = path.relative_to(above).parts
    return above.joinpath(*parts[:3]) if len(parts) > 2 and parts[1] == "datasets" else None
