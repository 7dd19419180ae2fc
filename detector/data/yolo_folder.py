"""Where a YOLO data set keeps its names, images and labels, and reading them with all their mistakes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from detector.data.annotated import AnnotatedImage, FolderContent
from detector.data.file_names import is_file, is_folder
from detector.data.image_headers import is_image_name, upright_size
from detector.data.mistakes import Mistake
from detector.data.text_file import text_of
from detector.data.yolo_config import YoloConfig, gives_names, read_classes, read_config
from detector.data.yolo_file import read_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASSES = "classes.txt"
_YAML = (".yaml", ".yml")
_CALLED = ("data", "dataset")
_HIGHEST = 3
_NO_LABELS = ("classes.txt", "readme.txt", "readme.dataset.txt", "readme.roboflow.txt", "labels.txt")


@dataclass(frozen=True, slots=True)
class YoloLayout:
    """Where everything is.

    Args:
        root: folder of the YAML file, or of `classes.txt`.
        config: that file.
        names: class numbers of the label files -> names, in order.
        places: folders of images, or text files that list images, all below `root`.
    """

    root: Path
    config: Path
    names: dict[int, str]
    places: tuple[Path, ...]


def find_config(path: Path) -> Path | None:
    """The YAML file, or `classes.txt`, of what may be a YOLO data set.

    Args:
        path: that file; the folder it lies in; or, below it, a folder of images or a list that it names.
    """
    if path.is_file() and (path.suffix.lower() in _YAML or path.name == CLASSES):
        return path
    own = config_in(path) if path.is_dir() else None
    if own is not None:
        return own
    above = (config_in(folder) for folder in path.absolute().parents[:_HIGHEST])
    return next((file for file in above if file is not None and _names_part(file, path)), None)


def config_in(folder: Path) -> Path | None:
    """`data.yaml`, another YAML file in the folder that gives names to classes, or `classes.txt` beside labels."""
    for file in sorted(folder.glob("*.y*ml"), key=lambda file: (file.stem not in _CALLED, file.name)):
        known = file.suffix.lower() in _YAML and file.is_file()
        if known and (file.stem in _CALLED or gives_names(file)):
            return file
    classes = folder / CLASSES
    beside = (folder, folder / "labels", folder / "labels" / "train")
    labelled = classes.is_file() and any(file != classes for where in beside for file in where.glob("*.txt"))
    return classes if labelled else None


def _names_part(file: Path, path: Path) -> bool:
    """Whether a YAML file names a folder or list as a split, or what lies directly above or somewhere below it."""
    try:
        places = [] if file.name == CLASSES else [*_places(read_config(file), file, None)]
    except ValueError:
        return False
    mine = _absolute(path)
    return any(mine.is_relative_to(place) or (mine / "images") == place for place in places)


def find_yolo(path: Path, split: str | None = None) -> YoloLayout:
    """Find the parts of a YOLO data set.

    Args:
        path: as `YoloDataset` takes it.
        split: key of the YAML file.

    Raises:
        ValueError: no such path, no YAML file or one that does not say what it must, no such split, or a path in it
            that leads out of its folder.
    """
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder")
    file = find_config(path)
    if file is None:
        raise ValueError(
            f"{path}: there is no YOLO data set; expected data.yaml (or {CLASSES}) with images and labels"
        )
    config = read_classes(file) if file.name == CLASSES else read_config(file)
    if _absolute(path) not in (_absolute(file), _absolute(file.parent)):
        part = path / "images" if (path / "images").is_dir() else path
        return YoloLayout(file.parent, file, config.names, (_absolute(part),))
    if not config.splits:
        inner = file.parent / "images"
        return YoloLayout(
            file.parent, file, config.names, (_absolute(inner if inner.is_dir() else file.parent),)
        )
    places = tuple(dict.fromkeys(_places(config, file, split)))
    if not places:
        raise ValueError(f"{file}: none of the folders that it names is there below {file.parent}")
    return YoloLayout(file.parent, file, config.names, places)


def split_places(file: Path) -> dict[str, tuple[Path, ...]]:
    """The splits that a YAML file names and that are there, with their folders or lists.

    Raises:
        ValueError: as `find_yolo`.
    """
    if file.name == CLASSES:
        return {}
    config = read_config(file)
    found = {
        name: [_resolved(config, file.parent, written) for written in config.splits[name]]
        for name in config.splits
    }
    return {name: tuple(p for p in places if p is not None) for name, places in found.items() if all(places)}


def _places(config: YoloConfig, file: Path, split: str | None) -> Iterator[Path]:
    if split is not None and split not in config.splits:
        raise ValueError(f"{file}: there is no split {split!r}; there are {', '.join(config.splits)}")
    for name in config.splits if split is None else (split,):
        for written in config.splits[name]:
            found = _resolved(config, file.parent, written)
            if found is None and split is None and len(config.splits) > 1:
                continue  # a `test` that nobody downloaded is common; naming it is then refused
            if found is None:
                raise ValueError(f"{file}: {name} is {written!r}, which is not there below {file.parent}")
            yield found


def _resolved(config: YoloConfig, root: Path, written: str) -> Path | None:
    """The folder or list that a line of the YAML file means; it must lie below the file's own folder.

    Exports of some tools write `../train/images` for what lies beside the YAML file; Ultralytics reads it so, too.
    """
    for base in (root / config.path, root):
        for text in (written, written.removeprefix("../")):
            place = _absolute(base / text)
            if (is_file(place) or is_folder(place)) and place.is_relative_to(_absolute(root)):
                return place
    return None


def read_yolo(layout: YoloLayout) -> FolderContent:
    """Every image with its objects, and all mistakes."""
    mistakes: list[Mistake] = []
    root = _absolute(layout.root)
    paths = list(dict.fromkeys(path for place in layout.places for path in _listed(root, place, mistakes)))
    label_of = {number: label for label, number in enumerate(layout.names, 1)}
    found = []
    known = set()
    for path in paths:
        labels = _label_file(root, path)
        known.add(labels)
        image, wrong = _read_image(len(found), root, path, labels, label_of)
        mistakes += wrong
        found += [] if image is None else [image]
    for place in layout.places:
        mistakes += _without_image(root, place, known)
    if not paths and not mistakes:
        where = ", ".join(_name(root, place) for place in layout.places)
        mistakes.append(
            Mistake(layout.config.name, f"there are no images in {where or 'the folders it names'}")
        )
    return FolderContent(layout.root, ("background", *layout.names.values()), tuple(found), tuple(mistakes))


def _read_image(
    index: int, root: Path, path: Path, labels: Path, label_of: dict[int, int]
) -> tuple[AnnotatedImage | None, list[Mistake]]:
    try:
        size = upright_size(path)
    except ValueError as problem:
        what = str(problem).removeprefix(f"{path}: ")
        return None, [Mistake(_name(root, path), what, None, path.name)]
    objects, mistakes = read_labels(labels, _name(root, labels), path.name, size, label_of)
    return AnnotatedImage(index, path, path.name, size, tuple(objects)), mistakes


def _listed(root: Path, place: Path, mistakes: list[Mistake]) -> Iterator[Path]:
    """The images of a folder, with those in its folders, or of a text file with one path on each line."""
    if place.is_dir():
        yield from sorted(_images_in(place, deep=True))
        return
    try:
        lines = text_of(place).splitlines()
    except ValueError as problem:
        mistakes.append(Mistake(_name(root, place), str(problem)))
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        path = _absolute(place.parent / line.strip())
        path = path if is_file(path) else _absolute(root / line.strip())
        if is_file(path) and path.is_relative_to(root):
            yield path
        else:
            what = f"line {number} names {line.strip()[:80]!r}, which is no file below the data set's folder"
            mistakes.append(Mistake(_name(root, place), what, number))


def _images_in(folder: Path, deep: bool = False) -> Iterator[Path]:
    inside = folder.rglob("*") if deep else folder.glob("*")
    return (path for path in inside if is_image_name(path.name) and path.is_file())


def _label_file(root: Path, image: Path) -> Path:
    """`labels/` mirrors the last `images/` on the way to an image; else the file lies beside it."""
    return _mirrored(root, image.with_suffix(".txt"))


def _mirrored(root: Path, path: Path) -> Path:
    parts = list(path.relative_to(root).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return root.joinpath(*parts)


def _without_image(root: Path, place: Path, known: set[Path]) -> list[Mistake]:
    """Label files that belong to no image, where images and labels have folders of their own."""
    labels = _mirrored(root, place / "x").parent
    if not place.is_dir() or labels == place or not labels.is_dir():
        return []
    files = (path for path in sorted(labels.rglob("*.txt")) if path.name.lower() not in _NO_LABELS)
    lost = [path for path in files if path not in known]
    return [Mistake(_name(root, path), f"there is no image {path.stem} for these labels") for path in lost]


def _absolute(path: Path) -> Path:
    """Without dots, links left as they are: what a person links into a data set belongs to it."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links


def _name(root: Path, path: Path) -> str:
    return str(PurePosixPath(path.relative_to(root))) if path.is_relative_to(root) else str(path)
