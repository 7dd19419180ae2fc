"""What an evaluation leaves as files: COCO's results under the data set's own ids, and tables."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from support.evaluations import CrowdedScenes, shapes_detector

from detector.data.coco import CocoDataset
from detector.data.coco_export import write_coco
from detector.judging.coco_results import coco_results_of
from detector.judging.evaluation import evaluate, evaluation_of
from detector.judging.exports import table_bytes, tables_of
from detector.judging.kept_run import read_run
from detector.tracing.thresholds import Thresholds


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CocoDataset:
    """A COCO folder whose ids are neither in order nor from 1 on, with a category that the detector lacks.

    Areas are not those of the boxes, as in COCO itself: sizes go by them.
    """
    folder = tmp_path_factory.mktemp("data") / "coco"
    file = write_coco(CrowdedScenes(), folder)
    content = json.loads(file.read_text())
    of = {one["id"]: 100 - 7 * one["id"] for one in content["categories"]}
    for one in content["categories"]:
        one["id"] = of[one["id"]]
    content["categories"].append({"id": 3, "name": "unicorn"})
    for one in content["images"]:
        one["id"] += 40
    for one in content["annotations"]:
        one["image_id"] += 40
        one["category_id"] = of[one["category_id"]]
        one["area"] *= 0.4  # of a mask that fills less than half of its box
    file.write_text(json.dumps(content))
    return CocoDataset(folder)


def _run(dataset: CocoDataset, out: Path, score: float = 0.05) -> Path:
    thresholds = Thresholds.from_model(shapes_detector().model).replace(box_score=score)
    evaluate(shapes_detector(), dataset, out, thresholds=thresholds)
    return out


@pytest.fixture(scope="module")
def folder(dataset: CocoDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _run(dataset, tmp_path_factory.mktemp("run"))


def _judged(dataset: CocoDataset, file: Path) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(dataset.annotation_file))
        judge: Any = COCOeval(truth, truth.loadRes(str(file)), "bbox")
        for step in (judge.evaluate, judge.accumulate, judge.summarize):
            step()
    return judge.stats


def test_pycocotools_judges_the_file_as_we_judged_the_run(
    dataset: CocoDataset, folder: Path, tmp_path: Path
) -> None:
    results = coco_results_of(read_run(folder), dataset)
    (tmp_path / "results.json").write_text(results.text)
    told = [-1 if value is None else value for value in evaluation_of(folder).statistics.values()]
    assert _judged(dataset, tmp_path / "results.json") == pytest.approx(told, abs=1e-9)
    entries = json.loads(results.text)
    assert results.detections == len(entries) > 0 and results.left_out == 0
    assert {one["category_id"] for one in entries} <= set(dataset.category_ids)
    assert {one["image_id"] for one in entries} <= {image.id for image in dataset.images}


def test_a_run_without_detections_leaves_a_file_that_loads_and_scores_nothing(
    dataset: CocoDataset, tmp_path: Path
) -> None:
    run = read_run(_run(dataset, tmp_path / "run", score=1.0))
    results = coco_results_of(run, dataset)
    assert results.detections == 0
    assert [one["placeholder"] for one in json.loads(results.text)] == [True]
    (tmp_path / "results.json").write_text(results.text)
    told = [-1 if value is None else value for value in evaluation_of(run.folder).statistics.values()]
    assert _judged(dataset, tmp_path / "results.json") == pytest.approx(told, abs=1e-12)
    assert told[0] == 0.0
    # Why there is a placeholder: should this pass one day, it can go.
    with pytest.raises(IndexError), contextlib.redirect_stdout(io.StringIO()):
        COCO(str(dataset.annotation_file)).loadRes([])


def test_detections_of_categories_that_the_data_set_lacks_are_counted(tmp_path: Path) -> None:
    scenes = CrowdedScenes()
    used = {int(label) for index in range(2) for label in scenes[index][1]["labels"]}
    content = json.loads(write_coco(scenes, tmp_path / "coco", indices=range(2)).read_text())
    content["categories"] = [one for one in content["categories"] if one["id"] in used]
    (tmp_path / "coco" / "annotations.json").write_text(json.dumps(content))
    dataset = CocoDataset(tmp_path / "coco")
    run = read_run(_run(dataset, tmp_path / "run", score=0.0))
    results = coco_results_of(run, dataset)
    assert results.left_out > 0
    assert results.detections + results.left_out == sum(len(report.detections) for report in run.reports)


def test_another_data_set_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="this is another data set, or its annotations have changed"):
        coco_results_of(read_run(folder), CrowdedScenes())


def test_tables_say_what_the_evaluation_says_and_survive_as_files(folder: Path) -> None:
    evaluation = evaluation_of(folder)
    tables = tables_of(read_run(folder), evaluation)
    assert set(tables) >= {"objects", "false_positives", "detections", "images", "categories", "curves"}
    assert len(tables["objects"]) == evaluation.objects
    assert len(tables["detections"]) == sum(one.detections for one in evaluation.images)
    assert tables["images"]["AP"].tolist()[0] == evaluation.images[0].AP
    assert tables["confusion"]["count"].sum() == evaluation.confusion.counts.sum()
    means: Any = tables["curves"].groupby("category")["precision"].mean()
    for name, value in means.items():
        assert value == pytest.approx(evaluation.by_category[str(name)].AP)
    for table in tables.values():
        assert len(pd.read_csv(io.BytesIO(table_bytes(table, "csv")))) == len(table)
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(table_bytes(table, "parquet"))), table)
    with pytest.raises(ValueError, match="'xlsx'; expected csv or parquet"):
        table_bytes(tables["images"], "xlsx")
