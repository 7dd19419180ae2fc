"""What a study has found so far: its trials in plain words, the best of them, and files to go on with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.data.sealed import replace_file
from detector.training.tuning import BEST

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from detector.training.tuning import StudyConfig
    from detector.training.tuning_storage import Opened

BEST_CONFIG = "best.yaml"
FORMAT = 1
_STATES = {
    "COMPLETE": "done",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial.

    Args:
        number: in the study.
        state: `done`, `pruned` (ended early, because it did worse than most), `failed`, `running` or `waiting`.
        values: the objectives, once it is done; of a pruned trial the last one that it reported.
        parameters: what it tried.
        seconds: that it took; None before it ended.
        problem: why it failed; else empty.
        again: number of the trial that does it again; None where none does.
        retry_of: number of the trial that it does again.
        measured: everything else that was measured.
        run: name of its training run in the study's `trials`, if it has one.
    """

    number: int
    state: str
    values: tuple[float, ...] = ()
    parameters: dict[str, float] | None = None
    seconds: float | None = None
    problem: str = ""
    again: int | None = None
    retry_of: int | None = None
    measured: dict[str, float] | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study as it stands.

    Args:
        config: what it searches.
        trials: all of them, in order of their number.
        best: numbers of the best trials: one, or with several objectives those that no other one beats in all.
        before: what the model measures with its own thresholds; only of thresholds, once it is known.
        own: the model's own thresholds.
        problems: sentences about images that cannot be used.
    """

    config: StudyConfig
    trials: tuple[TrialRow, ...]
    best: tuple[int, ...]
    before: dict[str, float]
    own: dict[str, float]
    problems: tuple[str, ...] = ()

    def count(self, *states: str) -> int:
        """How many trials are in one of these states."""
        return sum(1 for trial in self.trials if trial.state in states)

    @property
    def ended(self) -> int:
        """How many of the trials that were asked for have ended; one that is done again has not."""
        return sum(1 for t in self.trials if t.state in ("done", "pruned", "failed") and t.again is None)

    @property
    def top(self) -> TrialRow | None:
        """The best trial; of several the one that is best in the first objective. None where none is done."""
        if not self.best:
            return None
        sign = 1 if self.config.directions[0] == "maximize" else -1
        return max((self.trials[number] for number in self.best), key=lambda one: sign * one.values[0])

    @property
    def best_thresholds(self) -> dict[str, float] | None:
        """All thresholds of the best trial; None where none is done, or the study is not of thresholds."""
        top = self.top
        if top is None or self.config.kind != "thresholds" or not self.own:
            return None
        return {**self.own, **(top.parameters or {})}


def view_of(opened: Opened) -> StudyView:
    """The study as it stands.

    Raises:
        StorageProblem: the database is lost.
    """
    from detector.training.tuning_problems import saying_where

    with saying_where(opened.url):
        trials = opened.study.get_trials(deepcopy=False)
        attributes = opened.study.user_attrs
    again = {trial.system_attrs["retry_history"][-1]: trial.number for trial in trials if _history(trial)}
    rows = tuple(_row(trial, again.get(trial.number)) for trial in trials)
    return StudyView(
        opened.config, rows, _best(opened.config, rows), attributes.get("before", {}), attributes.get("own", {}),
        tuple(attributes.get("problems", ())),
    )  # fmt: skip


def write_best(view: StudyView, folder: Path) -> list[Path]:
    """Write the best settings into a study's folder: `best.json`, and of trainings `best.yaml`, a run's settings.

    Returns:
        The files; none where no trial is done.

    Raises:
        OSError: they cannot be written.
    """
    top = view.top
    if top is None:
        return []
    content = {
        "format": FORMAT, "study": view.config.name, "kind": view.config.kind, "trial": top.number,
        "objectives": list(view.config.objectives), "values": list(top.values), "parameters": top.parameters,
        "thresholds": view.best_thresholds, "before": view.before or None, "front": list(view.best),
    }  # fmt: skip
    replace_file(folder / BEST, (json.dumps(content, indent=2) + "\n").encode())
    if view.config.kind != "training":
        return [folder / BEST]
    from detector.training.config_file import write_config
    from detector.training.tuning_settings import base_of, config_with

    best = config_with(base_of(view.config), top.parameters or {}, view.config.monitor)
    write_config(folder / BEST_CONFIG, best)
    return [folder / BEST, folder / BEST_CONFIG]


def _best(config: StudyConfig, rows: tuple[TrialRow, ...]) -> tuple[int, ...]:
    """The trials that are done and that none beats: as good in every objective, and better in one."""
    signs = [1 if direction == "maximize" else -1 for direction in config.directions]
    points = {
        row.number: tuple(s * v for s, v in zip(signs, row.values, strict=True))
        for row in rows
        if row.state == "done"
    }
    best = tuple(
        number
        for number, point in points.items()
        if not any(
            other != point and all(a >= b for a, b in zip(other, point, strict=True))
            for other in points.values()
        )
    )
    return best[:1] if len(signs) == 1 else best


def _history(trial: FrozenTrial) -> list[int]:
    return trial.system_attrs.get("retry_history") or []


def _row(trial: FrozenTrial, again: int | None) -> TrialRow:
    known = trial.user_attrs
    problem = str(known.get("problem", ""))
    if again is not None:
        problem = f"its worker was stopped or lost; trial {again} does it again"
    elif trial.state.name == "FAIL" and not problem:
        problem = "its worker was lost"
    taken = trial.duration.total_seconds() if trial.duration is not None else None
    measured = {name: value for name, value in known.get("measured", {}).items() if value is not None}
    history = _history(trial)
    return TrialRow(
        trial.number, _STATES[trial.state.name], tuple(trial.values or ()), dict(trial.params), taken, problem,
        again, history[-1] if history else None, measured, str(known.get("run", "")),
    )  # fmt: skip
