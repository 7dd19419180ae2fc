"""The curves of a run, and of those laid over it; figures are made anew only where there is something new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.explaining.rungs import Rung
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.train_shown import config_of_run, curves_of
from viz_app.figures.epoch_curves import ap_figure, overlaid_recall, recall_figure
from viz_app.figures.loss_curves import losses_figure, overlaid_losses, pace_figure
from viz_app.figures.run_curves import finished
from viz_app.figures.words import rung_name
from viz_app.jobs.training import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from viz_app.figures.run_curves import RunCurve

_FIGURES, _RUNG = "train figures", "train.rung"
_ROOM = 8
_STYLE = "<style>[class*=st-key-frame-] { overflow: hidden !important; }</style>"
_RUNGS = tuple(rung.name for rung in Rung if rung is not Rung.FOUND)
_FOUND = Rung.MATCHED_ELSEWHERE.name  # who passes the last rung is found


def show_curves(name: str) -> None:
    """Losses and pace above, AP and the fate of the objects below."""
    curves = curves_of(name)
    if not any(curve.steps or curve.epochs for curve in curves):
        st.caption("The curves begin with the first step.")
        return
    figures = _figures(curves, _rung(curves))
    st.html(_STYLE)
    left, right = st.columns([0.62, 0.38], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Losses", anchor=False)
        _chart(figures, "losses")
        st.caption(_step_words(curves))
    with right, st.container(border=True, height="stretch"):
        st.subheader("Pace", anchor=False)
        _chart(figures, "pace")
        st.caption(f"{_pace_words(name)} Gradients above the dotted line are shortened to it.")
    left, right = st.columns([0.42, 0.58], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Average precision", anchor=False)
        _chart(figures, "ap")
        st.caption("COCO's, on the validation images. The star is the best epoch.")
    with right, st.container(border=True, height="stretch"):
        _fate(curves, figures)


def _fate(curves: Sequence[RunCurve], figures: dict[str, go.Figure]) -> None:
    title, choice = st.columns([0.6, 0.4], vertical_alignment="center")
    title.subheader("What becomes of the objects", anchor=False)
    if len(curves) > 1:
        choice.selectbox(
            "Rung", _RUNGS[::-1], key=_RUNG, persist_state="session", label_visibility="collapsed",
            format_func=lambda rung: "found" if rung == _FOUND else f"alive after {rung_name(rung)}",
        )  # fmt: skip
    _chart(figures, "recall")
    if len(curves) == 1:
        st.caption(
            "Each band is what one rung of the ladder loses of the validation objects; green is found."
        )


def _rung(curves: Sequence[RunCurve]) -> str:
    rung = state.widget(_RUNG) if len(curves) > 1 else None
    return rung if isinstance(rung, str) else _FOUND


def _figures(curves: Sequence[RunCurve], rung: str) -> dict[str, go.Figure]:
    """The four charts; those of the look before where nothing came since."""
    key = (rung, *((curve.name, curve.clip_norm, len(curve.steps), _last(curve)) for curve in curves))
    known: tuple[object, dict[str, go.Figure]] = state.remembered(_FIGURES, (None, {}))
    if known[0] == key:
        return known[1]
    alone = len(curves) == 1
    with_steps = [curve for curve in curves if curve.steps]
    figures = {
        "losses": losses_figure(curves[0]) if alone else overlaid_losses(with_steps),
        "pace": pace_figure(with_steps),
        "ap": ap_figure(curves),
        "recall": recall_figure(curves[0]) if alone else overlaid_recall(curves, rung),
    }
    figures = {name: finished(figure) for name, figure in figures.items()}
    state.remember(_FIGURES, (key, figures))
    return figures


def _last(curve: RunCurve) -> tuple[float, int, float]:
    """Tells rows that were done again after a resume from those before."""
    last = curve.steps[-1].seconds if curve.steps else 0.0
    return last, len(curve.epochs), curve.epochs[-1].seconds if curve.epochs else 0.0


def _chart(figures: dict[str, go.Figure], name: str) -> None:
    """A chart in a frame of its height: while it is drawn anew the one before stands, and nothing jumps."""
    figure = figures[name]
    with st.container(height=figure.to_dict()["layout"]["height"] + _ROOM, border=False, key=f"frame {name}"):
        show_chart(figure, key=f"train.{name}")


def _pace_words(name: str) -> str:
    """What the rate does, and that it never comes to its peak in a run that is too short."""
    config, status = config_of_run(name), look(name).status
    if config is None or status is None or not 0 < status.steps < config.recipe.warmup_steps:
        return "Warm-up, then a cosine to 0."
    return (
        f"The {status.steps:,} steps of this run end within its warm-up of {config.recipe.warmup_steps:,}: "
        "the rate never reaches its peak."
    )


def _step_words(curves: Sequence[RunCurve]) -> str:
    if len(curves) > 1:
        return "Faint: each step. Strong: the mean of the latest steps."
    return "Faint: each step. Strong: the mean of the latest steps. Upright lines part the epochs."
