"""Reading one XML file of a Pascal VOC data set, with all its mistakes.

The file is not trusted: entities and external references are refused before anything is expanded.
Boxes come out as xyxy in the image frame, x2 and y2 one past the last pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from detector.data.mistakes import Mistake, wrong_box
from detector.data.plain_file import check_limits

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LARGEST = 32 << 20
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class VocObject:
    """One object: its number in the file from 1, the name of its category, box xyxy, whether it is difficult."""

    number: int
    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True, slots=True)
class VocFile:
    """One XML file.

    Args:
        path: of the file.
        image: file name of the image as it is said; empty where it is not.
        size: (H, W) as it is said, where it is.
        objects: those that can be used.
        mistakes: about all else.
    """

    path: Path
    image: str
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


def read_voc_file(path: Path, name: str) -> VocFile:
    """Read one file; whatever is wrong with it is among its mistakes.

    Args:
        path: of the file.
        name: what mistakes call it.
    """
    try:
        root = _parsed(path)
    except ValueError as problem:
        return VocFile(path, "", None, (), (Mistake(name, str(problem)),))
    objects, mistakes = [], []
    image = PureWindowsPath((root.findtext("filename") or "").strip()).name
    try:
        size = _size(root)
    except ValueError as problem:
        size = None
        mistakes.append(Mistake(name, str(problem), None, image or None))
    for number, element in enumerate(root.findall("object"), 1):
        try:
            objects.append(_object(number, element))
        except ValueError as problem:
            mistakes.append(Mistake(name, f"object {number} {problem}", number, image or None))
    return VocFile(path, image, size, tuple(objects), tuple(mistakes))


def _parsed(path: Path) -> Element:
    """The root element; the sentence of a ValueError goes on from the file's name."""
    try:
        check_limits(path)
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"the file is larger than {_LARGEST >> 20} MiB")
        root = fromstring(path.read_bytes())
    except DefusedXmlException as error:
        raise ValueError("the XML defines entities or refers to other files, which is not read") from error
    except (ParseError, LookupError) as error:
        raise ValueError(f"this is not XML ({error})") from error
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror or error})") from error
    if root.tag != "annotation":
        raise ValueError(
            f"this is not a VOC annotation: its root is <{root.tag[:40]}>; expected <annotation>"
        )
    return root


def _size(root: Element) -> tuple[int, int] | None:
    """(H, W); None where the file says nothing, or 0 as some tools do."""
    texts = [root.findtext(f"size/{key}") for key in ("height", "width")]
    if None in texts:
        return None
    height, width = (_number(text) for text in texts)
    if height == width == 0:
        return None
    if min(height, width) < 1 or height % 1 or width % 1 or max(height, width) > 1e6:
        raise ValueError(f"the image's size is said to be {texts[1]} x {texts[0]}; expected whole pixels")
    return int(height), int(width)


def _object(number: int, element: Element) -> VocObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise ValueError("has no name")
    box = element.find("bndbox")
    if box is None:
        raise ValueError(f"({name}) has no <bndbox>")
    texts = [box.findtext(key) for key in _CORNERS]
    if None in texts:
        raise ValueError(f"({name}) has no {_CORNERS[texts.index(None)]}")
    xmin, ymin, xmax, ymax = map(_number, texts)
    corners = xmin - 1, ymin - 1, xmax, ymax
    wrong = wrong_box(corners)
    if wrong is not None:
        said = ", ".join(f"{key} {text}" for key, text in zip(_CORNERS, texts, strict=True))
        raise ValueError(f"({name}) has the box {said}, which {wrong}")
    return VocObject(number, name, corners, _flag(element.findtext("difficult"), name))


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError as error:
        raise ValueError(f"holds {(text or '')[:40]!r} where a number is expected") from error


def _flag(text: str | None, name: str) -> bool:
    word = (text or "0").strip().lower()
    if word not in ("0", "1", "true", "false", "unspecified"):
        raise ValueError(f"({name}) has difficult {word[:40]!r}; expected 0 or 1")
    return word in ("1", "true")
