"""What a run in a folder is a run of: kept in `run.json`, so that only the same can be continued there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from detector.data.annotated import AnnotatedFiles
from detector.data.coco import CocoDataset
from detector.data.sealed import checksum, replace_file
from detector.data.shapes import ShapesDataset

if TYPE_CHECKING:
    from pathlib import Path

    from detector.data.coco_export import AnnotatedImages
    from detector.models.detector import Detector
    from detector.tracing.thresholds import Thresholds

RUN = "run.json"
FORMAT = 1
_DEFAULT_SIZE = 256


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What must be the same for a run to go on.

    Args:
        model: name of the detector.
        model_sha256: of its weights, anchors, input size and category names.
        dataset: what it is opened by, or a description.
        dataset_sha256: of its annotations, or of what generates it.
        images: its length.
        thresholds: under which it is judged.
        iou: the overlap that counts as found.
        remedies: whether remedies are looked for.
        format: of what is kept.
        categories: the detector's names, index 0 is background; part of `model_sha256`, kept for readers.
    """

    model: str
    model_sha256: str
    dataset: str
    dataset_sha256: str
    images: int
    thresholds: dict[str, float]
    iou: float
    remedies: bool
    format: int = FORMAT
    categories: tuple[str, ...] = ()


_WORDS = {
    "model_sha256": "another model",
    "dataset_sha256": "another data set",
    "images": "a data set of another length",
    "thresholds": "other thresholds",
    "iou": "another IoU",
    "remedies": "other wishes about remedies",
    "format": "another version of Boxscope",
}


def identity_of(
    detector: Detector,
    dataset: AnnotatedImages,
    name: str,
    *,
    thresholds: Thresholds,
    iou: float,
    remedies: bool,
) -> RunIdentity:
    """What a run is about.

    Args:
        detector: the model.
        dataset: the data set; `name` is what it is called.
        thresholds, iou, remedies: how it is judged.
    """
    knobs = asdict(thresholds)
    digests = model_digest(detector), dataset_digest(dataset)
    return RunIdentity(
        detector.name, digests[0], name, digests[1], len(dataset), knobs, iou, remedies,
        categories=detector.categories,
    )  # fmt: skip


def claim(out: Path, identity: RunIdentity) -> None:
    """Make `run.json`, or check that the one that is there says the same.

    Raises:
        ValueError: the folder holds a run of something else, or a file that cannot be read; the sentence says
            what differs.
    """
    path = out / RUN
    if not path.exists():
        replace_file(path, (json.dumps(asdict(identity), indent=2) + "\n").encode())
        return
    try:
        there: dict[str, Any] = json.loads(path.read_text())
        differ = [word for key, word in _WORDS.items() if there.get(key) != asdict(identity)[key]]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged; choose another folder, or delete this one") from error
    if differ:
        raise ValueError(
            f"{out} holds a diagnosis with {' and '.join(differ)}; choose another folder, or delete this one"
        )


def dataset_name(dataset: AnnotatedImages) -> str:
    """What a data set is opened by, where there is such a text; else a description."""
    if isinstance(dataset, AnnotatedFiles):
        return dataset.source
    if isinstance(dataset, ShapesDataset):
        size = "" if dataset.size == _DEFAULT_SIZE else f" at {dataset.size} px"
        return f"shapes:{dataset.length}:{dataset.seed}{size}"
    return f"{type(dataset).__name__} of {len(dataset):,} images"


def model_digest(detector: Detector) -> str:
    """SHA-256 over weights and all else that the output depends on, but for the thresholds."""
    model = detector.model
    generator = model.rpn.anchor_generator
    facts = {
        "model": repr(model),
        "anchors": repr((getattr(generator, "sizes", None), getattr(generator, "aspect_ratios", None))),
        "categories": repr(detector.categories),
    }
    tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    return checksum(tensors, facts)


def dataset_digest(dataset: AnnotatedImages) -> str:
    """SHA-256 over the annotations, or over what generates them."""
    if isinstance(dataset, CocoDataset):
        return hashlib.sha256(dataset.annotation_file.read_bytes()).hexdigest()
    if isinstance(dataset, AnnotatedFiles):
        images = [(image.path.name, image.size, image.objects) for image in dataset.images]
        facts = repr((dataset.categories, images))
    elif isinstance(dataset, ShapesDataset):
        facts = f"shapes {dataset.length} {dataset.seed} {dataset.size}"
    else:
        facts = f"{type(dataset).__module__}.{type(dataset).__qualname__} {len(dataset)} {dataset.categories}"
    return hashlib.sha256(facts.encode()).hexdigest()
