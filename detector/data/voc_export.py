"""Writing annotations as Pascal VOC does: one XML file for each image.

Boxes come in as xyxy in the image frame and are written as pixels from 1 with the last one included.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.converted import Entry

_NAMED = 5


def write_voc_files(
    folder: Path, categories: Sequence[str], entries: Sequence[Entry]
) -> tuple[int, list[str]]:
    """Write `Annotations/` and the list `ImageSets/Main/trainval.txt`.

    Args:
        folder: of the data set; the images lie in its `JPEGImages/`.
        categories: names, index 0 is background.
        entries: the images.

    Returns:
        How many objects were written, and what VOC cannot say.

    Raises:
        ValueError: the name of a category cannot be written as XML.
    """
    for name in categories[1:]:
        if not name.strip() or not all(letter.isprintable() for letter in name):
            raise ValueError(
                f"the category {name!r} cannot be named in XML; expected a name of printable letters"
            )
    (folder / "Annotations").mkdir()
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for entry in entries:
        tree = ElementTree(_annotation(entry, categories))
        indent(tree)
        path = folder / "Annotations" / f"{Path(entry.name).stem}.xml"
        tree.write(path, encoding="utf-8")
    stems = "".join(f"{Path(entry.name).stem}\n" for entry in entries)
    (folder / "ImageSets" / "Main" / "trainval.txt").write_text(stems, encoding="utf-8")
    return sum(len(entry.labels) for entry in entries), _notes(categories, entries)


def _annotation(entry: Entry, categories: Sequence[str]) -> Element:
    root = Element("annotation")
    _text(root, "folder", "JPEGImages")
    _text(root, "filename", entry.name)
    size = SubElement(root, "size")
    for key, value in (("width", entry.size[1]), ("height", entry.size[0]), ("depth", 3)):
        _text(size, key, value)
    _text(root, "segmented", 0)
    for label, box, difficult in zip(entry.labels, entry.boxes, entry.crowd, strict=True):
        thing = SubElement(root, "object")
        _text(thing, "name", categories[label])
        for key, value in (("pose", "Unspecified"), ("truncated", 0), ("difficult", int(difficult))):
            _text(thing, key, value)
        bounds = SubElement(thing, "bndbox")
        x1, y1, x2, y2 = box
        for key, value in (("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2)):
            _text(bounds, key, _number(value))
    return root


def _text(parent: Element, tag: str, value: object) -> None:
    SubElement(parent, tag).text = str(value)


def _number(value: float) -> str:
    """Whole pixels without a point, others to a billionth."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _notes(categories: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    notes = []
    crowd = sum(sum(entry.crowd) for entry in entries if "difficult" not in entry.target)
    if crowd:
        notes.append(f"{crowd:,} crowd regions are written as difficult objects, which VOC ignores likewise")
    used = {label for entry in entries for label in entry.labels}
    unused = [repr(name) for label, name in enumerate(categories) if label > 0 and label not in used]
    if unused:
        more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
        notes.append(
            f"VOC has no list of categories: without an object, {', '.join(unused[:_NAMED])}{more} got lost"
        )
    if list(categories[1:]) != sorted(categories[1:]):
        notes.append("VOC has no order of categories: they are read by the alphabet")
    if any(count > 1 for count in Counter(categories[1:]).values()):
        notes.append("categories of the same name became one")
    return notes
