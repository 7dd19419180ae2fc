"""A folder that is complete or not there: written under another name, and renamed at the end."""

from __future__ import annotations

import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`, which becomes `folder` when the block ends without an exception.

    Args:
        folder: it must not exist, or be empty.

    Raises:
        ValueError: a folder that holds something already, or whose parent does not exist.
        OSError: it cannot be made; names the folder.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: there is something already; expected a new or empty folder")
    if not folder.absolute().parent.is_dir():
        raise ValueError(f"{folder}: its parent folder does not exist")
    temporary = folder.absolute().with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        try:
            temporary.mkdir()
        except OSError as error:  # people know the folder, not the temporary one
            raise type(error)(error.errno, error.strerror, str(folder)) from error
        yield temporary
        if folder.exists():
            folder.rmdir()
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
