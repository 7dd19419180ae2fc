"""Reading a COCO folder with all its mistakes: every one becomes a finding, and the rest is examined.

`CocoDataset` stops at the first mistake, as a reader should; the doctor names them all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detector.data.coco_entries import read_annotation
from detector.data.coco_file import load_document
from detector.data.file_names import is_file, is_file_name, is_text
from detector.data.mistakes import shown
from detector.judging.doctor_images import look_at_file
from detector.judging.doctor_survey import Entries, Looked, SeenImage, Size, Survey
from detector.judging.findings import Finding, Place, Severity, finding_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(slots=True)
class _Reading:
    """What is being collected from one file."""

    path: Path
    findings: list[Finding | None] = field(default_factory=list)
    images: list[SeenImage] = field(default_factory=list)
    index_of: dict[int, int] = field(default_factory=dict)
    entries: Entries = field(default_factory=Entries.none)

    def note(self, check: str, problems: list[tuple[str, Place]], remedy: str) -> None:
        """One finding for all problems of a kind, in the words of the first."""
        if problems:
            more = f" ({len(problems)} in all)" if len(problems) > 1 else ""
            places = [place for _, place in problems]
            self.findings.append(
                finding_at(Severity.ERROR, check, problems[0][0] + more, remedy, places)
            )  # fmt: skip


def survey_coco(
    path: Path,
    folders: Sequence[Path],
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Read an annotation file and its images.

    Args:
        path: the JSON file.
        folders: where the images may lie, the first that has one wins.
        limit: at most so many images, the first ones.
        progress: told images so far and images in all.

    Raises:
        ValueError: no such file, or not a COCO file at all.
    """
    document, reading = load_document(path), _Reading(path)
    categories = _categories(reading, document["categories"])
    chosen = document["images"] if limit is None else document["images"][:limit]
    _read_images(reading, chosen, folders, progress)
    left_out = {_whole(entry.get("id")) for entry in document["images"][len(chosen) :] if _is_object(entry)}
    _read_annotations(reading, document["annotations"], left_out)
    numbers, labels, ids, image_of, crowd = reading.entries.tensors()
    names = ("background", *(categories[number] for number in sorted(categories))) if categories else None
    return Survey(
        path.parent.name or str(path), tuple(reading.images), numbers, "xywh", labels, ids, image_of, crowd,
        categories, names, tuple(f for f in reading.findings if f is not None),
        len(chosen) == len(document["images"]),
    )  # fmt: skip


def _categories(reading: _Reading, entries: list[Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    problems = []
    for position, entry in enumerate(entries):
        number = _whole(entry.get("id")) if _is_object(entry) else None
        if number is None or not _is_named(entry):
            problems.append((f"category entry {position} has no id or no name", Place()))
        elif number in found:
            problems.append((f"category {number} is there twice", Place()))
        else:
            found[number] = str(entry["name"])
    if not entries:
        problems.append(("there are no categories", Place()))
    reading.note("categories", problems, "Give each category an id of its own and a name.")
    twice = [name for name, count in Counter(found.values()).items() if count > 1]
    if twice:
        reading.findings.append(
            Finding(
                Severity.WARNING, "category_twice",
                f"{len(twice)} category names have several ids: {twice[0]!r} for one",
                "Merge them: a detector learns to tell apart what is the same.", count=len(twice),
            )
        )  # fmt: skip
    return found


def _read_images(
    reading: _Reading,
    entries: list[Any],
    folders: Sequence[Path],
    progress: Callable[[int, int], None] | None,
) -> None:
    malformed, missing, unreadable = [], [], []
    for position, entry in enumerate(entries):
        number = _whole(entry.get("id")) if _is_object(entry) else None
        name = entry.get("file_name") if _is_object(entry) else None
        if number is None or not is_file_name(name):
            malformed.append(
                (f"image entry {position} has the id {number} and the file name {shown(name)}", Place())
            )
        elif number in reading.index_of:
            malformed.append((f"image {number} is there twice", Place(name)))
        else:
            reading.index_of[number] = len(reading.images)
            path = next((folder / name for folder in folders if is_file(folder / name)), None)
            if path is None:
                missing.append((f"the file {name} of image {number} is missing", Place(name)))
            looked = None if path is None else _look(path, name, unreadable)
            reading.images.append(SeenImage(name, _said_size(entry), looked))
        if progress is not None:
            progress(position + 1, len(entries))
    reading.note("image_entry", malformed, "Give each image an id of its own and a path inside the folder.")
    reading.note(
        "image_missing", missing, "Put the file beside the annotations or in images/, or drop its entry."
    )
    reading.note("image_unreadable", unreadable, "Save the image again from its source, or drop its entry.")


def _look(path: Path, name: str, unreadable: list[tuple[str, Place]]) -> Looked | None:
    try:
        return look_at_file(path)
    except (ValueError, OSError) as problem:
        sentence = str(problem).removeprefix(str(path)).removeprefix(": ")
        unreadable.append((f"{name} cannot be read: {sentence}", Place(name)))
        return None


def _read_annotations(reading: _Reading, entries: list[Any], left_out: set[int | None]) -> None:
    malformed, homeless, twice = [], [], []
    seen: set[int] = set()
    for position, entry in enumerate(entries):
        if not _is_object(entry):
            malformed.append((f"annotation entry {position} is {shown(entry)}; expected an object", Place()))
            continue
        number, image = _whole(entry.get("id")), _whole(entry.get("image_id"))
        if image in left_out:
            continue
        place = Place(_name_of(reading, image), number)
        category, box = _whole(entry.get("category_id")), entry.get("bbox")
        if (
            number is None
            or image is None
            or category is None
            or not _is_box(box)
            or not _is_crowd_flag(entry)
        ):
            malformed.append((_sentence(reading.path, entry), place))
            continue
        if number in seen:
            twice.append((f"annotation {number} is there twice", place))
        seen.add(number)
        if image not in reading.index_of:
            homeless.append((f"annotation {number} is on image {image}, which is not in the file", place))
            continue
        crowd = bool(entry.get("iscrowd", 0))
        reading.entries.add(reading.index_of[image], list(map(float, box)), category, number, crowd)
    reading.note(
        "annotation_entry", malformed, "Write id, image_id, category_id and bbox [x, y, width, height]."
    )
    reading.note("annotation_id_twice", twice, "Give each annotation an id of its own.")
    reading.note("annotation_without_image", homeless, "Add the image, or drop the annotation.")


def _name_of(reading: _Reading, image: int | None) -> str | None:
    index = None if image is None else reading.index_of.get(image)
    return None if index is None else reading.images[index].name


def _sentence(path: Path, entry: dict[str, Any]) -> str:
    """What the strict reader says of an entry that it refuses."""
    try:
        read_annotation(path, entry)
    except ValueError as refusal:
        return str(refusal).removeprefix(f"{path}: ")
    return "an annotation cannot be read"


def _said_size(entry: dict[str, Any]) -> Size | None:
    height, width = _whole(entry.get("height")), _whole(entry.get("width"))
    return None if not height or not width else (height, width)


def _is_named(entry: dict[str, Any]) -> bool:
    name = entry.get("name")
    return is_text(name) or (isinstance(name, int) and not isinstance(name, bool))


def _is_object(entry: object) -> bool:
    return isinstance(entry, dict)


def _is_crowd_flag(entry: dict[str, Any]) -> bool:
    return entry.get("iscrowd", 0) in (0, 1)


def _is_box(box: object) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(_is_number(v) and abs(v) < 1e12 for v in box)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _whole(value: object) -> int | None:
    """A whole number, also where it is written as 3.0; None for anything else."""
    if not _is_number(value) or abs(value) >= 2**63 or value != int(value):  # pyright: ignore[reportArgumentType]
        return None
    return int(value)  # pyright: ignore[reportArgumentType]
