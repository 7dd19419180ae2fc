"""The catalogue's pictures of the Why? page: ladder, lineage, suppressor, price, saliency, causes."""

from __future__ import annotations

import numpy as np

from detector.explaining.ladder import diagnose
from detector.explaining.logits import ClassLogit
from detector.explaining.remedies import remedy_for
from detector.explaining.saliency import saliency_of
from detector.tracing.lineage import trace_lineage
from viz_app.figures.catalogue_parts import Boxes, Entry, Material
from viz_app.figures.evidence_picture import evidence_tiles
from viz_app.figures.false_positive_causes import false_positive_groups
from viz_app.figures.ladder import ladder_rows
from viz_app.figures.ladder_picture import ladder_picture
from viz_app.figures.lineage import lineage_row, lineage_steps
from viz_app.figures.price_picture import price_groups
from viz_app.figures.saliency import about_group, heat_overlay

_PAGE = "Why?"


def _ladder(one: Material) -> np.ndarray:
    verdict = one.diagnosis.lost[0]
    return ladder_picture(ladder_rows(one.diagnosis, verdict), f"Why was object #{verdict.object} lost?")


def _lineage(one: Material) -> np.ndarray:
    return lineage_row(lineage_steps(one.replay, trace_lineage(one.replay, 0)))


def _suppressor(one: Material) -> np.ndarray:
    return np.hstack([tile.image for tile in evidence_tiles(one.diagnosis, one.diagnosis.lost[0])])


def _price(one: Material) -> Boxes:
    before = one.diagnosis
    remedy = remedy_for(one.replayer, before, before.lost[0])
    assert remedy is not None
    after = diagnose(one.replayer.replay(remedy.thresholds), one.truth)
    return Boxes(price_groups(before, after, remedy.price))


def _saliency(one: Material) -> Boxes:
    about = ClassLogit(one.replay.head.boxes[one.roi], int(one.replay.labels[0]))
    found = saliency_of(one.detector, one.trace, about)
    return Boxes([about_group(one.trace, about)], heat_overlay(found.image))


ENTRIES = (
    Entry("Y1", "the ladder of one object", _PAGE, "Answer", ladder_picture, _ladder),
    Entry("Y2", "lineage of one detection", _PAGE, "Lineage", lineage_row, _lineage),
    Entry("Y3", "what suppressed a lost object", _PAGE, "Answer", evidence_tiles, _suppressor),
    Entry("Y4", "remedy with its price", _PAGE, "Smallest change", price_groups, _price),
    Entry("Y5", "saliency on image and pyramid", _PAGE, "What the score hangs on", heat_overlay, _saliency),
    Entry("Y6", "false-positive causes", _PAGE, "False positives", false_positive_groups,
          lambda one: Boxes(false_positive_groups(one.diagnosis))),
)  # fmt: skip
