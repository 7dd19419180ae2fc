"""P5: a study of settings: its history, what matters, the trials side by side, slices, and the front.

Optuna's own charts in the app's looks. They want a study: it is built again in memory from the trials that were
read, so that no chart asks the database. Optuna is imported when a chart is drawn.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from viz_app.figures.charts import GRID, calm
from viz_app.figures.palette import ACCENT, FOUND, GREY, ORANGE, SKY, with_alpha

if TYPE_CHECKING:
    import optuna

    from detector.training.tuning_results import StudyView, TrialRow

LEAST_FOR_IMPORTANCE = 8
"""Trials that must be done before it can be told what matters."""
_SCALE = [[0, with_alpha(SKY, 0.45)], [1, ACCENT]]
_SLICE_COLUMNS, _HEIGHT, _GOOD = 4, 320, 0.9


def history_figure(view: StudyView, height: int = _HEIGHT) -> go.Figure | None:
    """Each trial's first objective, with one objective the best so far; of thresholds what the model's own give.

    None where no trial is done.
    """
    from optuna.visualization import plot_optimization_history

    if not view.best:
        return None
    name = view.config.objectives[0]
    # Optuna draws the best so far only where there is no target.
    target = None if len(view.config.objectives) == 1 else _first
    figure = plot_optimization_history(as_study(view), target=target, target_name=words_of(name))
    calm(figure.update_layout(title=None), x="trial", y=words_of(name), height=height)
    figure.update_traces(marker={"color": with_alpha(SKY, 0.85), "size": 8}, selector={"mode": "markers"})
    figure.update_traces(line={"color": ACCENT, "width": 2.5}, name="best so far", selector={"mode": "lines"})
    figure.for_each_trace(
        lambda trace: trace.update(name=words_of(name)) if trace.mode == "markers" else None
    )
    if name in view.before:
        figure.add_hline(
            view.before[name], line={"color": ORANGE, "dash": "dash", "width": 1.5},
            annotation={"text": "the model's own thresholds", "font": {"color": ORANGE}, "xanchor": "right"},
        )  # fmt: skip
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    return figure.update_layout(showlegend=True, legend=legend, margin={"t": 36})


def importance_figure(view: StudyView, height: int = _HEIGHT) -> go.Figure | None:
    """How much each setting matters for reaching the best values (PED-ANOVA, Watanabe et al. 2023).

    None where too few trials are done, or only one setting is changed.
    """
    from optuna.visualization import plot_param_importances

    if view.count("done") < LEAST_FOR_IMPORTANCE or len(view.config.parameters) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal values everywhere are no importance, and said so by the chart
        figure = plot_param_importances(
            as_study(view), target=_first, target_name=words_of(view.config.objectives[0])
        )
    calm(figure.update_layout(title=None), x="importance", height=height)
    figure.update_traces(marker_color=ACCENT, textposition="auto", cliponaxis=False)
    return figure.update_yaxes(title=None)


def parallel_figure(view: StudyView, height: int = _HEIGHT) -> go.Figure | None:
    """A line for each trial through all its settings, the best ones thick and blue. None where no trial is done."""
    from optuna.visualization import plot_parallel_coordinate

    if not view.best:
        return None
    name = words_of(view.config.objectives[0])
    figure = plot_parallel_coordinate(as_study(view), target=_first, target_name=name)
    top = 1.0 if view.config.directions[0] == "maximize" else 0.0
    # The first axis is the objective, 0 to 1. Optuna's own scale goes through white and black: one is the page.
    figure.for_each_trace(lambda line: line.update(_line_at(1 - abs(top - line.y[0]))), {"mode": "lines"})
    figure.update_traces(visible=False, selector={"mode": "markers"})
    figure.update_annotations(font_color=GREY)
    margin = {"l": 48, "r": 24, "t": 48, "b": 24}
    return figure.update_layout(
        title=None, height=height, margin=margin, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)"
    )


def slices_figure(view: StudyView, height: int = 0) -> go.Figure | None:
    """The first objective against each setting; later trials are darker. None where no trial is done."""
    done = [row for row in view.trials if row.state == "done" and row.parameters]
    if not done:
        return None
    names = [one.name for one in view.config.parameters]
    columns = min(len(names), _SLICE_COLUMNS)
    rows = -(-len(names) // columns)
    figure = make_subplots(
        rows=rows, cols=columns, shared_yaxes=True, horizontal_spacing=0.02, vertical_spacing=0.2
    )
    calm(figure, height=height or max(_HEIGHT, 220 * rows))
    for place, parameter in enumerate(view.config.parameters):
        row, column = place // columns + 1, place % columns + 1
        figure.add_trace(_slice(done, parameter.name), row=row, col=column)
        figure.update_xaxes(
            title=parameter.name,
            type="log" if parameter.log else "linear",
            row=row,
            col=column,
            gridcolor=GRID,
        )
        if column == 1:
            figure.update_yaxes(title=words_of(view.config.objectives[0]), row=row, col=column)
    return figure


def front_figure(view: StudyView, height: int = 380) -> go.Figure | None:
    """Trials by their first two objectives; those of the front are beaten by none. None with one objective."""
    if len(view.config.objectives) < 2 or not view.best:
        return None
    rest = [row for row in view.trials if row.state == "done" and row.number not in view.best]
    front = sorted((view.trials[number] for number in view.best), key=lambda row: row.values[0])
    figure = go.Figure()
    for rows, name, color, mode in (
        (rest, "beaten", GREY, "markers"),
        (front, "front", FOUND, "lines+markers"),
    ):
        figure.add_trace(
            go.Scatter(
                x=[row.values[0] for row in rows], y=[row.values[1] for row in rows], mode=mode, name=name,
                marker={"color": color, "size": 9}, line={"color": color, "dash": "dot", "shape": "hv"},
                text=[_hover(row) for row in rows], hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    first, second = (words_of(name) for name in view.config.objectives[:2])
    calm(figure, x=first, y=second, height=height)
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    return figure.update_layout(showlegend=True, legend=legend, margin={"t": 36})


def as_study(view: StudyView) -> optuna.Study:
    """The trials that are done as a study of Optuna's in memory, under their own numbers."""
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name=view.config.name, directions=list(view.config.directions))
    kinds = {one.name: one.distribution() for one in view.config.parameters}
    for row in view.trials:
        if row.state == "done" and row.parameters:
            own = {name: kinds[name] for name in row.parameters}
            trial = create_trial(params=row.parameters, distributions=own, values=list(row.values))
        else:
            trial = create_trial(state=TrialState.FAIL)
        study.add_trial(trial)
    return study


def words_of(objective: str) -> str:
    """An objective for people."""
    if objective == "latency":
        return "ms for each image"
    return objective.replace("recall/", "alive after ")


def _line_at(share: float) -> dict[str, object]:
    """How to draw a trial that is so good, 0 to 1."""
    good = share > _GOOD
    color = with_alpha(ACCENT if good else GREY, 0.25 + 0.65 * share**2)
    return {"line": {"color": color, "width": 1 + 1.5 * share**4}, "opacity": 1}


def _first(trial: optuna.trial.FrozenTrial) -> float:
    return trial.values[0]


def _slice(rows: list[TrialRow], name: str) -> go.Scatter:
    return go.Scatter(
        x=[(row.parameters or {})[name] for row in rows], y=[row.values[0] for row in rows], mode="markers",
        marker={"color": [row.number for row in rows], "colorscale": _SCALE, "size": 8},
        text=[_hover(row) for row in rows], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _hover(row: TrialRow) -> str:
    values = ", ".join(f"{value:.4g}" for value in row.values)
    lines = [f"{name} {value:.4g}" for name, value in (row.parameters or {}).items()]
    return "<br>".join([f"trial {row.number}: {values}", *lines])
