"""Unpacking an uploaded zip file of a data set: nothing in it is trusted.

Refused are entries that lead out of the folder, links and other special files, encrypted entries, names that
differ only in upper and lower case, too many entries, and more bytes than such a file may hold (a bomb). Bytes are
counted as they are written, whatever the file says of itself. An archive within it is just a file.
"""

from __future__ import annotations

import errno
import stat
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from detector.data.new_folder import new_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIB = 1 << 20
_BLOCK = 1 << 20
_ENCRYPTED = 0x1
_LONGEST_NAME = 240
# What macOS and Windows leave in zip files, and no data set needs.
_JUNK_FOLDERS, _JUNK_FILES = ("__MACOSX",), (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Limits:
    """What an unpacked data set may be.

    Args:
        entries: files and folders; 50,000 hold 25,000 images with a label file each.
        total: bytes of all files together.
        ratio: bytes of all files together over bytes of the zip file; photographs hardly shrink, annotations
            shrink to a twentieth.
        free: bytes that are always allowed, whatever the ratio: a small file of drawn scenes shrinks a lot.
    """

    entries: int = 50_000
    total: int = 8 << 30
    ratio: float = 50.0
    free: int = 64 * _MIB

    def allowance(self, size: int) -> int:
        """How many bytes a zip file of `size` bytes may unpack to."""
        return min(self.total, max(self.free, int(size * self.ratio)))


class ZipRefused(ValueError):
    """A zip file that is not unpacked; the message is one sentence for people."""


def unpack_zip(file: str | Path | IO[bytes], into: str | Path, *, limits: Limits | None = None) -> Path:
    """Unpack a zip file into a new folder, complete or not at all.

    Args:
        file: a path, or an open binary file that can seek.
        into: the new folder; it must not exist, or be empty. Its parents are made.
        limits: `Limits()` when left out.

    Returns:
        The data set's folder: `into`, or the only folder in it, or the only folder in that.

    Raises:
        ZipRefused: a ValueError: no zip file, a damaged one, or something in it that is refused.
        ValueError: `into` holds something already.
        OSError: the disk is full, or the folder cannot be written. Nothing is left behind in either case.
    """
    into, limits = Path(into), limits or Limits()
    into.absolute().parent.mkdir(parents=True, exist_ok=True)
    with new_folder(into) as temporary:
        _unpack(file, temporary, limits)
    return _entered(into)


def _unpack(file: str | Path | IO[bytes], folder: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_many(archive, limits)
            entries = [entry for entry in archive.infolist() if not _is_junk(entry.filename)]
            targets = _targets(entries)
            left = limits.allowance(_size_of(archive))
            for entry, target in zip(entries, targets, strict=True):
                left -= _write(archive, entry, folder / target, left)
    except ZipRefused:
        raise
    except NotImplementedError as error:
        raise ZipRefused(
            f"the zip file is packed in a way that is not supported ({error}); use Deflate"
        ) from error
    except Exception as error:  # zipfile, zlib, lzma and struct raise what they stumble over
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise  # the disk; a place that is none, in a damaged file, is EINVAL
        raise ZipRefused(f"this is no zip file, or it is damaged ({error}); pack it again") from error
    if not any(path.is_file() for path in folder.rglob("*")):
        raise ZipRefused("the zip file holds no files")


def _refuse_many(archive: zipfile.ZipFile, limits: Limits) -> None:
    count = len(archive.infolist())
    if count > limits.entries:
        raise ZipRefused(f"the zip file holds {count:,} entries; expected {limits.entries:,} at most")


def _size_of(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None
    return archive.fp.seek(0, 2)


def _is_junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and (parts[0] in _JUNK_FOLDERS or parts[-1] in _JUNK_FILES)


def _targets(entries: Sequence[zipfile.ZipInfo]) -> list[PurePosixPath]:
    """Where each entry goes below the folder; every entry is checked before the first is written."""
    known: dict[str, str] = {}
    targets = []
    for entry in entries:
        target = _target(entry)
        key = unicodedata.normalize("NFC", str(target)).casefold()
        if key in known and not entry.is_dir():
            other = known[key]
            again = (
                "is there twice" if other == entry.filename else f"and {other!r} are one name on many disks"
            )
            raise ZipRefused(f"{entry.filename!r} in the zip file {again}; rename one of them")
        known.setdefault(key, entry.filename)
        targets.append(target)
    files = {key for key, name in known.items() if not name.endswith("/")}
    for key, name in known.items():
        if any(str(parent) in files for parent in PurePosixPath(key).parents):
            raise ZipRefused(f"{name!r} in the zip file lies in a folder that is a file there, too")
    return targets


def _target(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = entry.orig_filename
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or drive:
        raise ZipRefused(f"{name!r} in the zip file leads out of the data set's folder")
    if max(len(part.encode()) for part in path.parts) > _LONGEST_NAME or len(path.parts) > 32:
        raise ZipRefused(f"{name[:60]!r}... in the zip file is too long a name")
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if mode == stat.S_IFLNK else "a special file"
        raise ZipRefused(f"{name!r} in the zip file is {what}; expected files and folders")
    if entry.flag_bits & _ENCRYPTED:
        raise ZipRefused(f"{name!r} in the zip file is encrypted; pack it without a password")
    return path


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one entry, and say how many bytes it took; at most `left`."""
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with archive.open(entry) as source, target.open("xb") as sink:
        while block := source.read(_BLOCK):
            count += len(block)
            if count > left:
                raise ZipRefused(
                    f"the zip file unpacks to far more than its size lets expect (at {entry.filename!r}): "
                    "it is taken for a bomb; unpack it yourself and name the folder"
                )
            sink.write(block)
    return count


def _entered(folder: Path) -> Path:
    """The folder, or the only folder in it, and so on."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]
