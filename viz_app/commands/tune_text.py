"""What `boxscope tune` says: before it begins, while it goes on, and what it found.

Only names are imported at the top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app.commands.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path

    from detector.training.tuning import StudyConfig
    from detector.training.tuning_results import StudyView, TrialRow

_MOST = 5


def opening_words(config: StudyConfig, workers: int) -> str:
    """What a study is going to do, in a sentence."""
    from detector.training.tuning import AVERAGES
    from viz_app.figures.words import plural

    changed = ", ".join(one.name for one in config.parameters)
    text = f"{config.name}: {plural(config.trials, 'trial')} over {changed} for {' and '.join(config.objectives)}"
    if config.kind == "training":
        early = "trials that do worse than most are ended early" if config.prunes else (
            "no trial is ended early: that goes with one objective that every epoch measures"
        )  # fmt: skip
        text += f"; {early}"
    elif "box_score" in changed and set(config.objectives) <= set(AVERAGES):
        text += "; AP never minds one more detection of low score, so it likes a low box_score: F1 does mind"
    return f"{text}; {plural(workers, 'worker')}"


def study_text(view: StudyView, folder: Path) -> str:
    """What a study found, as a table for a terminal."""
    from viz_app.figures.words import plural

    ended = f"{view.count('done')} done, {view.count('pruned')} ended early, {view.count('failed')} failed"
    lines = [f"{view.config.name}: {plural(view.ended, 'trial')} ({ended})"]
    top = view.top
    if top is None:
        return "\n".join([*lines, "no trial is done: there is nothing to recommend", *_problems(view)])
    names = list(view.config.objectives) + [one.name for one in view.config.parameters]
    lines += ["", f"{'trial':>6}  " + "  ".join(f"{name:>12}" for name in names)]
    for row in _first(view):
        numbers = [*row.values, *((row.parameters or {}).get(one.name) for one in view.config.parameters)]
        lines.append(f"{row.number:>6}  " + "  ".join(f"{_number(value):>12}" for value in numbers))
    lines += ["", *_use(view, top, folder), *_problems(view)]
    return "\n".join(lines)


def _use(view: StudyView, top: TrialRow, folder: Path) -> list[str]:
    """The best settings as somebody would type them."""
    from detector.training.tuning_results import BEST_CONFIG

    if view.config.kind == "training":
        return [f"train the best one: boxscope train --config {folder / BEST_CONFIG} --out DIR"]
    values = top.parameters or {}
    options = " ".join(f"--{name} {value:.6g}" for name, value in values.items())
    lines = [f"use the best one: {options}"]
    if view.before:
        told = [
            f"{name} {view.before[name]:.4f} -> {(top.measured or {})[name]:.4f}"
            for name in ("AP", "AP50", "F1")
        ]
        lines.insert(0, f"the model's own thresholds -> trial {top.number}: {', '.join(told)}")
    return lines


def _problems(view: StudyView) -> list[str]:
    told = [
        f"trial {row.number} failed: {row.problem}"
        for row in view.trials
        if row.problem and row.again is None
    ]
    return [*told[:_MOST], *(f"not used: {one}" for one in view.problems[:_MOST])]


def _first(view: StudyView) -> list[TrialRow]:
    """The trials that the table shows: the front, or the few best ones."""
    done = [row for row in view.trials if row.state == "done"]
    if len(view.config.objectives) > 1:
        done = [view.trials[number] for number in view.best]
    down = view.config.directions[0] == "maximize"
    return sorted(done, key=lambda row: row.values[0], reverse=down)[: 2 * _MOST]


def _number(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"


class StudyProgress(ProgressLine):
    """How a study stands: one line that is written over, or a line for each change where it is no terminal."""

    def tell_study(self, view: StudyView, doing: str) -> None:
        """Show how the study stands.

        Args:
            view: of the study.
            doing: what its first worker does before the first trial, in words.
        """
        top = view.top
        best = (
            ""
            if top is None
            else f", best {view.config.objectives[0]} {top.values[0]:.4f} (trial {top.number})"
        )
        line = doing if doing and not view.ended else f"{view.ended} of {view.config.trials} trials{best}"
        self.show(line, aside=bool(doing))
