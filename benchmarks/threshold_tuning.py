"""A trial of threshold tuning by replay against a second, and against what it stands for.

A trial draws its thresholds, replays both filters on 100 captured images of the bundled detector, computes COCO's
averages and writes itself into the study's database. What it stands for: the thresholds written into the model, the
model run on all images, and pycocotools. Both must agree, or the benchmark ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.measure import Measure, alternate, report
from detector import Detector, Thresholds
from detector.data import ShapesDataset
from detector.data.datasets import ground_truth_of
from detector.data.ground_truth import GroundTruth
from detector.data.items import Sample
from detector.judging.coco_metrics import CocoJudge, ImageBoxes
from detector.judging.rows import Found, Truth
from detector.training.tuning import StudyConfig
from detector.training.tuning_launch import prepare
from detector.training.tuning_queue import claim, finish, top_up
from detector.training.tuning_replay import ReplayObjective, detector_of
from detector.training.tuning_space import parameters_of

IMAGES, SEED = 100, 3
BOX, BOTH = ("box_score", "box_nms"), ("box_score", "box_nms", "rpn_nms", "rpn_post_nms_top_n=50..200")


def run(rounds: int = 20) -> None:
    """Print and write the table."""
    detector = detector_of("shapes", None)
    dataset = ShapesDataset(IMAGES, SEED)
    scenes, own = [dataset[index] for index in range(IMAGES)], Thresholds.from_model(detector.model)
    measures = []
    for words, names, bar in (("box thresholds", BOX, 0.1), ("RPN thresholds, too", BOTH, 0.5)):
        parameters, source = parameters_of("thresholds", names), f"shapes:{IMAGES}:{SEED}"
        config = StudyConfig("benchmark", "thresholds", parameters, dataset=source, trials=10_000)
        objective = ReplayObjective.of(config)
        _check(objective, detector, scenes)
        with tempfile.TemporaryDirectory() as folder:
            trial = _trials(config, objective, Path(folder))
            ours, real = alternate(trial, lambda: plainly(detector, scenes, own), rounds=rounds)
        if names is BOX:
            measures.append(Measure(f"{words}: a trial / 1 s", ours, 1.0, 0.5))
        measures.append(Measure(f"{words}: a trial / model and pycocotools", ours, real, bar))
    report(
        f"threshold tuning: {IMAGES} images of the bundled detector, database and metrics included", measures
    )


def plainly(detector: Detector, scenes: list[Sample], thresholds: Thresholds) -> float:
    """AP of the model itself under these thresholds, by pycocotools."""
    own, images = Thresholds.from_model(detector.model), []
    thresholds.apply_to(detector.model)
    try:
        for index, (pixels, target) in enumerate(scenes):
            with torch.no_grad():
                found = detector.model([pixels.float() / 255])[0]
            images.append(ImageBoxes(index, _truth(ground_truth_of(target)), _found(found)))
    finally:
        own.apply_to(detector.model)
    return float(CocoJudge(images, detector.num_classes - 1).statistics[0])


def _trials(config: StudyConfig, objective: ReplayObjective, folder: Path) -> Callable[[], object]:
    """Does the next trial of a study each time it is called."""
    from optuna.trial import TrialState

    opened = prepare(config, folder)

    def one() -> None:
        trial = claim(opened)
        if trial is None:
            top_up(opened, folder)
            trial = claim(opened)
        assert trial is not None
        finish(opened, trial, TrialState.COMPLETE, objective(trial))

    return one


def _check(objective: ReplayObjective, detector: Detector, scenes: list[Sample]) -> None:
    """The replay's AP is the re-run's: to 1e-9 for box thresholds, and to 1e-4 where the second stage ran anew."""
    moves = objective.config.moves_rpn
    values = {"box_score": 0.3, "box_nms": 0.6, **({"rpn_nms": 0.6} if moves else {})}
    replayed, real = objective.at(values).AP, plainly(detector, scenes, objective.thresholds(values))
    if abs(replayed - real) > (1e-4 if moves else 1e-9):
        raise AssertionError(f"the replay's AP is {replayed}, the model's {real}")


def _truth(truth: GroundTruth) -> tuple[Truth, ...]:
    rows = zip(truth.boxes.tolist(), truth.labels.tolist(), truth.crowd.tolist(), strict=True)
    return tuple(Truth(tuple(b), label, crowd, (b[2] - b[0]) * (b[3] - b[1])) for b, label, crowd in rows)


def _found(found: dict[str, torch.Tensor]) -> tuple[Found, ...]:
    rows = zip(found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
    return tuple(Found(tuple(box), label, score, -1) for box, label, score in rows)


if __name__ == "__main__":
    run()
