"""Reading the folder of a Pascal VOC data set, with all its mistakes, before any image is opened.

Boxes come out as xyxy in the image frame, x2 and y2 one past the last pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedImage, AnnotatedObject, FolderContent
from detector.data.file_names import is_file
from detector.data.image_headers import is_image_name
from detector.data.mistakes import Mistake, leaves_the_folder, shown
from detector.data.text_file import text_of
from detector.data.voc_file import VocFile, read_voc_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ANNOTATION_FOLDERS = ("Annotations", "annotations", "")
_IMAGE_FOLDERS = ("JPEGImages", "images", "")
SPLITS = "ImageSets/Main"


def read_voc(folder: Path, split: str | None) -> FolderContent:
    """Every image of a folder or of one of its splits.

    Args:
        folder: of the data set.
        split: name of a list in `ImageSets/Main/`; every image when left out.

    Raises:
        ValueError: no such folder, no XML files in it, no such split, or a list that is none.
    """
    where = annotation_folder(folder)
    if where is None:
        raise ValueError(
            f"{folder}: there are no VOC annotations; expected XML files in Annotations/ or beside the images"
        )
    prefix = f"{where}/" if where else ""
    files = sorted((folder / where).glob("*.xml"))
    read = {path.stem: read_voc_file(path, f"{prefix}{path.name}") for path in files}
    names = sorted({thing.name for file in read.values() for thing in file.objects})
    images, mistakes = _image_files(folder), []
    stems = sorted({*read, *images}) if split is None else _stems_of(folder, split, mistakes)
    found = []
    for stem in stems:
        file = read.get(stem)
        mistakes += [] if file is None else file.mistakes
        path = _image_of(folder, stem, file, images)
        if path is None:
            named = f"{prefix}{stem}.xml" if file else f"{SPLITS}/{split}.txt"
            what = f"there is no image {stem} in {_image_folder(folder) or 'the folder'}"
            mistakes.append(Mistake(named, what))
        else:
            found.append(_annotated(len(found), path, file, names))
    return FolderContent(folder, ("background", *names), tuple(found), tuple(mistakes))


def annotation_folder(folder: Path) -> str | None:
    """Which folder below a data set's holds its XML files (empty: the folder itself); None where none does."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    for name in ANNOTATION_FOLDERS:
        if (folder / name).is_dir() and any((folder / name).glob("*.xml")):
            return name
    return None


def split_names(folder: Path) -> tuple[str, ...]:
    """Names of the lists in `ImageSets/Main/`, by the alphabet; lists for one class (`NAME -1`) are left out."""
    lists = sorted((folder / SPLITS).glob("*.txt"))
    return tuple(path.stem for path in lists if _first_line_words(path) == 1)


def _first_line_words(path: Path) -> int:
    with path.open(encoding="utf-8", errors="replace") as file:
        return len(file.readline(1000).split())


def _stems_of(folder: Path, split: str, mistakes: list[Mistake]) -> list[str]:
    """The names in a list, each once."""
    path = folder / SPLITS / f"{split}.txt"
    if leaves_the_folder(split) or not path.is_file():
        known = ", ".join(split_names(folder)) or "none"
        raise ValueError(f"{folder}: there is no split {shown(split)} in {SPLITS}; there are {known}")
    found: dict[str, int] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        words = line.split()
        if len(words) > 1:
            raise ValueError(
                f"{path}: line {number} is {line[:60]!r}, as in a list for one class; expected a name"
            )
        if not words:
            continue
        what = None
        if leaves_the_folder(words[0]):
            what = f"line {number} is {shown(words[0])}, which leads out of the folder"
        elif words[0] in found:
            what = f"line {number} names {words[0]} again, which line {found[words[0]]} did"
        if what is None:
            found[words[0]] = number
        else:
            mistakes.append(Mistake(f"{SPLITS}/{split}.txt", what, number))
    return list(found)


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem


def _image_folder(folder: Path) -> str:
    return next(name for name in _IMAGE_FOLDERS if (folder / name).is_dir())


def _image_files(folder: Path) -> dict[str, Path]:
    """Image files by their names without ending."""
    inside = sorted((folder / _image_folder(folder)).iterdir(), reverse=True)
    return {path.stem: path for path in inside if is_image_name(path.name) and path.is_file()}


def _image_of(folder: Path, stem: str, file: VocFile | None, images: Mapping[str, Path]) -> Path | None:
    """The image that an XML file names, else the one that is called as it is."""
    if file is not None and file.image and not leaves_the_folder(file.image):
        named = folder / _image_folder(folder) / file.image
        if is_file(named) and is_image_name(named.name):
            return named
    return images.get(stem)


def _annotated(index: int, path: Path, file: VocFile | None, names: Sequence[str]) -> AnnotatedImage:
    if file is None:
        return AnnotatedImage(index, path, path.name, None, ())
    label_of = {name: label for label, name in enumerate(names, 1)}
    objects = (AnnotatedObject(o.number, label_of[o.name], o.box, o.difficult) for o in file.objects)
    return AnnotatedImage(index, path, f"{file.path}: the image", file.size, tuple(objects))
