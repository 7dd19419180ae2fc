"""Picture I6 and what it is drawn from: objects without pixels, their shapes in the network, the anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.datasets import coco_folder, voc_folder, yolo_folder
from support.pyramids import TINY, seeded
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import box_iou

from detector.data import ShapesDataset, open_dataset
from detector.judging.object_shapes import anchor_levels, object_shapes
from detector.judging.object_survey import needs_no_pixels, survey_objects, without_crowd
from detector.judging.resize_rule import resize_of
from viz_app.figures import dataset_statistics as figures

BOXES = {"a.png": [(1, 2, 10, 5), (20, 10, 12, 18)], "b.png": [], "c.png": [(0, 0, 4, 4)]}


def slow(dataset: Any) -> list[tuple[int, list[float], int]]:
    return [
        (index, box, label)
        for index in range(len(dataset))
        for _, target in [dataset[index]]
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True)
    ]


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo", "shapes"])
def test_the_survey_has_the_objects_that_the_items_have(kind: str, tmp_path: Path) -> None:
    made = {"coco": lambda: coco_folder(tmp_path, BOXES), "voc": lambda: voc_folder(tmp_path),
            "yolo": lambda: yolo_folder(tmp_path), "shapes": lambda: "shapes:4:2"}  # fmt: skip
    dataset = open_dataset(made[kind]())
    told: list[tuple[int, int]] = []
    survey = survey_objects(dataset, progress=lambda done, total: told.append((done, total)))
    rows = zip(survey.image_of.tolist(), survey.boxes.tolist(), survey.labels.tolist(), strict=True)
    assert list(rows) == slow(dataset)
    assert [image.size for image in survey.images] == [
        tuple(dataset[i][0].shape[1:]) for i in range(len(dataset))
    ]
    assert survey.listed == tuple(dataset.categories) and survey.whole and survey.findings == ()
    assert told[-1] == (len(dataset), len(dataset))
    assert needs_no_pixels(dataset) == (kind != "shapes")


def test_no_pixel_is_decoded_where_the_annotations_say_all(tmp_path: Path) -> None:
    dataset = open_dataset(coco_folder(tmp_path, BOXES))
    for name in BOXES:
        (tmp_path / "images" / name).write_bytes(b"this is no image any more")
    survey = survey_objects(dataset)
    assert len(survey) == 3 and [image.size for image in survey.images] == [(30, 40)] * 3


def test_a_limit_leaves_the_rest_out_and_says_so(tmp_path: Path) -> None:
    survey = survey_objects(open_dataset(coco_folder(tmp_path, BOXES)), limit=1)
    assert len(survey.images) == 1 and len(survey) == 2 and not survey.whole


def test_an_item_that_cannot_be_read_is_a_finding_and_not_the_end() -> None:
    class Broken(ShapesDataset):
        def __getitem__(self, index: int) -> Any:
            if index == 1:
                raise ValueError("image 1 is damaged")
            return super().__getitem__(index)

    survey = survey_objects(Broken(3, seed=1, size=64))
    assert [image.size for image in survey.images] == [(64, 64), None, (64, 64)]
    assert survey.findings[0].message == "image 1 is damaged" and survey.findings[0].count == 1
    assert 1 not in survey.image_of.tolist()


def test_crowd_regions_are_no_objects_to_be_found(tmp_path: Path) -> None:
    survey = survey_objects(open_dataset(coco_folder(tmp_path, BOXES, iscrowd=1)))
    assert len(survey) == 3 and len(without_crowd(survey)) == 0


@pytest.mark.parametrize(
    ("low", "high", "fixed"),
    [(800, 1333, None), ((640, 800), 1333, None), (192, 448, None), (300, 300, (320, 300))],
)
def test_the_rule_of_the_resize_is_what_the_transform_does(low: Any, high: int, fixed: Any) -> None:
    transform = GeneralizedRCNNTransform(low, high, [0.0] * 3, [1.0] * 3, fixed_size=fixed).eval()
    generator = torch.Generator().manual_seed(high)
    for _ in range(10):
        height, width = torch.randint(20, 900, (2,), generator=generator).tolist()
        boxes = torch.rand((4, 4), generator=generator) * 400
        found = resize_of(transform, (height, width))
        inputs, targets = transform([torch.empty((3, height, width), device="meta")], [{"boxes": boxes}])
        assert found is not None and found.scale is not None
        assert found.size == tuple(inputs.image_sizes[0])
        assert found.padded == tuple(inputs.tensors.shape[-2:])
        assert torch.equal(boxes * found.scale, targets[0]["boxes"])


def test_a_transform_of_another_kind_must_be_asked() -> None:
    class Own(GeneralizedRCNNTransform):
        pass

    assert resize_of(Own(100, 200, [0.0] * 3, [1.0] * 3), (50, 60)) is None
    assert resize_of(GeneralizedRCNNTransform(10, 20, [0.0] * 3, [1.0] * 3), (3, 3000)) is None


def test_shapes_are_those_of_the_boxes_after_the_models_own_resize() -> None:
    model = seeded(TINY).eval()
    dataset = ShapesDataset(5, seed=4, size=90)
    shapes = object_shapes(survey_objects(dataset), model)
    expected, best = [], []
    for index in range(5):
        pixels, target = dataset[index]
        inputs, targets = model.transform(
            [pixels / 255], [{"boxes": target["boxes"].as_subclass(torch.Tensor)}]
        )
        boxes = targets[0]["boxes"]
        expected.append((boxes[:, 2:] - boxes[:, :2]).flip(1).double())
        for box in boxes:
            centre = (box[:2] + box[2:]) / 2
            cells = torch.cat(list(model.rpn.anchor_generator.cell_anchors))
            centred = cells - (cells[:, :2] + cells[:, 2:]).repeat(1, 2) / 2 + centre.repeat(2)
            best.append(float(box_iou(box[None], centred).max()))
        assert shapes.inputs == (tuple(inputs.image_sizes[0]),)
    assert torch.allclose(shapes.extents, torch.cat(expected), atol=1e-4)
    assert shapes.best_iou is not None and shapes.best_iou.tolist() == pytest.approx(best, abs=1e-4)
    share = sum(one >= 0.5 for one in best) / len(best)
    assert shapes.share_near(0.5) == pytest.approx(share)
    assert [len(level) for level in shapes.levels] == [
        len(c) for c in model.rpn.anchor_generator.cell_anchors
    ]
    assert shapes.ratios == tuple(sorted(set(model.rpn.anchor_generator.aspect_ratios[0])))


def test_without_a_detector_shapes_are_in_the_image_frame(tmp_path: Path) -> None:
    shapes = object_shapes(survey_objects(open_dataset(coco_folder(tmp_path, BOXES))), None)
    assert shapes.extents.tolist() == [[5, 10], [18, 12], [4, 4]]
    assert (
        shapes.levels == ()
        and shapes.best_iou is None
        and shapes.share_near(0.5) is None
        and shapes.inputs == ()
    )


def test_bars_of_the_classes_are_ordered_and_know_their_class() -> None:
    counts = {f"c{n}": n for n in range(40)}
    bars = figures.class_figure(counts, chosen="c39").data[0]
    assert list(bars.y) == [f"c{n}" for n in range(39, 39 - figures.MOST_CLASSES, -1)]
    assert list(bars.customdata) == list(bars.y) and list(bars.x) == [counts[name] for name in bars.y]
    alphas = [color.rpartition(",")[2] for color in bars.marker.color]
    assert alphas[0] == "1)" and set(alphas[1:]) == {"0.35)"}


@pytest.mark.parametrize("highest", [3, 7, 400])
def test_every_image_stands_in_one_bar(highest: int) -> None:
    counts = [index % (highest + 1) for index in range(1000)]
    bars = figures.per_image_figure(counts).data[0]
    assert sum(bars.y) == 1000 and len(bars.y) <= 40
    assert sum(figures.per_image_figure([]).data[0].y) == 0


def test_points_are_thinned_and_anchors_stand_in_their_places() -> None:
    extents = torch.rand((9001, 2), dtype=torch.float64) * 50 + 1
    near = torch.arange(9001) % 2 == 0
    levels = anchor_levels(seeded(TINY))
    figure = figures.extents_figure(extents, levels, near, frame="network")
    objects, anchors = figure.data[:2], figure.data[2:]
    assert sum(len(trace.x) for trace in objects) == len(extents[::3]) <= figures.MOST_POINTS
    assert [one.name for one in objects] == ["an anchor fits", "no anchor fits"]
    assert [list(zip(one.y, one.x, strict=True)) for one in anchors] == [
        [tuple(s) for s in level.tolist()] for level in levels
    ]


def test_histograms_hold_every_object_and_a_line_for_each_anchor() -> None:
    extents = torch.rand((500, 2), dtype=torch.float64) * 90 + 3
    sides = figures.sides_figure(extents, ((16.0, 20.0), (32.0,)), frame="network")
    ratios = figures.ratios_figure(extents, (0.5, 1.0, 2.0))
    assert sum(sides.data[0].y) == sum(ratios.data[0].y) == 500
    assert [line.x0 for line in sides.layout.shapes] == [16, 20, 32]
    assert [line.x0 for line in ratios.layout.shapes] == [0.5, 1, 2]
    alike = figures.sides_figure(torch.full((7, 2), 12.0), frame="image")
    assert sum(alike.data[0].y) == 7
