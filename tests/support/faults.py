"""Data sets and detectors broken in one known way each, for the doctor and the diagnosis to name.

Everything starts from scenes of the shapes world that the bundled detector has not seen, and from a copy of that
detector; each fault changes one thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator

from detector import Detector, Thresholds, capture, load_detector
from detector.data import ShapesDataset, write_coco
from detector.tracing.trace import Trace

WORLD, SCENES = 2026, 10
TRAINED_ON, LESSONS = 31, 24
LEFT_OUT = "star"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is examined and diagnosed.

    Args:
        data: what the doctor examines: a path, or a torch data set.
        detector: the detector.
        judged: what is diagnosed; None where the data cannot be opened by a reader that refuses mistakes.
    """

    data: Any
    detector: Detector
    judged: Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One known fault.

    Args:
        title: for people.
        cause: the name of the cause that must come first.
        plant: makes the case in an empty folder.
    """

    title: str
    cause: str
    plant: Callable[[Path], Case]


class Altered(torch.utils.data.Dataset):
    """A data set whose items go through a function: (pixels, target) -> (pixels, target)."""

    def __init__(
        self, dataset: Any, change: Callable[[Tensor, dict[str, Any]], tuple[Tensor, dict[str, Any]]]
    ) -> None:
        self.dataset, self.change, self.categories = dataset, change, dataset.categories

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Any]]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        pixels, target = self.dataset[index]
        return self.change(pixels, dict(target))


def scenes() -> ShapesDataset:
    """The unbroken scenes."""
    return ShapesDataset(SCENES, seed=WORLD)


def fresh() -> Detector:
    """The bundled detector, loaded anew for one fault to break."""
    return load_detector("shapes")


def unbroken(_: Path) -> Case:
    """Nothing is wrong."""
    return Case(scenes(), fresh(), scenes())


def _with_model(change: Callable[[Any], None]) -> Callable[[Path], Case]:
    def plant(_: Path) -> Case:
        detector = fresh()
        change(detector.model)
        return Case(scenes(), detector, scenes())

    return plant


def _with_thresholds(**changes: float) -> Callable[[Path], Case]:
    return _with_model(lambda model: Thresholds.from_model(model).replace(**changes).apply_to(model))


def _with_annotations(
    change: Callable[[dict[str, Any]], None], *, opens: bool = True
) -> Callable[[Path], Case]:
    def plant(folder: Path) -> Case:
        file = write_coco(scenes(), folder / "coco")
        document = json.loads(file.read_text())
        for annotation in document["annotations"]:
            change(annotation)
        file.write_text(json.dumps(document))
        return Case(file, fresh(), file if opens else None)

    return plant


def _with_items(
    change: Callable[[Tensor, dict[str, Any]], tuple[Tensor, dict[str, Any]]], *, judged: bool = True
) -> Callable[[Path], Case]:
    def plant(_: Path) -> Case:
        data = Altered(scenes(), change)
        return Case(data, fresh(), data if judged else None)

    return plant


def _anchors(factor: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        before = model.rpn.anchor_generator
        sizes = tuple(tuple(size * factor for size in level) for level in before.sizes)
        model.rpn.anchor_generator = AnchorGenerator(sizes, before.aspect_ratios)

    return change


def _as_corners(annotation: dict[str, Any]) -> None:
    x, y, width, height = annotation["bbox"]
    annotation["bbox"] = [x, y, x + width, y + height]


def _as_sides(pixels: Tensor, target: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    boxes = target["boxes"].as_subclass(Tensor).clone()
    boxes[:, 2:] -= boxes[:, :2]
    return pixels, {**target, "boxes": boxes}


def _scaled(factor: float) -> Callable[[dict[str, Any]], None]:
    def change(annotation: dict[str, Any]) -> None:
        annotation["bbox"] = [value * factor for value in annotation["bbox"]]

    return change


def _from_zero(annotation: dict[str, Any]) -> None:
    annotation["category_id"] -= 1


def _next_class(annotation: dict[str, Any]) -> None:
    annotation["category_id"] = annotation["category_id"] % 6 + 1


def _normalised(pixels: Tensor, target: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    transform: Any = load_detector("shapes").model.transform
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (transform.image_mean, transform.image_std)
    )
    return (pixels.float() / 255 - mean) / std, target


def _normalise_twice(model: Any) -> None:
    once = model.transform.normalize
    model.transform.normalize = lambda image: once(once(image))


def _third(model: Any) -> None:
    model.transform.min_size, model.transform.max_size = (256 // 3,), 256 // 3


def _few_positives(model: Any) -> None:
    model.roi_heads.fg_bg_sampler.positive_fraction = 0.01


def _class_left_out(model: Any) -> None:
    """The second stage's classifier trained anew on scenes in which one class is not annotated.

    The rest of the detector stays. RoIs are labelled as in training (IoU 0.5 and more, or background), so RoIs on
    objects of the class that is left out are learnt as background.
    """
    embeddings, labels = _lessons()
    torch.manual_seed(0)
    layer = model.roi_heads.box_predictor.cls_score
    layer.reset_parameters()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=2e-2)
    for _ in range(150):
        loss = nn.functional.cross_entropy(layer(embeddings), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@cache
def _lessons() -> tuple[Tensor, Tensor]:
    """(embeddings [S, D], labels [S]) of the RoIs of training scenes in which one class is not annotated."""
    detector, world = load_detector("shapes"), ShapesDataset(LESSONS, seed=TRAINED_ON)
    parts = [
        _lesson(capture(detector, pixels), target) for pixels, target in (world[i] for i in range(LESSONS))
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _lesson(trace: Trace, target: dict[str, Any]) -> tuple[Tensor, Tensor]:
    taught = target["labels"] != ShapesDataset.categories.index(LEFT_OUT)
    boxes, labels = target["boxes"].as_subclass(Tensor)[taught], target["labels"][taught]
    overlap = box_iou_of(trace.to_image(trace.head.boxes), boxes)
    best, which = overlap.max(dim=1)
    assert trace.head.embedding is not None
    return trace.head.embedding.clone(), torch.where(best >= 0.5, labels[which], 0)


def box_iou_of(first: Tensor, second: Tensor) -> Tensor:
    """IoU [n, m]; a column of zeros where there are no boxes."""
    from torchvision.ops import box_iou

    return box_iou(first, second) if len(second) else torch.zeros((len(first), 1))


FAULTS = (
    Fault("anchors four times too large", "anchor_sizes", _with_model(_anchors(4))),
    Fault("anchors a quarter of the size", "anchor_sizes", _with_model(_anchors(0.25))),
    Fault("labels from 0 in the file", "labels_off_by_one", _with_annotations(_from_zero, opens=False)),
    Fault("every label one further on", "labels_off_by_one", _with_annotations(_next_class)),
    Fault("corners where width and height belong", "box_format", _with_annotations(_as_corners)),
    Fault("width and height where corners belong", "box_format", _with_items(_as_sides)),
    Fault("boxes of an image twice as large", "box_frame", _with_annotations(_scaled(2))),
    Fault("boxes of an image half as large", "box_frame", _with_annotations(_scaled(0.5))),
    Fault("images normalised before the detector", "double_normalisation", _with_items(_normalised)),
    Fault("the model normalises twice", "double_normalisation", _with_model(_normalise_twice)),
    Fault("RPN top-n of 5 per level", "rpn_top_n", _with_thresholds(rpn_pre_nms_top_n=5)),
    Fault("5 proposals", "rpn_top_n", _with_thresholds(rpn_post_nms_top_n=5)),
    Fault("RPN NMS at 0.1", "rpn_nms", _with_thresholds(rpn_nms=0.1)),
    Fault("box NMS at 0.1", "box_nms", _with_thresholds(box_nms=0.1)),
    Fault("one detection per image", "box_limit", _with_thresholds(box_limit=1)),
    Fault("score threshold of 0.9", "box_score", _with_thresholds(box_score=0.9)),
    Fault("input resized to a third", "input_size", _with_model(_third)),
    Fault("a class left out of training", "class_left_out", _with_model(_class_left_out)),
    Fault("one positive among 128 samples", "few_positives", _with_model(_few_positives)),
)
