"""What the Train page looks at: which run, which of its views, which runs beside it, and what they measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from detector.training.config_file import read_config
from detector.training.metrics_log import MetricsReader
from detector.training.run_directory import RunDirectory
from viz_app import state
from viz_app.figures.run_curves import RunCurve, run_color
from viz_app.jobs.training import every_run
from viz_app.jobs.workspace import run_folder
from viz_app.problems import literal
from viz_app.sidebar.choosing import show_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.training.config import RunConfig
    from detector.training.run_directory import Run
    from detector.training.run_status import RunStatus

CURVES, PROBES, XRAY, LOG = "Curves", "Time machine", "X-ray", "Log and settings"
VIEWS = (CURVES, PROBES, XRAY, LOG)
VIEW = "train.view"
MOST_OVERLAID = 6

_READERS, _TICKED = "train readers", "train ticked"


@dataclass(frozen=True, slots=True)
class Mark:
    """How things stood when the page was drawn; once it is another one, the page is drawn anew.

    Args:
        runs: name, state and epoch of each run, and how many twentieths of it are done.
        epochs: of the shown run, how many were validated.
        restarts: of the shown run, how often it began its rows anew.
    """

    runs: tuple[tuple[str, str, int, int], ...]
    epochs: int
    restarts: int


def mark_of(name: str, runs: Sequence[Run] | None = None) -> Mark:
    """How things stand now; a few small files are read."""
    known = every_run() if runs is None else runs
    reader = measured(name)
    reader.new()
    states = tuple(
        (run.name, run.status.state.value, run.status.epoch, _twentieths(run.status))
        if run.status
        else (run.name, "", 0, 0)
        for run in known
    )
    return Mark(states, len(reader.epochs), reader.restarts)


def _twentieths(status: RunStatus) -> int:
    return 20 * status.step // status.steps if status.steps else 0


def shown_run(runs: Sequence[Run]) -> Run:
    """The run that the link names, else the newest one."""
    asked = state.choice().training
    found = next((run for run in runs if run.name == asked), None)
    if found is None:
        if asked is not None:
            said = f"There is no run called {literal(asked)}; the newest one is shown."
            st.warning(said, icon=":material/warning:")
        found = runs[0]
        state.choose(replace(state.choice(), training=found.name))
    return found


def shown_view() -> str:
    """The view that is looked at."""
    view = state.widget(VIEW)
    return view if isinstance(view, str) else state.remembered(VIEW, CURVES)


def ticked(runs: Sequence[Run]) -> list[str]:
    """Names of the runs that are laid over one another, in the order of the list."""
    names = state.remembered(_TICKED, ())
    return [run.name for run in runs if run.name in names]


def tick(names: Sequence[str]) -> None:
    """Lay these runs over one another."""
    state.remember(_TICKED, tuple(names)[:MOST_OVERLAID])


def measured(name: str) -> MetricsReader:
    """What a run has measured as far as this session has read it: `new()` reads on from there."""
    readers: dict[str, MetricsReader] = state.remembered(_READERS, {})
    if name not in readers:
        readers[name] = MetricsReader(run_folder(name))
        state.remember(_READERS, readers)
    return readers[name]


def curves_of(name: str) -> list[RunCurve]:
    """The shown run as the charts see it, and those that are laid over it."""
    others = [other for other in state.remembered(_TICKED, ()) if other != name]
    curves = []
    for place, one in enumerate((name, *others)):
        reader = measured(one)
        reader.new()
        if one == name or reader.steps or reader.epochs:
            config = config_of_run(one)
            clip = None if config is None else config.recipe.clip_norm
            curves.append(RunCurve(one, reader.steps, reader.epochs, clip, run_color(place)))
    return curves


def config_of_run(name: str) -> RunConfig | None:
    """The settings of a run; None where they cannot be read."""
    path = RunDirectory(run_folder(name)).config
    try:
        return _config(path, path.stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=64)
def _config(path: Path, written: int) -> RunConfig:
    """Parsing YAML takes longer than all the rest of a look."""
    del written
    return read_config(path)


def open_in_inspect(checkpoint: Path) -> None:
    """In a callback: the sidebar shows this detector, and the next run goes to the whole network."""
    show_checkpoint(str(checkpoint))
    state.go_to("full_network")


def go_on() -> None:
    """In a fragment, which the shell does not see: where something was clicked, go to the page that it opens."""
    if page := state.take_page():
        from viz_app.shell import page_called  # the shell imports pages when they are opened

        st.switch_page(page_called(page))
