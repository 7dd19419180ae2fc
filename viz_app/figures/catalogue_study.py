"""The catalogue's picture of a study: thresholds of the material's detector on a few drawn scenes, replayed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from detector.data.shapes import ShapesDataset
from viz_app.figures.catalogue_parts import Entry, Material
from viz_app.figures.study import slices_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from detector.training.tuning_results import StudyView

_IMAGES, _TRIALS = 3, 9


@lru_cache(maxsize=1)
def _view(one: Material) -> StudyView:
    """A small study, searched evenly: nothing of it is written anywhere."""
    from detector.training.tuning import StudyConfig
    from detector.training.tuning_cache import capture_images
    from detector.training.tuning_metric import Judge
    from detector.training.tuning_results import StudyView, TrialRow
    from detector.training.tuning_space import parameters_of

    parameters = parameters_of("thresholds")
    config = StudyConfig("small", "thresholds", parameters, trials=_TRIALS, dataset=f"shapes:{_IMAGES}:3")
    cached = capture_images(one.detector, ShapesDataset(_IMAGES, 3), floor=parameters[0].low)
    judge, rows = Judge(cached.truths, cached.labels), []
    for number in range(_TRIALS):
        share = (number + 0.5) / _TRIALS, (number * 4 % _TRIALS + 0.5) / _TRIALS
        values = {p.name: p.low + s * (p.high - p.low) for p, s in zip(parameters, share, strict=True)}
        found = judge.averages(cached.replay(cached.own.replace(**values)))
        rows.append(TrialRow(number, "done", (found.AP,), values))
    best = max(rows, key=lambda row: row.values[0]).number
    return StudyView(config, tuple(rows), (best,), {}, {})


def _slices(one: Material) -> go.Figure:
    figure = slices_figure(_view(one))
    assert figure is not None
    return figure


ENTRIES = (
    Entry(
        "P5", "a study: history, what matters, slices, front", "Tune", "Chart", slices_figure, _slices
    ),
)  # fmt: skip
