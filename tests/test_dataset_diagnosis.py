"""A whole data set: what is found equals what one image at a time says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pycocotools.coco import COCO
from support.coco_images import plain
from support.models import MovedBoxes

from detector import (
    Detector,
    Replayer,
    capture,
    diagnose,
    diagnose_dataset,
    load_detector,
)
from detector.data import ShapesDataset, ground_truth_of, open_dataset, write_coco
from detector.judging.coco_metrics import ImageBoxes
from detector.judging.dataset_diagnosis import DatasetDiagnosis, load_diagnosis
from detector.judging.rows import Found, Truth
from detector.judging.status import State, Status, read_status
from detector.tracing.looking import looking

if TYPE_CHECKING:
    pass

SCENES, SEED, SIZE = 8, 12, 128


@pytest.fixture(scope="module")
def shapes() -> Detector:
    return load_detector("shapes")


@pytest.fixture(scope="module")
def scenes() -> ShapesDataset:
    return ShapesDataset(SCENES, SEED, size=SIZE)


@pytest.fixture(scope="module")
def run(
    shapes: Detector, scenes: ShapesDataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, DatasetDiagnosis, list[Status]]:
    """A finished run, its folder, and what was told on the way."""
    out, told = tmp_path_factory.mktemp("run") / "out", []
    return out, diagnose_dataset(shapes, scenes, out, progress=told.append), told


def test_every_object_and_false_positive_is_a_row_as_the_image_alone_gives_it(
    run: tuple[Path, DatasetDiagnosis, list[Status]], shapes: Detector, scenes: ShapesDataset
) -> None:
    _, found, _ = run
    for index in range(SCENES):
        pixels, target = scenes[index]
        trace = capture(shapes, pixels, ground_truth_of(target))
        alone = diagnose(Replayer(trace, shapes), trace.ground_truth)
        objects = found.objects[found.objects.image_index == index]
        assert objects.rung.tolist() == [verdict.rung.name for verdict in alone.verdicts]
        assert objects.best_iou.tolist() == pytest.approx([verdict.best_iou for verdict in alone.verdicts])
        assert objects.reason.tolist() == [verdict.reason for verdict in alone.verdicts]
        assert objects[["x1", "y1", "x2", "y2"]].to_numpy().tolist() == target["boxes"].tolist()
        false = found.false_positives[found.false_positives.image_index == index]
        assert false.detection.tolist() == [one.detection for one in alone.false_positives]
        assert false.cause.tolist() == [one.cause.value for one in alone.false_positives]
        assert false.score.tolist() == pytest.approx([one.score for one in alone.false_positives])
    assert len(found.false_positives) > 0
    assert {"FOUND"} < set(found.objects.rung)


def test_the_columns_are_the_ones_that_pages_read(run: tuple[Path, DatasetDiagnosis, list[Status]]) -> None:
    _, found, _ = run
    assert found.objects.columns.tolist() == [
        "image_index", "image", "object", "annotation_id", "category", "x1", "y1", "x2", "y2", "area", "size",
        "rung", "mechanism", "cause", "best_iou", "best_score", "reason", "detection_score",
        "remedy_field", "remedy_before", "remedy_after",
    ]  # fmt: skip
    assert found.false_positives.columns.tolist() == [
        "image_index", "image", "detection", "category", "score", "x1", "y1", "x2", "y2", "cause", "tide",
        "object", "iou", "anchor", "level", "reason",
    ]  # fmt: skip


def test_the_summary_adds_up(run: tuple[Path, DatasetDiagnosis, list[Status]]) -> None:
    _, found, _ = run
    summary, objects = found.summary, found.objects
    assert (summary.images, summary.objects) == (SCENES, len(objects))
    assert summary.found == int((objects.rung == "FOUND").sum())
    assert summary.waterfall[-1].left == summary.found
    for groups in (summary.by_size, summary.by_category):
        assert sum(group.objects for group in groups.values()) == summary.objects
        for place, fall in enumerate(summary.waterfall):
            assert sum(group.waterfall[place].lost for group in groups.values()) == fall.lost
    lost = summary.objects - summary.found
    assert sum(summary.mechanisms.values()) == lost > 0
    assert [gain.rung for gain in summary.oracle] == [fall.rung for fall in summary.waterfall if fall.lost]
    assert all(gain.gain >= 0 for gain in summary.oracle)
    false = sum(share.count for name, share in summary.tide.items() if name != "Miss")
    assert false == len(found.false_positives)


def test_average_precision_is_that_of_the_models_own_output(
    run: tuple[Path, DatasetDiagnosis, list[Status]], shapes: Detector, scenes: ShapesDataset
) -> None:
    images = []
    for index in range(SCENES):
        pixels, target = scenes[index]
        with looking(shapes.model):
            result = shapes.model([pixels.float() / 255])[0]
        columns = result["boxes"].tolist(), result["labels"].tolist(), result["scores"].tolist()
        found = tuple(Found(tuple(box), label, score, -1) for box, label, score in zip(*columns, strict=True))
        truth = tuple(
            Truth(tuple(box), int(label), False, (box[2] - box[0]) * (box[3] - box[1]))
            for box, label in zip(target["boxes"].tolist(), target["labels"], strict=True)
        )
        images.append(ImageBoxes(index, truth, found))
    stats = plain(images, shapes.num_classes - 1).stats
    coco = run[1].summary.coco
    told = coco.AP, coco.AP50, coco.AP75, coco.AP_small, coco.AP_medium, coco.AP_large
    assert [-1.0 if value is None else value for value in told] == stats[:6].tolist()


def test_recommendations_are_what_a_run_under_the_changed_threshold_gives(
    run: tuple[Path, DatasetDiagnosis, list[Status]],
    shapes: Detector,
    scenes: ShapesDataset,
    tmp_path: Path,
) -> None:
    before = run[1].summary
    assert before.recommendations
    one = before.recommendations[0]
    changed = before.thresholds.replace(**{one.field: one.after})
    after = diagnose_dataset(shapes, scenes, tmp_path, thresholds=changed, remedies=False).summary
    assert (one.AP_before, one.AP_after) == (before.coco.AP, after.coco.AP)
    assert one.came_true - one.went_true == after.found - before.found
    false = [sum(s.count for name, s in side.tide.items() if name != "Miss") for side in (before, after)]
    assert one.came_false - one.went_false == false[1] - false[0]
    assert [other.gain for other in before.recommendations] == sorted(
        (other.gain for other in before.recommendations), reverse=True
    )


def test_progress_is_told_and_kept(run: tuple[Path, DatasetDiagnosis, list[Status]]) -> None:
    out, _, told = run
    assert next(status.phase for status in told if status.state is State.RUNNING) == "diagnose"
    assert told[-1] == read_status(out)
    assert told[-1].state is State.DONE
    assert (told[-1].done, told[-1].total, told[-1].pid) == (SCENES, SCENES, os.getpid())


def test_a_broken_image_is_told_and_the_others_are_judged(
    scenes: ShapesDataset, shapes: Detector, tmp_path: Path
) -> None:
    write_coco(scenes, tmp_path / "data", indices=range(3))
    (tmp_path / "data" / "images" / "scene_00001.png").write_bytes(b"this is no image")
    dataset = open_dataset(tmp_path / "data")
    found = diagnose_dataset(shapes, dataset, tmp_path / "out", remedies=False)
    assert found.summary.images == 2
    assert set(found.objects.image_index) == {0, 2}
    (problem,) = found.summary.problems
    assert (problem.image_index, problem.image) == (1, "scene_00001.png")
    assert "scene_00001.png" in problem.message
    assert found.objects.annotation_id.tolist()[0] == int(dataset[0][1]["ids"][0])
    assert len(COCO(str(tmp_path / "data" / "annotations.json")).anns) > len(found.objects)


def test_categories_that_the_detector_lacks_are_named(scenes: ShapesDataset, tmp_path: Path) -> None:
    wrapped = Detector.wrap(load_detector("shapes").model, ["circle", "b", "c", "d", "e", "f"])
    with pytest.raises(ValueError, match="knows no category 'triangle'"):
        diagnose_dataset(wrapped, scenes, tmp_path)


def test_a_detector_without_names_takes_the_data_sets(scenes: ShapesDataset, tmp_path: Path) -> None:
    unnamed = Detector.wrap(load_detector("shapes").model)
    found = diagnose_dataset(unnamed, scenes, tmp_path, limit=2, remedies=False)
    assert set(found.objects.category) <= set(scenes.categories)
    assert found.summary.found > 0


def test_a_model_that_the_replay_does_not_reproduce_is_told(
    run: tuple[Path, DatasetDiagnosis, list[Status]], scenes: ShapesDataset, tmp_path: Path
) -> None:
    detector = load_detector("shapes")
    detector.model.roi_heads.__class__ = MovedBoxes
    diagnose_dataset(detector, scenes, tmp_path, limit=2, remedies=False)
    assert load_diagnosis(tmp_path).summary.unfaithful == 2
    assert (run[1].summary.unfaithful, run[1].summary.caution) == (0, "")


@pytest.mark.parametrize(
    "changes", [{"iou": 0.0}, {"iou": 1.5}, {"processes": 0}, {"threads": 0}, {"limit": 0}]
)
def test_numbers_out_of_range_are_refused(
    changes: dict[str, Any], shapes: Detector, scenes: ShapesDataset, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="expected"):
        diagnose_dataset(shapes, scenes, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()
