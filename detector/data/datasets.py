"""One door to every annotated data set, and what an item says of the objects in its image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from detector.data.annotated import AnnotatedFiles, FolderContent
from detector.data.coco import ANNOTATIONS, CocoDataset
from detector.data.ground_truth import GroundTruth
from detector.data.recognition import EXPECTED, Kind, is_voc_list, kind_of
from detector.data.shapes import ShapesDataset
from detector.data.voc import VocDataset
from detector.data.voc_folder import SPLITS, read_voc, split_names
from detector.data.yolo import YoloDataset
from detector.data.yolo_folder import find_config, find_yolo, read_yolo, split_places

_SHAPES = re.compile(r"shapes:(\d+)(?::(\d+))?")

# Whatever `open_dataset` gives.
AnyDataset = AnnotatedFiles | ShapesDataset


def open_dataset(source: str | Path) -> AnyDataset:
    """Open a data set by path, or the shapes world by its length and seed.

    Args:
        source: a COCO folder or JSON file; a Pascal VOC folder, or a list in its `ImageSets/Main/` for one split; a
            YOLO folder, `data.yaml`, or a folder of images below it for one split; or `shapes:LENGTH[:SEED]`.

    Raises:
        ValueError: something else, several kinds at once, or a data set with mistakes in it; says what was given.
        TypeError: neither text nor path.
    """
    if not isinstance(source, str | Path):
        raise TypeError(f"a data set was given as {type(source).__name__}; {EXPECTED}")
    if isinstance(source, str) and source.startswith("shapes:"):
        match = _SHAPES.fullmatch(source)
        if match is None:
            raise ValueError(f"the data set {source!r} is not understood; {EXPECTED}")
        length, seed = match.groups()
        return ShapesDataset(int(length), seed=7 if seed is None else int(seed))
    if not str(source).strip():
        raise ValueError(f"there is no data set {str(source)!r}; {EXPECTED}")
    path = Path(source)
    kind = kind_of(path)
    if kind is Kind.COCO:
        return CocoDataset(path)
    return YoloDataset(path) if kind is Kind.YOLO else VocDataset(*_voc_parts(path))


def read_folder(path: Path) -> FolderContent:
    """What a Pascal VOC or YOLO folder (list, YAML file) holds, with its mistakes; `open_dataset` refuses those.

    Raises:
        ValueError: it is neither, or so wrong that there is nothing to look at.
    """
    if kind_of(path) is Kind.YOLO:
        return read_yolo(find_yolo(path))
    return read_voc(*_voc_parts(path))


def _voc_parts(path: Path) -> tuple[Path, str | None]:
    """Folder and split of a VOC folder or list."""
    if not is_voc_list(path):
        return path, None
    below = path if len(path.parents) > 2 else path.absolute()
    return below.parents[2], path.stem


def splits_of(source: str | Path) -> dict[str, str]:
    """The splits of a data set: name -> text that `open_dataset` takes; empty where there are none to choose from.

    Args:
        source: as `open_dataset` takes it. A COCO folder has one for each of several JSON files.

    Raises:
        ValueError: there is no such data set.
    """
    path = Path(source)
    if str(source).startswith("shapes:") or path.is_file():
        return {}
    kind = kind_of(path)
    if kind is Kind.VOC:
        return {name: str(path / SPLITS / f"{name}.txt") for name in split_names(path)}
    if kind is Kind.YOLO:
        file = find_config(path)
        places = {} if file is None else split_places(file)
        return {name: str(found[0]) for name, found in places.items() if len(found) == 1}
    several = [] if (path / ANNOTATIONS).is_file() else sorted(path.glob("*.json"))
    return {file.stem: str(file) for file in several} if len(several) > 1 else {}


def ground_truth_of(target: dict[str, Any]) -> GroundTruth:
    """The objects of one item (of any data set here) as a record; raises ValueError as `GroundTruth`."""
    for key in ("boxes", "labels"):
        if key not in target:
            raise ValueError(f"the target has no {key!r}; expected boxes [G, 4] and labels [G]")
    labels = torch.as_tensor(target["labels"])
    crowd, ids = target.get("iscrowd", labels[:0].bool()), target.get("ids", labels[:0])
    return GroundTruth(target["boxes"], labels, crowd, ids)
