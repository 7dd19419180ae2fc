"""The catalogue's pictures of a whole data set: a few bundled images, diagnosed by the material's detector."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector.data.coco import CocoDataset
from detector.judging.dataset_diagnosis import diagnose_dataset
from detector.judging.summary import Group
from viz_app.bundled import sample_images_folder
from viz_app.figures.catalogue_parts import Entry, Material
from viz_app.figures.gallery import gallery_sheet
from viz_app.figures.gallery_cards import items_of
from viz_app.figures.mechanisms import mechanisms_figure
from viz_app.figures.oracle import oracle_figure
from viz_app.figures.tide import tide_figure
from viz_app.figures.waterfall import waterfall_figure
from viz_app.jobs.kept_reports import KeptReports

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

    from detector.judging.summary import Summary
    from viz_app.figures.gallery import Card

_IMAGES, _CARDS = 4, 6
_PAGE = "Data set"


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """A diagnosis in numbers, and the first cards of its lost and its found objects."""

    summary: Summary
    cards: tuple[Card, ...]


@lru_cache(maxsize=1)
def _survey(one: Material) -> _Survey:
    dataset = CocoDataset(sample_images_folder())
    with tempfile.TemporaryDirectory(prefix="boxscope-") as folder:
        found = diagnose_dataset(one.detector, dataset, folder, limit=_IMAGES, recommend=False)
        rows = found.objects.sort_values("rung", key=lambda rungs: rungs == "FOUND", kind="stable").head(
            _CARDS
        )
        items = items_of(found, rows, dataset, KeptReports(Path(folder)), one.detector.categories)
    return _Survey(found.summary, tuple(item.card for item in items))


def _waterfall(one: Material) -> go.Figure:
    summary = _survey(one).summary
    return waterfall_figure(Group(summary.objects, summary.found, summary.waterfall))


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
    Entry("D10", "gallery of one part of any of these", _PAGE, "the gallery", gallery_sheet, _gallery),
)  # fmt: skip
