"""What a study has found: its numbers, the best settings with a button to use them, its charts and its trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from detector.training.tuning_results import BEST_CONFIG
from viz_app.app_pages.changes import change_style, change_words
from viz_app.app_pages.charts import show_chart
from viz_app.controls import shown_detector
from viz_app.figures import study as figures
from viz_app.figures.remedy_words import FIELD_WORDS, number_words
from viz_app.jobs.workspace import studies_folder
from viz_app.problems import literal
from viz_app.sidebar.knobs import move_sliders

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from detector.training.tuning_results import StudyView, TrialRow
    from viz_app.scene import Scene

_STYLE = """<style>
.st-key-tune-best { border: 1px solid #009E73; border-radius: 0.75rem; padding: 0.9rem 1rem;
  background: rgba(0, 158, 115, 0.06); }
.st-key-tune-good button { background: #009E73; border-color: #009E73; color: #fff; }
.st-key-tune-good button:hover { background: #00805D; border-color: #00805D; color: #fff; }
</style>"""
_CHARTS = ("History", "What matters", "Slices", "All settings")
_STATES = {
    "done": "✓ done",
    "pruned": "✂ ended early",
    "failed": "✗ failed",
    "running": "▶ running",
    "waiting": "… waits",
}


def show_numbers(view: StudyView) -> None:
    """The headline: a row of numbers."""
    top, name = view.top, view.config.objectives[0]
    before = view.before.get(name)
    best = "–" if top is None else f"{top.values[0]:.4g}"
    gain = None if top is None or before is None else change_words(top.values[0] - before)
    numbers = [
        (
            "Trials",
            f"{view.ended:,} of {view.config.trials:,}",
            None,
            "Trials that have ended, and how many in all.",
        ),
        (
            f"Best {figures.words_of(name)}",
            best,
            gain,
            "Of the trials that are done; below it what is gained.",
        ),
        (
            "Ended early",
            f"{view.count('pruned'):,}",
            None,
            "They did worse than most others after as many epochs.",
        ),
        ("Failed", f"{_failed(view):,}", None, "The table says why. One that is done again does not count."),
    ]
    if before is not None:
        numbers[2] = (
            "Before",
            f"{before:.4g}",
            None,
            "What the model's own thresholds give on these images.",
        )
    for column, (label, value, delta, about) in zip(st.columns(4), numbers, strict=True):
        column.metric(label, value, delta, help=about, border=True, height="stretch", **change_style(delta))


def show_best(view: StudyView, scene: Scene | None) -> None:
    """The best settings, and the way to use them."""
    top = view.top
    if top is None:
        return
    st.html(_STYLE)
    with st.container(key="tune-best"):
        text, button = st.columns([0.74, 0.26], vertical_alignment="center")
        text.markdown(f"**Trial {top.number} is best:** {_settings(view, top)}")
        if view.config.kind == "thresholds":
            text.markdown(_effect(view, top))
            with button.container(key="tune-good"):
                _apply_button(view, scene)
        else:
            path = studies_folder() / view.config.name / BEST_CONFIG
            text.caption("Train it for longer, with all its settings as they are:")
            text.code(f"boxscope train --config {path} --out DIR", language="bash")
            if path.is_file():
                button.download_button(
                    "Settings", path.read_bytes(), f"{view.config.name}.yaml", "application/yaml",
                    icon=":material/download:", key="tune.config", width="stretch", on_click="ignore",
                )  # fmt: skip


def show_charts(view: StudyView) -> None:
    """One of Optuna's charts, in the app's looks."""
    several = len(view.config.objectives) > 1
    with st.container(border=True):
        chosen = st.segmented_control(
            "Chart", (*_CHARTS, "Front") if several else _CHARTS, default="Front" if several else "History",
            required=True, key=f"tune.chart.{several}", label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
        figure = _figure(view, chosen)
        if figure is None:
            least = figures.LEAST_FOR_IMPORTANCE
            st.caption(
                f"It takes at least {least} trials that are done, and two settings, to tell what matters."
                if chosen == "What matters" else "No trial is done yet."
            )  # fmt: skip
            return
        show_chart(figure, key=f"tune.{chosen.lower().replace(' ', '_')}")
        st.caption(_CAPTIONS[chosen])


def show_trials(view: StudyView) -> None:
    """The table of all trials."""
    with st.container(border=True):
        st.subheader("Trials", anchor=False)
        table = trial_table(view)
        numbers = {name: st.column_config.NumberColumn(format="%.4g") for name in table.columns[2:-1]}
        st.dataframe(table, hide_index=True, key="tune.trials", column_config=numbers, height="auto")
        for problem in view.problems[:5]:
            st.caption(f"Not used: {literal(problem)}")


def trial_table(view: StudyView) -> pd.DataFrame:
    """A row for each trial, the newest first."""
    rows = []
    for row in reversed(view.trials):
        values = dict(zip(view.config.objectives, row.values, strict=False))
        own = {one.name: (row.parameters or {}).get(one.name) for one in view.config.parameters}
        best = "★ " if row.number in view.best else ""
        rows.append(
            {
                "trial": f"{best}{row.number}",
                "state": _STATES[row.state],
                **{figures.words_of(name): values.get(name) for name in view.config.objectives},
                **own,
                "seconds": row.seconds,
                "remark": row.problem or ("" if row.retry_of is None else f"does trial {row.retry_of} again"),
            }
        )
    return pd.DataFrame(rows)


_CAPTIONS = {
    "History": "A dot for each trial; the line is the best one so far.",
    "What matters": "How much each setting decides whether a trial is among the best (PED-ANOVA, Watanabe et al. "
    "2023). It says nothing of the direction: the slices do.",
    "Slices": "A dot for each trial, later ones darker. A study looks where good ones were found.",
    "All settings": "A line for each trial, through all its settings; the best tenth of the range is blue.",
    "Front": "No trial beats one of the front in both objectives.",
}


def _figure(view: StudyView, chosen: str) -> go.Figure | None:
    draw = {
        "History": figures.history_figure, "What matters": figures.importance_figure,
        "Slices": figures.slices_figure, "All settings": figures.parallel_figure, "Front": figures.front_figure,
    }[chosen]  # fmt: skip
    return draw(view)


def _apply_button(view: StudyView, scene: Scene | None) -> None:
    wanted, spec = view.best_thresholds, shown_detector()
    fits = spec is not None and spec.kept_source == view.config.model
    changed = None if scene is None or wanted is None else scene.replay.thresholds.replace(**wanted)
    st.button(
        "Apply to the sliders", key="tune.apply", icon=":material/check:", width="stretch",
        disabled=changed is None or not fits or changed == (None if scene is None else scene.replay.thresholds),
        on_click=move_sliders, args=(changed,),
        help=None if fits else "Choose this study's detector in the sidebar first.",
    )  # fmt: skip


def _settings(view: StudyView, top: TrialRow) -> str:
    words = FIELD_WORDS if view.config.kind == "thresholds" else {}
    parts = []
    for name, value in (top.parameters or {}).items():
        own = view.own.get(name)
        shown = f"{value:.4g}" if isinstance(value, float) else number_words(value)
        parts.append(
            f"{literal(words.get(name, name))} **{shown}**" + ("" if own is None else f" (was {own:.4g})")
        )
    return ", ".join(parts)


def _effect(view: StudyView, top: TrialRow) -> str:
    if not view.before or not top.measured:
        return ""
    names = ("AP", "AP50", "F1", "detections")
    return " · ".join(f"{name} {view.before[name]:.4g} → {top.measured[name]:.4g}" for name in names)


def _failed(view: StudyView) -> int:
    return sum(1 for row in view.trials if row.state == "failed" and row.again is None)
