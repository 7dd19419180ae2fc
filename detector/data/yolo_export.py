"""Writing annotations as YOLO does: `data.yaml`, and one text file of boxes for each image.

Boxes come in as xyxy in the image frame and are written as centre, width and height in shares of the image's sides,
with ten digits: exact to a thousandth of a pixel in any image, and to far less in most.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.data.converted import Entry

_CONFIG = "data.yaml"


def write_yolo_files(
    folder: Path, categories: Sequence[str], entries: Sequence[Entry]
) -> tuple[int, list[str]]:
    """Write `labels/` and `data.yaml`; class numbers are labels less one.

    Args:
        folder: of the data set; the images lie in its `images/`.
        categories: names, index 0 is background.
        entries: the images; one without objects gets an empty file.

    Returns:
        How many objects were written, and what YOLO cannot say.
    """
    (folder / "labels").mkdir()
    written = 0
    for entry in entries:
        lines = [line for line in _lines(entry) if line]
        written += len(lines)
        text = "".join(f"{line}\n" for line in lines)
        (folder / "labels" / f"{Path(entry.name).stem}.txt").write_text(text, encoding="utf-8")
    # Without `path`, Ultralytics looks beside the file, too.
    config = {"train": "images", "val": "images", "names": dict(enumerate(categories[1:]))}
    (folder / _CONFIG).write_text(
        yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return written, _notes(entries)


def _lines(entry: Entry) -> list[str | None]:
    """A line for each object; None where YOLO cannot say it."""
    rows = zip(entry.labels, entry.boxes, entry.crowd, strict=True)
    return [None if crowd else _line(label, box, entry.size) for label, box, crowd in rows]


def _line(label: int, box: Sequence[float], size: tuple[int, int]) -> str | None:
    x1, y1, x2, y2 = clipped(box, size)
    if x2 <= x1 or y2 <= y1:
        return None
    height, width = size
    shares = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
    return " ".join((str(label - 1), *(f"{share:.10f}" for share in shares)))


def clipped(box: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box xyxy cut to an image of `size` (H, W)."""
    x1, y1, x2, y2 = box
    height, width = size
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def _notes(entries: Sequence[Entry]) -> list[str]:
    crowd = sum(sum(entry.crowd) for entry in entries)
    cut, lost = 0, 0
    for entry in entries:
        for box, ignored in zip(entry.boxes, entry.crowd, strict=True):
            if not ignored and tuple(box) != clipped(box, entry.size):
                gone = _line(1, box, entry.size) is None
                cut, lost = cut + (not gone), lost + gone
    notes = [f"{_CONFIG} names the same images for train and val, because a data set here is one split"]
    if crowd:
        notes.append(
            f"YOLO knows no crowd regions or difficult objects: {crowd:,} are left out, and what a detector finds "
            "there will count as false"
        )
    if cut:
        notes.append(f"{cut:,} boxes stuck out of their images and are clipped")
    if lost:
        notes.append(f"{lost:,} boxes wholly outside of their images are left out")
    return notes
