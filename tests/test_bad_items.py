"""Items of a torch data set that are wrong: named image by image, whatever they are; too many objects on one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.datasets import coco_folder
from support.faults import Altered
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from detector import Detector, GroundTruth, diagnose_dataset, load_detector
from detector.data import CocoDataset, ShapesDataset, open_dataset
from detector.data.ground_truth import MOST_OBJECTS
from detector.judging.anchor_matching import match_anchors
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.doctor import examine
from detector.judging.findings import Severity
from detector.judging.rows import Found, Truth
from detector.judging.training_fitness import training_problems

Change = Callable[[Tensor, dict[str, Any]], tuple[Any, dict[str, Any]]]
NAN, INF = float("nan"), float("inf")


def first_box(*corners: float) -> Change:
    def change(pixels: Tensor, target: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        boxes = target["boxes"].as_subclass(Tensor).clone()
        boxes[0] = torch.tensor(corners)
        return pixels, {**target, "boxes": boxes}

    return change


def first_label(label: float) -> Change:
    def change(pixels: Tensor, target: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        labels = target["labels"].double() if label % 1 else target["labels"].clone()
        labels[0] = label
        return pixels, {**target, "labels": labels}

    return change


def lacks(key: str) -> Change:
    return lambda pixels, target: (pixels, {name: value for name, value in target.items() if name != key})


ITEMS: dict[str, tuple[Change, str, str]] = {
    "label 0": (first_label(0), "0 is not a category (0 is background", "label_zero"),
    "label -1": (first_label(-1), "-1 is not a category", "label_negative"),
    "label num_classes": (first_label(7), "the label 7; the data set's categories go from 1 to 6", "label_unknown"),
    "half a label": (first_label(1.5), "1.5 is not a category (a whole number", "item_unusable"),
    "NaN in a box": (first_box(NAN, 0, 9, 9), "is not finite", "item_unusable"),
    "infinite box": (first_box(0, 0, INF, 9), "is not finite", "item_unusable"),
    "box of zero size": (first_box(3, 3, 3, 3), "has no area", "degenerate_box"),
    "fewer labels than boxes": (
        lambda p, t: (p, {**t, "labels": t["labels"][1:]}), "give one label for each box", "item_unusable"),
    "one box without its own row": (
        lambda p, t: (p, {"boxes": torch.tensor([0.0, 0, 9, 9]), "labels": torch.tensor([1])}),
        "have shape (4,); expected [G, 4]", "item_unusable"),
    "no labels": (lacks("labels"), "the target has no 'labels'", "item_unusable"),
    "no boxes": (lacks("boxes"), "the target has no 'boxes'", "item_unusable"),
    "pixels of NaN": (lambda p, t: (p * NAN, t), "holds NaN or infinite values", "item_unusable"),
    "no pixels": (lambda p, t: (None, t), "an image was given as NoneType", "item_unusable"),
}  # fmt: skip


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("shapes")


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_cannot_be_is_told_and_the_others_are_judged(
    name: str, tmp_path: Path, detector: Detector
) -> None:
    change, said, check = ITEMS[name]
    turn = iter(range(10))
    data = Altered(
        ShapesDataset(2, seed=1, size=64), lambda p, t: change(p, t) if next(turn) % 2 == 0 else (p, t)
    )
    summary = diagnose_dataset(detector, data, tmp_path / "out", remedies=False, recommend=False).summary
    assert [(one.image_index, said in one.message) for one in summary.problems] == [(0, True)]
    assert summary.images == 1 and summary.objects > 0
    found = examine(Altered(ShapesDataset(2, seed=1, size=64), change)).find(check)
    assert found is not None and found.severity is Severity.ERROR


def test_an_image_without_objects_may_have_boxes_of_shape_zero(tmp_path: Path, detector: Detector) -> None:
    nothing = {"boxes": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)}
    data = Altered(ShapesDataset(1, seed=1, size=64), lambda pixels, target: (pixels, nothing))
    summary = diagnose_dataset(detector, data, tmp_path / "out", remedies=False, recommend=False).summary
    assert (summary.images, summary.objects, summary.problems, summary.coco.AP) == (1, 0, (), None)
    assert GroundTruth(**nothing).boxes.shape == (0, 4)


def test_no_images_are_no_mistake_until_something_is_asked_of_them(
    tmp_path: Path, detector: Detector
) -> None:
    (tmp_path / "set").mkdir()
    data = open_dataset(coco_folder(tmp_path / "set", {}))
    assert len(data) == 0
    assert training_problems(data) == (f"{data.root}: there are no images",)
    assert [finding.check for finding in examine(data).errors] == ["empty"]
    with pytest.raises(ValueError, match="no images"):
        diagnose_dataset(detector, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def crowded(folder: Path, objects: int) -> CocoDataset:
    """Two images of 40 x 30: so many objects on the first one, one on the other."""
    made = coco_folder(folder, {"a.png": [(1, 1, 9, 9)], "b.png": [(2, 2, 9, 9)]})
    path = made / "annotations.json"
    document = json.loads(path.read_text())
    one = document["annotations"][0]
    document["annotations"] += [{**one, "id": number} for number in range(3, objects + 2)]
    document["categories"] = [{"id": 5, "name": "circle"}]
    path.write_text(json.dumps(document))
    return CocoDataset(path)


def test_100000_annotations_on_one_image_open_and_the_image_is_refused(tmp_path: Path) -> None:
    data = crowded(tmp_path / "set", 100_000)
    assert len(data[1][1]["boxes"]) == 1
    with pytest.raises(
        ValueError, match="the image has 100,000 objects; expected 10,000 at most: cut it into"
    ):
        data[0]


def test_too_many_annotations_on_one_image_are_named_and_the_others_are_judged(
    tmp_path: Path, detector: Detector
) -> None:
    data = crowded(tmp_path / "set", MOST_OBJECTS + 1)
    problems = training_problems(data)
    assert len(problems) == 1 and "1 of 2 images have more than 10,000 objects" in problems[0]
    report = examine(data, detector)
    assert report.errors[0].check == "too_many_objects" and report.errors[0].image == "a.png"
    assert report.fits is not None and len(report.fits) == 1, "the anchors of the other image are examined"
    summary = diagnose_dataset(detector, data, tmp_path / "out", remedies=False, recommend=False).summary
    assert [problem.image for problem in summary.problems] == ["a.png"] and summary.images == 1


def test_as_many_objects_as_are_allowed_are_taken() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0]]).repeat(MOST_OBJECTS, 1)
    assert len(GroundTruth(boxes, torch.ones(MOST_OBJECTS))) == MOST_OBJECTS


@pytest.mark.parametrize("rescue", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_anchors_in_strips_are_matched_as_in_one_table(seed: int, rescue: bool) -> None:
    """torchvision's matcher is the oracle; whole numbers make ties."""
    chance = torch.Generator().manual_seed(seed)
    starts = torch.randint(0, 40, (330, 2), generator=chance)
    sides = torch.randint(1, 16, (330, 2), generator=chance)
    every = torch.cat((starts, starts + sides), dim=1).float()
    boxes, anchors, matcher = every[:30], every[30:], Matcher(0.6, 0.3, allow_low_quality_matches=rescue)
    overlaps = box_iou(boxes, anchors)
    matched = matcher(overlaps.clone())
    for room in (1, 300, 2000, 10**9):
        found = match_anchors(boxes, anchors, matcher, room)
        assert torch.equal(found.best_iou, overlaps.amax(dim=1))
        assert torch.equal(found.positives, torch.bincount(matched[matched >= 0], minlength=30))
        reaching = matched[(matched >= 0) & (overlaps.amax(dim=0) >= 0.6)]
        assert torch.equal(found.reaching, torch.bincount(reaching, minlength=30))


BROKEN = {
    "box deltas": lambda model: model.roi_heads.box_predictor.bbox_pred.weight.fill_(NAN),
    "class logits": lambda model: model.roi_heads.box_predictor.cls_score.weight.fill_(NAN),
    "one infinite logit": lambda model: model.roi_heads.box_predictor.cls_score.bias[2].fill_(INF),
    "proposals": lambda model: [value.fill_(NAN) for value in model.rpn.head.parameters()],
    "backbone": lambda model: next(model.backbone.parameters()).fill_(NAN),
}


@pytest.mark.parametrize("part", BROKEN)
def test_numbers_that_are_none_out_of_a_model_are_worth_nothing(
    part: str, tmp_path: Path, detector: Detector
) -> None:
    """pycocotools gives a NaN score on a NaN box an AP of 1."""
    broken = Detector.wrap(copy.deepcopy(detector.model), detector.categories)
    with torch.no_grad():
        BROKEN[part](broken.model)
    summary = diagnose_dataset(broken, ShapesDataset(1, seed=1, size=64), tmp_path, recommend=False).summary
    assert summary.coco.AP == 0.0 and summary.found == 0 and summary.problems == ()


@pytest.mark.parametrize(
    ("box", "score"), [((NAN,) * 4, NAN), ((0.0, 0.0, INF, 9.0), 0.5), ((0.0, 0.0, 9.0, 9.0), NAN)]
)
def test_a_detection_that_is_not_finite_is_never_judged(box: Any, score: float) -> None:
    with pytest.raises(ValueError, match=r"a detection has the box .* expected finite numbers"):
        Found(box, 1, score, -1)
    found = Found((0.0, 0.0, 9.0, 9.0), 1, 0.5, -1)
    truth = Truth((20.0, 20.0, 29.0, 29.0), 1, False, 81.0)
    assert CocoJudge([ImageBoxes(0, (truth,), (found,))], 1).scores.AP == 0.0
