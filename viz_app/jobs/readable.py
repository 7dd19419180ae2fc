"""What the app may read: what lies below the workspace, below folders named in the shell, and what comes with it.

Whoever opens the app types paths, follows links that hold paths, and brings annotations that name files. Symbolic
links are followed before a path is judged, and what is refused is never looked at: nobody learns from the answer
whether something is there.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.bundled import sample_images_folder
from viz_app.jobs.workspace import workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.data.datasets import AnyDataset

VARIABLE = "BOXSCOPE_FOLDERS"
"""The environment variable with further folders, separated as in PATH; `boxscope app --folder` sets it."""

WHERE_READ = "The app reads what lies in its workspace, and in folders named by `boxscope app --folder`."
"""For the help of fields that take a path."""

_PRIVATE: set[Path] = set()
_guarded = False


class NotReadable(ValueError):
    """A path that the app may not read."""


def readable(path: str | Path) -> Path:
    """The path from the root, its links left as they are, where the app may read what it leads to.

    Raises:
        NotReadable: it leads to elsewhere; the sentence is the same whether something is there or not.
    """
    named = Path(path).absolute()
    if _lies_below(named, _roots()):
        return named
    if "\0" not in str(named) and _is_below(Path(os.path.normpath(named)), _roots()):
        raise NotReadable(
            f"{named} leads out of the folders that the app may read: put the file itself there"
        )
    # Nobody is told to open the whole disk.
    folder = named.parent if len(named.parts) > 2 and ".." not in named.parts else "FOLDER"
    raise NotReadable(
        f"{named} is not in a folder that the app may read: put it below {workspace()}, or start the app with "
        f"--folder {folder}"
    )


def readable_source(source: str) -> str:
    """A data set or a detector by its name, or by its path from the root; raises NotReadable as `readable`."""
    return source if is_no_path(source) else str(readable(source))


def readable_detector(source: str) -> str:
    """As `readable_source`.

    Raises:
        NotReadable: as `readable`.
        ValueError: a bare word that is no detector's name, whatever lies under it in the server's own folder.
    """
    from detector.models.zoo import detector_names

    if _is_word(source) and not is_no_path(source):
        raise ValueError(
            f"there is no detector {source!r}; give a path or one of {', '.join(detector_names())}"
        )
    return readable_source(source)


def named_source(source: str) -> str:
    """A data set as the shell names it: a path from the root, whatever is there, and any other name as it is."""
    return source if is_no_path(source) else str(Path(source).absolute())


def named_detector(source: str) -> str:
    """A detector as the shell names it; as `named_source`, but a bare word stays, for it can be a name only."""
    return source if _is_word(source) else named_source(source)


def is_no_path(source: str) -> bool:
    """Whether a text names what needs no file of the user's: drawn scenes, or a detector by its name."""
    from detector.models.families import TORCHVISION_NAMES

    names = ("shapes", "pyramid", *TORCHVISION_NAMES)
    return not source.strip() or source.startswith("shapes:") or source in names


def _is_word(source: str) -> bool:
    return Path(source).name == source and not Path(source).suffix


def check_images(dataset: AnyDataset) -> None:
    """Look at where the images of a data set really are; raises NotReadable for one elsewhere.

    A folder is followed once, a file only where it is a link: 100,000 images take less than a second.
    """
    seen: dict[Path, Path] = {}
    for image in getattr(dataset, "images", ()):
        folder = image.path.parent
        if folder not in seen:
            seen[folder] = readable(folder)
        if image.path.is_symlink():
            readable(image.path)


def guard_this_process() -> None:
    """For the server, when it starts: see `stand_guard`. It does not import torch yet."""
    global _guarded
    _guarded = True


def stand_guard() -> None:
    """In a guarded process the library opens no file from now on that `readable` refuses, however late.

    What torchvision's names have brought into torch hub's cache is read, too: `readable` lets nobody type its path.
    """
    from detector.data.plain_file import limit_reading

    if _guarded:
        limit_reading(_check)


def name_folders(folders: Sequence[str]) -> None:
    """Let the processes of this one read these folders, too, beside those that the environment names.

    Raises:
        ValueError: one of them is no folder.
    """
    for folder in folders:
        if not Path(folder).is_dir() or os.pathsep in folder:
            raise ValueError(f"--folder {folder}: there is no such folder")
    named = [os.environ.get(VARIABLE, ""), *(str(Path(folder).absolute()) for folder in folders)]
    os.environ[VARIABLE] = os.pathsep.join(filter(None, named))


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this process sees, and may read; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="boxscope-") as name:
        folder = Path(os.path.realpath(name))
        _PRIVATE.add(folder)
        try:
            yield folder
        finally:
            _PRIVATE.discard(folder)


def _check(path: Path) -> None:
    if not _lies_below(path, _roots()) and not _lies_below(path, (*_PRIVATE, _hub())):
        readable(path)


def _hub() -> Path:
    import torch

    return Path(os.path.realpath(torch.hub.get_dir()))


def _roots() -> tuple[Path, ...]:
    """Folders of which everything may be read, links followed."""
    named = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    own = sample_images_folder(), Path(__file__).parents[2] / "detector", Path(__file__).parents[1]
    return _followed((str(workspace()), *named, *map(str, own)), int(time.monotonic()))


@lru_cache(maxsize=4)
def _followed(folders: tuple[str, ...], second: int) -> tuple[Path, ...]:
    """What the folders are, links followed; looked at once a second, for a data set asks for each of its files."""
    del second
    return tuple(Path(os.path.realpath(folder)) for folder in folders)


def _lies_below(path: Path, roots: tuple[Path, ...]) -> bool:
    """Whether a path leads to one of these folders or into it, all links followed."""
    try:
        return _is_below(Path(os.path.realpath(path)), roots)
    except (OSError, ValueError):  # a NUL in it
        return False


def _is_below(path: Path, roots: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
