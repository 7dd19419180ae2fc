"""The file that says what a YOLO data set holds: `data.yaml`, or `classes.txt` with one name on each line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detector.data.file_names import is_text
from detector.data.mistakes import shown
from detector.data.plain_yaml import parse_yaml
from detector.data.text_file import text_of

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 4 << 20
_SPLITS = ("train", "val", "test")
_OTHER_WORDS = {"val": ("val", "valid", "validation")}


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """What the file says.

    Args:
        names: class number -> name, in order.
        path: where the splits are, below the file's folder; a dot where it is not said.
        splits: folders or lists of each split, as they are written; empty without a YAML file.
    """

    names: dict[int, str]
    path: str = "."
    splits: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_config(file: Path) -> YoloConfig:
    """Read `data.yaml`.

    Raises:
        ValueError: no YAML, no names, or names, numbers or paths that are none; one sentence that names the file.
    """
    content = _loaded(file)
    names = _names(file, content.get("names"))
    count = content.get("nc", len(names))
    if count != len(names):
        raise ValueError(f"{file}: nc is {shown(count)}, but there are {len(names)} names")
    path = content.get("path") or "."
    if not isinstance(path, str):
        raise ValueError(f"{file}: path is {shown(path)}; expected a folder")
    splits = {}
    for split in _SPLITS:
        written = next((content[key] for key in _OTHER_WORDS.get(split, (split,)) if content.get(key)), None)
        if written is not None:
            splits[split] = _paths(file, split, written)
    if not splits:
        raise ValueError(
            f"{file}: there is neither train nor val; expected a folder of images for one of them"
        )
    return YoloConfig(names, path, splits)


def gives_names(file: Path) -> bool:
    """Whether a YAML file has a line for the names of classes, as no other YAML file is likely to."""
    try:
        return any(line.startswith("names:") for line in _text(file).splitlines())
    except ValueError:
        return False


def read_classes(file: Path) -> YoloConfig:
    """Read `classes.txt`.

    Raises:
        ValueError: no names in it.
    """
    lines = [line.strip() for line in _text(file).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return YoloConfig(_names(file, lines))


def _loaded(file: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(_text(file))
    except ValueError as error:
        raise ValueError(f"{file}: {str(error).removeprefix(f'{file}: ')}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{file}: this is not the YAML of a YOLO data set; expected `names` with `train` or `val`"
        )
    return content


def _text(file: Path) -> str:
    try:
        return text_of(file, _LARGEST)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _names(file: Path, names: object) -> dict[int, str]:
    """Class numbers in order -> names, from a list or from a mapping."""
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise ValueError(
            f"{file}: there are no names; expected a list of categories, or a number with each name"
        )
    found = {}
    for number, name in names.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"{file}: names has the number {shown(number)}; expected whole numbers from 0")
        if isinstance(name, list | dict | None) or not is_text(str(name)):
            raise ValueError(f"{file}: class {number} has the name {shown(name)}; expected a text")
        found[number] = str(name).strip()
    return dict(sorted(found.items()))


def _paths(file: Path, split: str, written: object) -> tuple[str, ...]:
    paths = written if isinstance(written, list) else [written]
    if not all(isinstance(path, str) for path in paths):
        raise ValueError(
            f"{file}: {split} is {shown(written)}; expected a folder of images, or a list of folders"
        )
    return tuple(map(str, paths))
