"""An uploaded data set becomes a folder of the workspace, complete or not at all."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import IO

from detector.data.recognition import kind_of
from detector.data.unpacking import unpack_zip
from viz_app.jobs.workspace import datasets_folder

_LONGEST = 60
_TRIES = 1000


def keep_dataset(file: IO[bytes], name: str) -> Path:
    """Unpack a zip file into a folder of its own among the data sets of the workspace.

    A data set with mistakes in it is kept: the doctor names them all.

    Args:
        file: the zip file, open for reading.
        name: of the zip file; the folder is called after it, with a number where there is such a folder already.

    Returns:
        The data set's folder, which may lie within the new one.

    Raises:
        ValueError: what is no zip file, holds something that is refused, or holds no data set; one sentence.
        OSError: it cannot be written. Nothing is left behind in either case.
    """
    folder = _free_folder(folder_name(name))
    found = unpack_zip(file, folder)
    try:
        kind_of(found)
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


def _free_folder(name: str) -> Path:
    """The first of `name`, `name_2`, `name_3`, ... that is not there yet; raises ValueError after a thousand."""
    names = (name if number == 1 else f"{name}_{number}" for number in range(1, _TRIES))
    free = next((one for one in names if not (datasets_folder() / one).exists()), None)
    if free is None:
        raise ValueError(f"there are {_TRIES:,} data sets called {name} already; rename the zip file")
    return datasets_folder() / free
