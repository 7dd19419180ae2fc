"""A folder that is complete or not there: written under another name, and renamed at the end."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.leftovers import held, sweep_unheld, temporary_beside

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`, which becomes `folder` when the block ends without an exception.

    Temporary folders that a killed process left beside it are taken away.

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
    temporary = temporary_beside(folder.absolute())
    sweep_unheld(temporary.parent)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        try:
            stack.enter_context(held(temporary))
        except OSError as error:  # people know the folder, not the temporary one
            raise type(error)(error.errno, error.strerror, str(folder)) from error
        yield temporary
        if folder.exists():
            folder.rmdir()
        temporary.replace(folder)
