"""Writing a data set as COCO, Pascal VOC or YOLO: image files are copied as they are, drawn scenes become PNG.

Boxes are xyxy [G, 4] in the image frame. COCO and VOC hold them to 1e-6 px; YOLO to 1e-3 px, clipped to the image.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from detector.data.annotated import AnnotatedFiles, other_size, told_areas
from detector.data.coco import CocoDataset
from detector.data.coco_export import document_of
from detector.data.converted import Entry, file_names
from detector.data.image_headers import stored_size, upright_size
from detector.data.new_folder import new_folder
from detector.data.recognition import WORDS, Kind
from detector.data.voc import VocDataset
from detector.data.voc_export import write_voc_files
from detector.data.yolo_export import write_yolo_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.data.coco_export import AnnotatedImages

_IMAGES = {Kind.COCO: "images", Kind.VOC: "JPEGImages", Kind.YOLO: "images"}


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written.

    Args:
        folder: the new folder; `open_dataset` opens it.
        kind: how.
        images, objects: how many there are in it.
        notes: what this kind cannot say, or says in another way, one sentence each.
    """

    folder: Path
    kind: Kind
    images: int
    objects: int
    notes: tuple[str, ...]


def convert(
    dataset: AnnotatedImages,
    kind: str,
    folder: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Write a data set in another way, complete or not at all.

    Args:
        dataset: what `open_dataset` gives, or any other annotated images.
        kind: `coco`, `voc` or `yolo`.
        folder: the new folder; it must not exist, or be empty.
        progress: told images so far and images in all.

    Returns:
        What was written; its notes say what got lost.

    Raises:
        ValueError: another kind, a folder that holds something, or an image that cannot be used.
        OSError: the disk is full, say. Nothing is left behind in either case.
    """
    if kind not in tuple(Kind):
        raise ValueError(f"a data set cannot be written as {kind!r}; expected {', '.join(Kind)}")
    kind = Kind(kind)
    with new_folder(folder) as temporary:
        images = temporary / _IMAGES[kind]
        images.mkdir()
        entries = []
        for index, name in enumerate(file_names(dataset)):
            entries.append(_entry(dataset, index, images / name))
            if progress is not None:
                progress(index + 1, len(dataset))
        objects, notes = _WRITERS[kind](temporary, dataset, entries)
    return Conversion(Path(folder), kind, len(entries), objects, (*_notes(dataset, kind, entries), *notes))


def _entry(dataset: AnnotatedImages, index: int, path: Path) -> Entry:
    """One image, put at `path`, with its objects."""
    if not isinstance(dataset, AnnotatedFiles):
        pixels, target = dataset[index]
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
        return Entry(path.name, (pixels.shape[1], pixels.shape[2]), target)
    image = dataset.images[index]
    size, orientation = upright_size(image.path), stored_size(image.path)[1]
    if image.size not in (None, size):
        raise ValueError(other_size(image, size))
    shutil.copyfile(image.path, path)
    things = image.objects
    target: dict[str, Any] = {
        "boxes": torch.tensor([thing.box for thing in things], dtype=torch.float64).reshape(-1, 4),
        "labels": torch.tensor([thing.label for thing in things], dtype=torch.int64),
        "iscrowd": torch.tensor([thing.ignored for thing in things], dtype=torch.bool),
        "ids": torch.tensor([thing.id for thing in things], dtype=torch.int64),
        "image_id": image.id,
        **told_areas(image),
    }
    if isinstance(dataset, VocDataset):
        target["difficult"] = target["iscrowd"]
    return Entry(path.name, size, target, turned=orientation != 1, renamed=path.name != image.path.name)


def _notes(dataset: AnnotatedImages, kind: Kind, entries: list[Entry]) -> list[str]:
    """What is to be said whatever is written."""
    notes = []
    renamed, turned = sum(entry.renamed for entry in entries), sum(entry.turned for entry in entries)
    if renamed:
        notes.append(f"{renamed:,} images got a new name, because another one has theirs")
    if turned:
        notes.append(
            f"{turned:,} images carry an EXIF orientation; their boxes are for the image as it is shown upright"
        )
    if isinstance(dataset, CocoDataset):
        lost = "segmentations and keypoints are left out"
        notes.append(lost if kind is Kind.COCO else f"{WORDS[kind]} have no annotation ids or areas; {lost}")
    return notes


def _write_coco(folder: Path, dataset: AnnotatedImages, entries: list[Entry]) -> tuple[int, list[str]]:
    """`annotations.json`; ids of a COCO file are kept."""
    keep = dataset.category_ids if isinstance(dataset, CocoDataset) else None
    document = document_of(dataset.categories, entries, keep)
    document.write(folder / "annotations.json")
    difficult = sum(sum(entry.crowd) for entry in entries if "difficult" in entry.target)
    words = f"{difficult:,} difficult objects are written as crowd regions (`iscrowd`), which COCO ignores likewise"
    return document.objects, [words] if difficult else []


def _write_voc(folder: Path, dataset: AnnotatedImages, entries: list[Entry]) -> tuple[int, list[str]]:
    return write_voc_files(folder, dataset.categories, entries)


def _write_yolo(folder: Path, dataset: AnnotatedImages, entries: list[Entry]) -> tuple[int, list[str]]:
    return write_yolo_files(folder, dataset.categories, entries)


_WRITERS = {Kind.COCO: _write_coco, Kind.VOC: _write_voc, Kind.YOLO: _write_yolo}
