"""The bundled scenes with what they hold, and the objects of a scene in the words of a detector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from detector.data.categories import label_map, translated
from detector.data.coco import CocoDataset, find_annotation_file
from detector.data.coco_file import read_coco_file
from detector.data.datasets import ground_truth_of
from detector.data.ground_truth import GroundTruth
from viz_app.bundled import sample_images_folder

if TYPE_CHECKING:
    from detector.models.detector import Detector


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Objects of one image.

    Args:
        truth: the objects; their labels index `categories`.
        categories: names, index 0 is background.
    """

    truth: GroundTruth
    categories: tuple[str, ...]

    def known_to(self, detector: Detector) -> GroundTruth | None:
        """The objects under the detector's own category indices; None where it lacks a category."""
        return translated(self.truth, label_map(self.categories, detector.categories))


@dataclass(frozen=True, slots=True, eq=False)
class ImageChoice:
    """One image that can be looked at.

    Args:
        key: what tells it apart: the file name of a bundled scene, `upload:` and a digest, or an image of a data
            set (see `viz_app.dataset_scenes`).
        label: its name for people.
        sha256: hex digest of the file's bytes.
        source: the file's path, or its bytes.
        name: the file name.
        annotations: its objects, where they are known.
        is_trace: the file is not an image but a saved trace of one.
        has_link: a link can name it.
    """

    key: str
    label: str
    sha256: str
    source: Path | bytes
    name: str
    annotations: Annotations | None = None
    is_trace: bool = False
    has_link: bool = True


def digest(data: bytes) -> str:
    """SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def bundled_scenes() -> tuple[ImageChoice, ...]:
    """The bundled scenes, in the order of their annotation file."""
    dataset = CocoDataset(sample_images_folder())
    return tuple(_scene(dataset, index) for index in range(len(dataset)))


def annotations_of(source: Path, image: Path) -> Annotations:
    """The objects that COCO annotations name for one image, found by its file name.

    Args:
        source: JSON file, or the folder that holds it.
        image: the image file; it may lie anywhere.

    Raises:
        ValueError: no such file, not COCO, or it names the image not at all or more than once.
    """
    file = find_annotation_file(source)
    content = read_coco_file(file)
    found = [entry for entry in content.images if Path(entry.file_name).name == image.name]
    if len(found) != 1:
        count = (
            f"{len(found)} of its images are" if found else f"none of its {len(content.images):,} images is"
        )
        raise ValueError(f"{file}: {count} called {image.name}")
    objects = found[0].annotations
    label_of = {number: label for label, number in enumerate(content.category_ids, start=1)}
    truth = GroundTruth(
        torch.tensor([one.box for one in objects], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([label_of[one.category_id] for one in objects], dtype=torch.int64),
        torch.tensor([one.crowd for one in objects], dtype=torch.bool),
        torch.tensor([one.id for one in objects], dtype=torch.int64),
    )
    return Annotations(truth, ("background", *content.category_names))


def _scene(dataset: CocoDataset, index: int) -> ImageChoice:
    path = dataset.image_path(index)
    known = Annotations(ground_truth_of(dataset[index][1]), dataset.categories)
    label = path.stem.replace("_", " ")
    return ImageChoice(path.name, label, digest(path.read_bytes()), path, path.name, known)
