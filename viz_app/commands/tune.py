"""The subcommand that looks for better settings: `boxscope tune`.

Only names are imported at the top: torch and Optuna come when it runs. The table goes to stdout, the progress line
to stderr.
"""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.progress import stopped_gently
from viz_app.commands.tune_text import StudyProgress, opening_words, study_text

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.training.tuning import StudyConfig

_WHAT = ("training", "thresholds")


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
    if options.out:
        _refuse_foreign(folder)
    line = StudyProgress()
    print(opening_words(config, team.workers), file=sys.stderr)
    was_there = folder.exists()
    try:
        with stopped_gently(), line:
            view = conduct(config, folder, options.storage, team=team, progress=line.tell_study)
    except KeyboardInterrupt:
        print("boxscope: stopped; the same command goes on from here", file=sys.stderr)
        raise
    except (ValueError, OSError):
        if not was_there:
            _leave_nothing(folder)
        raise
    print(_as_json(folder) if options.json else study_text(view, folder))
    return 0


def _refuse_foreign(folder: Path) -> None:
    """Refuse to spread a study among somebody's other files, as `--out .` would."""
    from detector.training.tuning import STUDY

    if folder.is_dir() and not (folder / STUDY).exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: there is something already; expected a new or empty folder")


def _leave_nothing(folder: Path) -> None:
    """Take away a study that ended before its first trial, such as one over a data set that is not there.

    One in a database of its own stays: others may have begun to work on it.
    """
    from detector.training.tuning_launch import look_at

    with suppress(ValueError, OSError):
        if (folder / "study.db").is_file() and not look_at(folder).trials:
            shutil.rmtree(folder)


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
    study = StudyConfig(
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
    _open_data(study)
    return study


def _open_data(study: StudyConfig) -> None:
    """Data that cannot be used are refused here, not by each worker in its turn."""
    from detector.data.datasets import open_dataset
    from detector.training.tuning_settings import base_of

    data = base_of(study).data if study.run else None
    for source in (study.dataset,) if data is None else (data.train, data.val):
        open_dataset(source)


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
