"""Which kind of data set lies at a path: COCO, Pascal VOC or YOLO."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from detector.data.coco import ANNOTATIONS
from detector.data.coco_file import load_document
from detector.data.voc_folder import SPLITS, annotation_folder
from detector.data.yolo_folder import find_config

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = (
    "expected a COCO folder or JSON file, a Pascal VOC folder (Annotations/ with XML files) or list, a "
    "YOLO folder or data.yaml, or shapes:LENGTH[:SEED]"
)


class Kind(StrEnum):
    """How a data set is written down."""

    COCO = "coco"
    VOC = "voc"
    YOLO = "yolo"


WORDS = {Kind.COCO: "COCO annotations", Kind.VOC: "VOC annotations", Kind.YOLO: "YOLO labels"}


def kind_of(path: Path) -> Kind:
    """The kind of a data set.

    Raises:
        ValueError: there is nothing, none of the kinds, or several; one sentence that says what was looked for.
    """
    if not path.exists():
        raise ValueError(f"there is no data set {str(path)!r}; {EXPECTED}")
    if path.is_file():
        return _kind_of_file(path)
    kinds = _kinds_in(path)
    if not kinds:
        raise ValueError(
            f"{path}: the folder holds no COCO annotations, VOC annotations or YOLO labels; {EXPECTED}"
        )
    if len(kinds) > 1:
        found = " and ".join(WORDS[kind] for kind in kinds)
        raise ValueError(f"{path}: the folder holds {found}; name the JSON file, data.yaml or another folder")
    return kinds[0]


def _kind_of_file(path: Path) -> Kind:
    if path.suffix.lower() == ".json":
        return Kind.COCO
    if is_voc_list(path):
        return Kind.VOC
    if find_config(path) is not None:
        return Kind.YOLO
    raise ValueError(f"{path} is not a data set; {EXPECTED}")


def is_voc_list(path: Path) -> bool:
    """Whether a file lies where VOC keeps the lists of its splits."""
    return path.suffix.lower() == ".txt" and path.absolute().parent.as_posix().endswith(f"/{SPLITS}")


def _kinds_in(folder: Path) -> list[Kind]:
    kinds = [] if annotation_folder(folder) is None else [Kind.VOC]
    kinds += [] if find_config(folder) is None else [Kind.YOLO]
    return [Kind.COCO, *kinds] if _has_coco(folder, sure=not kinds) else kinds


def _has_coco(folder: Path, sure: bool) -> bool:
    """Whether there is a COCO file; beside annotations of another kind, some other JSON file is none."""
    if (folder / ANNOTATIONS).is_file():
        return True
    files = sorted(folder.glob("*.json"))
    return bool(files) if sure else any(map(_is_coco, files))


def _is_coco(file: Path) -> bool:
    try:
        load_document(file)
    except ValueError:
        return False
    return True
