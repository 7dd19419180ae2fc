"""An uploaded data set becomes a folder of the session or of the workspace, complete or not at all."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from detector.data.recognition import kind_of
from detector.data.unpacking import Limits, unpack_zip
from viz_app.jobs.quotas import SESSION_BYTES, check_dataset, mark_of, set_mark
from viz_app.jobs.workspace import datasets_folder

if TYPE_CHECKING:
    from viz_app.jobs.session_folder import SessionFolder

_LONGEST = 60
_TRIES = 1000


def upload_dataset(file: IO[bytes], name: str, session: SessionFolder) -> Path:
    """As `keep_dataset`, into the folder of a session, with which it goes; within its quotas.

    Raises:
        ValueError: also beyond a quota.
        OSError: as `keep_dataset`.
    """
    held = [mark_of(folder) for folder in session.uploaded()]
    check_dataset(_declared(file), held)
    left = SESSION_BYTES - sum(held)
    return keep_dataset(file, name, session.datasets(), Limits(total=min(Limits().total, left)))


def keep_dataset(file: IO[bytes], name: str, among: Path | None = None, limits: Limits | None = None) -> Path:
    """Unpack a zip file into a folder of its own.

    A data set with mistakes in it is kept: the doctor names them all.

    Args:
        file: the zip file, open for reading.
        name: of the zip file; the folder is called after it, with a number where there is such a folder already.
        among: where it becomes a folder; the data sets of the workspace, if left out.
        limits: see `unpack_zip`.

    Returns:
        The data set's folder, which may lie within the new one.

    Raises:
        ValueError: what is no zip file, holds something that is refused, or holds no data set; one sentence.
        OSError: it cannot be written. Nothing is left behind in either case.
    """
    folder = free_folder(folder_name(name), among)
    found = unpack_zip(file, folder, limits=limits)
    try:
        kind_of(found)
        set_mark(folder)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except ValueError as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise ValueError(
            str(problem).removeprefix(f"{found}: ").replace(str(found), Path(name).name)
        ) from problem
    return found


def folder_name(name: str) -> str:
    """What a folder may be called after a zip file: letters, digits, dots, dashes and underscores."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(name).stem).strip("._-")[:_LONGEST]
    return stem or "dataset"


def free_folder(name: str, among: Path | None = None) -> Path:
    """The first of `name`, `name_2`, `name_3`, ... that is not there yet; raises ValueError after a thousand."""
    among = among or datasets_folder()
    names = (name if number == 1 else f"{name}_{number}" for number in range(1, _TRIES))
    free = next((one for one in names if not os.path.lexists(among / one)), None)
    if free is None:
        raise ValueError(f"there are {_TRIES:,} data sets called {name} already; rename the zip file")
    return among / free


def _declared(file: IO[bytes]) -> int:
    """How many bytes a zip file says that it unpacks to; 0 for what is none, which unpacking refuses."""
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except Exception:  # zipfile raises what it stumbles over
        return 0
    finally:
        file.seek(0)
