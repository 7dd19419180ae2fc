"""The catalogue's pictures of a whole data set: a few bundled images, diagnosed by the material's detector."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.coco import CocoDataset
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.evaluation import evaluation_of
from detector.judging.image_scores import worst_by_ap
from detector.judging.summary import Group
from viz_app.bundled import sample_images_folder
from viz_app.figures.average_precision import average_precision_figure
from viz_app.figures.calibration import calibration_figure
from viz_app.figures.catalogue_parts import Entry, Material
from viz_app.figures.confusion import confusion_figure
from viz_app.figures.gallery import gallery_sheet
from viz_app.figures.gallery_cards import items_of
from viz_app.figures.image_ranking import image_card
from viz_app.figures.mechanisms import mechanisms_figure
from viz_app.figures.oracle import oracle_figure
from viz_app.figures.precision_recall import precision_recall_figure
from viz_app.figures.side_by_side import seen_on
from viz_app.figures.tide import tide_figure
from viz_app.figures.waterfall import waterfall_figure
from viz_app.jobs.kept_reports import KeptReports

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

    from detector.judging.evaluation_records import Evaluation
    from detector.judging.summary import Summary
    from viz_app.figures.gallery import Card

_IMAGES, _CARDS = 4, 6
_PAGE, _EVALUATE = "Data set", "Evaluate"


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """A diagnosis in numbers, what it says of the detector, its images, and some of its objects, lost first."""

    evaluation: Evaluation
    images: tuple[Card, ...]
    cards: tuple[Card, ...]
    counts: dict[tuple[str, str], int]

    @property
    def summary(self) -> Summary:
        """All in numbers."""
        return self.evaluation.summary


@lru_cache(maxsize=1)
def _survey(one: Material) -> _Survey:
    dataset = CocoDataset(sample_images_folder())
    with tempfile.TemporaryDirectory(prefix="boxscope-") as folder:
        found = diagnose_dataset(one.detector, dataset, folder, limit=_IMAGES, recommend=False)
        rows = found.objects.sort_values("rung", key=lambda rungs: rungs == "FOUND", kind="stable").head(
            _CARDS
        )
        reports, evaluation = KeptReports(Path(folder)), evaluation_of(folder)
        items = items_of(found, rows, dataset, reports, one.detector.categories)
    images = tuple(
        image_card(
            score, dataset[score.index][0], seen_on(found.objects, score.index),
            reports.detections(score.index), evaluation.categories,
        )
        for score in worst_by_ap(evaluation.images)
    )  # fmt: skip
    counts = found.objects.groupby(["category", "size"]).size().to_dict()
    return _Survey(evaluation, images, tuple(item.card for item in items), counts)


def _waterfall(one: Material) -> go.Figure:
    summary = _survey(one).summary
    return waterfall_figure(Group(summary.objects, summary.found, summary.waterfall))


def _curves(one: Material) -> go.Figure:
    evaluation = _survey(one).evaluation
    labels = {name: score.label for name, score in evaluation.by_category.items()}
    return precision_recall_figure(evaluation.curves, labels, 0.5)


def _scores(one: Material) -> go.Figure:
    survey = _survey(one)
    evaluation = survey.evaluation
    return average_precision_figure(evaluation.by_category, evaluation.statistics, survey.counts)


def _gallery(one: Material) -> np.ndarray:
    return gallery_sheet(_survey(one).cards, columns=3)


ENTRIES = (
    Entry(
        "D1", "waterfall over the rungs, by size and class", _PAGE, "Where objects are lost", waterfall_figure,
        _waterfall,
    ),
    Entry(
        "D2", "the five mechanisms of a miss", _PAGE, "What kind: mechanisms", mechanisms_figure,
        lambda one: mechanisms_figure(_survey(one).summary.mechanisms),
    ),
    Entry(
        "D3", "TIDE's types of error, with what AP gains", _PAGE, "What kind: TIDE", tide_figure,
        lambda one: tide_figure(_survey(one).summary.tide),
    ),
    Entry(
        "D4", "gain of AP if a rung were perfect", _PAGE, "If a rung lost nothing", oracle_figure,
        lambda one: oracle_figure(_survey(one).summary.oracle),
    ),
    Entry(
        "D5", "precision against recall, class by class", _EVALUATE, "Precision against recall",
        precision_recall_figure, _curves,
    ),
    Entry(
        "D6", "confusion matrix with background", _EVALUATE, "What is taken for what", confusion_figure,
        lambda one: confusion_figure(_survey(one).evaluation.confusion),
    ),
    Entry(
        "D7", "calibration of the scores", _EVALUATE, "Do scores mean what they say?", calibration_figure,
        lambda one: calibration_figure(_survey(one).evaluation.calibration),
    ),
    Entry(
        "D8", "best and worst images", _EVALUATE, "Best and worst images", image_card,
        lambda one: gallery_sheet(_survey(one).images, columns=_IMAGES),
    ),
    Entry(
        "D9", "AP by class and size", _EVALUATE, "AP by class and size", average_precision_figure, _scores
    ),
    Entry("D10", "gallery of one part of any of these", _PAGE, "the gallery", gallery_sheet, _gallery),
)  # fmt: skip
