"""How much may be uploaded: by one session, and by all of them into one workspace.

What a session uploads goes with it, see `session_folder`; what a diagnosis, a run or a study needs is kept, and
counts on. Folders that people put into the workspace themselves do not count.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.jobs.workspace import datasets_folder, workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_IMAGES = 50
"""Images and traces that one session has open at a time."""
MOST_DATASETS = 10
"""Data sets that one session has uploaded at a time; those that are kept do not count."""
SESSION_BYTES = 1 << 30
"""Of the images that one session has in memory, and once more of the data sets that it has on disk."""
MOST_KEPT = 200
"""Uploaded data sets in one workspace, kept ones and those of all sessions."""
WORKSPACE_BYTES = 20 << 30
"""Of all uploads that lie in one workspace."""

MARK = ".uploaded"
"""A file in the folder of an uploaded data set: how many bytes it had."""


def words(count: int) -> str:
    """A quota for people: `1 GB` for 1 << 30, as disks and browsers say it."""
    return f"{count / (1 << 30):.3g} GB" if count >= 1 << 30 else f"{count / (1 << 20):.3g} MB"


def within_quota(files: Sequence[tuple[str, int]]) -> frozenset[str]:
    """Which of a session's images are opened: in their order, as far as they fit.

    Args:
        files: name and bytes of each.
    """
    taken, total = set(), 0
    for name, size in files:
        if len(taken) < MOST_IMAGES and total + size <= SESSION_BYTES:
            taken.add(name)
            total += size
    return frozenset(taken)


def beyond_quota(count: int) -> str:
    """The sentence about images that were left out."""
    what = "1 file was" if count == 1 else f"{count:,} files were"
    return (
        f"{what} not opened: a session opens {MOST_IMAGES} images at a time, {words(SESSION_BYTES)} together; "
        "remove some of them first, or put them into a data set"
    )


def check_dataset(size: int, held: list[int]) -> None:
    """Refuse a data set beyond a quota, before it is unpacked.

    Args:
        size: bytes that it says it unpacks to.
        held: bytes of each data set that the session has uploaded.

    Raises:
        ValueError: names the quota and the remedy.
    """
    own = f"or put its folder into {datasets_folder()} yourself"
    if len(held) >= MOST_DATASETS:
        raise ValueError(
            f"a session may upload {MOST_DATASETS} data sets; reload the page to begin anew, {own}"
        )
    if sum(held) + size > SESSION_BYTES:
        raise ValueError(
            f"with its {words(size)} this session would have uploaded more than {words(SESSION_BYTES)}; reload the "
            f"page to begin anew, {own}"
        )
    check_workspace(size)


def check_workspace(size: int) -> None:
    """Refuse an upload that all of them together leave no room for.

    Raises:
        ValueError: names the quota and the remedy.
    """
    marks = [mark_of(mark.parent) for mark in _marks()]
    checkpoints = sum(_size(path) for path in (workspace() / "checkpoints").glob("*"))
    if len(marks) >= MOST_KEPT or sum(marks) + checkpoints + size > WORKSPACE_BYTES:
        raise ValueError(
            f"the workspace holds {MOST_KEPT} uploaded data sets, or {words(WORKSPACE_BYTES)} of uploads; remove "
            f"some of {datasets_folder()} or of {workspace() / 'checkpoints'}"
        )


def set_mark(folder: Path) -> None:
    """Write down how many bytes an uploaded data set has; raises OSError."""
    size = sum(_size(path) for path in folder.rglob("*") if path.is_file())
    mark = folder / MARK
    if mark.is_dir():
        shutil.rmtree(mark)
    mark.write_text(str(size), encoding="ascii")


def mark_of(folder: Path) -> int:
    """How many bytes an uploaded data set had; 0 where nothing sensible is written down."""
    with suppress(OSError, ValueError):
        return max(0, int((folder / MARK).read_text(encoding="ascii")[:20]))
    return 0


def _marks() -> list[Path]:
    patterns = f"datasets/*/{MARK}", f"sessions/*/datasets/*/{MARK}"
    found = [path for pattern in patterns for path in workspace().glob(pattern)]
    return [path for path in found if not path.parent.is_symlink()]


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0
