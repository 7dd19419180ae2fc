"""Where a subcommand keeps the evaluation of one model on one data set, and how it is made or continued.

Only names are imported at the top.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.models import find_model, load_model
from viz_app.commands.progress import ProgressLine, stopped_gently, told_that_it_goes_on

if TYPE_CHECKING:
    from detector.judging.evaluation_records import Evaluation


@dataclass(frozen=True, slots=True)
class Asked:
    """One model on one data set.

    Args:
        dataset: what `open_dataset` takes.
        model: what `find_model` takes.
        weights: of a torchvision name.
        thresholds: those that differ from the model's own, by name.
        iou: the overlap that counts as found.
        limit: only so many images, from the first one.
        losses: also what each image costs in training.
    """

    dataset: str
    model: str = "shapes"
    weights: str | None = None
    thresholds: dict[str, float] = field(default_factory=dict)
    iou: float = 0.5
    limit: int | None = None
    losses: bool = False


def folder_of(asked: Asked) -> Path:
    """The folder in the workspace: the same for the same question, another one when model or data set changed."""
    from viz_app.jobs.job import short_name, written
    from viz_app.jobs.workspace import workspace

    found = find_model(asked.model)
    facts = (
        asked.dataset,
        found.source,
        asked.weights,
        sorted(asked.thresholds.items()),
        asked.iou,
        asked.limit,
    )
    digest = hashlib.sha256(json.dumps([facts, written(asked.dataset, found.source)]).encode()).hexdigest()[
        :8
    ]
    names = found.run or short_name(asked.model), short_name(asked.dataset)
    return workspace() / "evaluations" / ".".join((*map(_slug, names), digest))


def make_evaluation(asked: Asked, out: Path) -> Evaluation:
    """Evaluate into a folder, or go on there, with a progress line on stderr.

    Raises:
        ValueError: a data set, model, threshold or folder that does not fit.
    """
    from detector.data.datasets import open_dataset
    from detector.judging.evaluation import evaluate
    from detector.tracing.thresholds import Thresholds

    # What cannot be is refused before a model is loaded.
    Thresholds().replace(**asked.thresholds)
    if out.is_file():
        raise ValueError(f"{out} is a file; --out names the folder of the run")
    dataset = open_dataset(asked.dataset)
    detector = load_model(asked.model, asked.weights)
    thresholds = Thresholds.from_model(detector.model).replace(**asked.thresholds)
    shown = ProgressLine()
    with stopped_gently(), told_that_it_goes_on(), shown:
        return evaluate(
            detector, dataset, out, thresholds=thresholds, iou=asked.iou, limit=asked.limit, losses=asked.losses,
            progress=shown.tell,
        )  # fmt: skip


def is_finished_run(path: Path) -> bool:
    """Whether a folder holds a finished diagnosis or evaluation."""
    return (path / "summary.json").is_file() and (path / "run.json").is_file()


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40] or "unnamed"
