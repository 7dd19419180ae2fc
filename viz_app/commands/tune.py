"""The subcommand that looks for better settings: `boxscope tune`.

Only names are imported at the top: torch and Optuna come when it runs. The table goes to stdout, the progress line
to stderr.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.progress import stopped_gently

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.training.tuning import StudyConfig
    from detector.training.tuning_results import StudyView, TrialRow

_WHAT = ("training", "thresholds")
_MOST = 5


def tune_options(parser: ArgumentParser) -> None:
    """Options of `boxscope tune`."""
    add = parser.add_argument
    add(
        "what", type=str, nargs="?", default="training", metavar="WHAT",
        help="training (each trial trains; the default), or thresholds (each trial replays both filters)",
    )  # fmt: skip
    add("dataset", type=str, nargs="?", default=None, metavar="DATASET", help="for thresholds: a data set")
    add("--config", type=str, default=None, metavar="FILE", help="for training: the run that trials change")
    add("--model", type=str, default=None, help="for thresholds: whose; shapes (bundled) by default")
    add("--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out")
    add("--limit", type=int, default=None, help="for thresholds: only so many images, from the first one")
    add(
        "--study", type=str, default=None, metavar="NAME", help="name of the study; one that is there goes on"
    )
    add("--trials", type=int, default=20, help="how many in all, with those that are done; 20 by default")
    add("--workers", type=int, default=1, help="processes at once on this machine; 1 by default")
    add(
        "--storage", type=str, default=None, metavar="URL",
        help="database that many machines share, such as postgresql://USER:PASSWORD@HOST/DATABASE; also in the "
        "environment as BOXSCOPE_STORAGE, where other users of this machine do not see it; a file in the study's "
        "folder by default",
    )  # fmt: skip
    add(
        "--objective", type=str, default="AP", metavar="WHAT[,WHAT]",
        help="AP, AP50, AP75; of training also AP_small, AP_medium, AP_large, recall/RUNG, latency; of thresholds "
        "also AR, F1",
    )  # fmt: skip
    add(
        "--parameters", type=str, default=None, metavar="NAME[=LOW..HIGH],...",
        help="what trials change: lr, lambda_1 to lambda_4, dropout, box_nms, anchor_scale, hard_negative_share, "
        "weight_decay; of thresholds: box_score, box_nms, box_limit, rpn_nms, rpn_score, rpn_pre_nms_top_n, "
        "rpn_post_nms_top_n",
    )  # fmt: skip
    add("--seed", type=int, default=0, help="of the search; 0 by default")
    add(
        "--out",
        type=str,
        default=None,
        metavar="DIR",
        help="folder of the study; in the workspace by default",
    )
    add("--json", action="store_true", help="print what was found as JSON instead of a table")


def tune(options: Namespace) -> int:
    """Run a study, and print what it found."""
    from detector.training.tuning_launch import Team, conduct
    from viz_app.jobs.workspace import studies_folder

    config = study_of(options)
    team = Team(options.workers)
    folder = Path(options.out) if options.out else studies_folder() / config.name
    if folder.is_file():
        raise ValueError(f"{folder} is a file; --out names the folder of the study")
    line = _ProgressLine()
    print(_opening(config, team.workers), file=sys.stderr)
    try:
        with stopped_gently(), line:
            view = conduct(config, folder, options.storage, team=team, progress=line.tell)
    except KeyboardInterrupt:
        print("boxscope: stopped; the same command goes on from here", file=sys.stderr)
        raise
    print(_as_json(folder) if options.json else study_text(view, folder))
    return 0


def study_of(options: Namespace) -> StudyConfig:
    """The study that the options describe; raises ValueError where they do not fit together."""
    from detector.training.tuning import StudyConfig
    from detector.training.tuning_settings import usual
    from detector.training.tuning_space import parameters_of

    if options.what not in _WHAT:
        raise ValueError(f"WHAT is {options.what!r}; expected {' or '.join(_WHAT)}")
    training = options.what == "training"
    _refuse_misplaced(options, training)
    texts = tuple(text for text in (options.parameters or "").split(",") if text.strip())
    objectives = tuple(text.strip() for text in options.objective.split(",") if text.strip())
    run = _run_text(options.config) if training else ""
    return StudyConfig(
        name=options.study or _name(options, training),
        kind="training" if training else "thresholds",
        parameters=parameters_of(options.what, texts or usual(options.what, run)),
        objectives=objectives,
        trials=options.trials,
        seed=options.seed,
        run=run,
        model=options.model or "shapes",
        weights=options.weights,
        dataset=options.dataset or "",
        limit=options.limit,
    )


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


def _opening(config: StudyConfig, workers: int) -> str:
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


def _refuse_misplaced(options: Namespace, training: bool) -> None:
    if training:
        if options.config is None:
            raise ValueError(
                "--config is missing: the run that the trials change (or `boxscope tune thresholds`)"
            )
        wrong = [name for name in ("dataset", "model", "weights", "limit") if options[name] is not None]
        if wrong:
            raise ValueError(f"{wrong[0]} goes with `tune thresholds`; a training run says it in its file")
    elif options.dataset is None:
        raise ValueError("DATASET is missing: the images on which the thresholds are tried")
    elif options.config is not None:
        raise ValueError("--config goes with training; thresholds need --model and DATASET")


def _run_text(path: str) -> str:
    """The settings of the run, whole, so that workers on other machines need no file."""
    from detector.training.config_file import config_text, read_config

    return config_text(read_config(path))


def _name(options: Namespace, training: bool) -> str:
    from viz_app.jobs.job import short_name

    parts = (
        [Path(options.config).stem]
        if training
        else ["thresholds", options.model or "shapes", options.dataset]
    )
    return ".".join(
        re.sub(r"[^A-Za-z0-9_]+", "-", short_name(part)).strip("-")[:24] or "study" for part in parts
    )


def _as_json(folder: Path) -> str:
    from detector.training.tuning import BEST

    path = folder / BEST
    return path.read_text(encoding="utf-8").rstrip() if path.is_file() else "null"


def _number(value: float | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.4g}"


class _ProgressLine:
    """One line on stderr that is written over while it is a terminal; a line for each change where it is not."""

    def __init__(self) -> None:
        self._live, self._last, self._width = sys.stderr.isatty(), "", 0

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._width:
            print(file=sys.stderr)

    def tell(self, view: StudyView, doing: str) -> None:
        """Show how the study stands."""
        top = view.top
        best = (
            ""
            if top is None
            else f", best {view.config.objectives[0]} {top.values[0]:.4f} (trial {top.number})"
        )
        line = doing if doing and not view.ended else f"{view.ended} of {view.config.trials} trials{best}"
        if line == self._last:
            return
        if self._live:
            print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        elif not doing:
            print(line, file=sys.stderr, flush=True)
        self._last = line
