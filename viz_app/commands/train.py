"""The subcommand that trains a detector: `boxscope train`.

Every setting of `config.yaml` is an option, too: `--recipe.lr 1e-4`. They are read off the records of a run, which
bring torch; so the options are only made where this subcommand is asked for.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz_app.commands.training_progress import followed, in_one_sentence, tell, tell_begin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonargparse import ArgumentParser, Namespace

    from detector.training.metrics_log import EpochRow
    from detector.training.settings import Setting

_STOPPED = 130
_SECTIONS = {
    "model": "what is trained",
    "data": "on what",
    "recipe": "how the weights are moved",
    "trainer": "where it runs",
    "": "the run",
}
_OUT = "BOXSCOPE_TRAIN_OUT"
"""The generated folder of a run, for the further processes that this one starts with the same arguments."""
_STARTED_OUTSIDE = ("WORLD_SIZE", "SLURM_NTASKS")
"""Where `torchrun` and SLURM say how many processes they have started."""


def train_options(parser: ArgumentParser) -> None:
    """Options of `boxscope train`: a file of settings, and every setting by its dotted name."""
    from detector.training.settings import settings

    parser.add_argument(
        "--config", type=str, default=None, metavar="FILE",
        help="settings of the run (YAML), such as another run's config.yaml; what is left out has its default",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=str, default=None, metavar="DIR",
        help="folder of the run, new or empty; a new one in the workspace by default",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the best epoch as JSON")
    parser.usage = "boxscope train [--config FILE] [--out DIR] [--json] [--SETTING VALUE ...]"
    groups = {}
    for one in settings():
        group = groups.get(section := _section(one.key))
        if group is None:
            group = groups[section] = parser.add_argument_group(section)
        group.add_argument(
            f"--{one.key}", type=str, default=None, metavar=one.words,
            help=_help(one),
        )  # fmt: skip


def train(options: Namespace) -> int:
    """Train a detector, and say where it lies."""
    from detector.training.config import RunConfig
    from detector.training.config_file import changed, read_config
    from detector.training.fit import fit
    from detector.training.settings import settings
    from detector.training.stopping import RunStopped
    from detector.training.trainer import is_leader

    given = {one.key: options[one.key] for one in settings()}
    changes = {key: text for key, text in given.items() if text is not None}
    config = RunConfig() if options.config is None else read_config(options.config)
    config = changed(config, changes)
    with _folder(options.out, config.model.source) as folder:
        if is_leader():
            _refuse_foreign(folder)
        try:
            with (
                in_one_sentence(folder),
                _begun_or_gone(folder),
                followed(folder) if is_leader() else nullcontext(),
            ):
                told = (_tell, lambda: tell_begin(folder)) if is_leader() else (None, None)
                best = fit(config, folder, on_epoch=told[0], on_begin=told[1])
        except (RunStopped, KeyboardInterrupt) as stop:
            if is_leader():
                said = str(stop) or "it was interrupted"
                print(f"boxscope: {said}; {_way_on(folder, options.out)}", file=sys.stderr)
            return _STOPPED
    if is_leader():
        print(_as_json(best, folder) if options.json else _in_words(best, folder))
    return 0


def _refuse_foreign(folder: Path) -> None:
    """Refuse to spread a run among somebody's other files, as `--out .` would; other runs are refused elsewhere."""
    from detector.training.run_directory import CONFIG
    from detector.training.run_status import read_status

    if not folder.is_dir() or (folder / CONFIG).is_file():
        return
    with suppress(ValueError):  # a diagnosis keeps a status.json of its own
        if read_status(folder) is not None:
            return
    if any(folder.iterdir()):
        raise ValueError(f"{folder}: there is something already; expected a new or empty folder")


@contextmanager
def _begun_or_gone(folder: Path) -> Iterator[None]:
    """A run that ends before it has measured anything leaves no folder, unless that was there before.

    The folder of a run that the app has launched was: there it says why the run failed.
    """
    from detector.training.keeping import discard_unbegun
    from detector.training.run_directory import RunDirectory
    from detector.training.stopping import RunStopped
    from detector.training.trainer import is_leader

    was_there = folder.exists()
    try:
        yield
    except (RunStopped, KeyboardInterrupt, ValueError, TypeError, OSError):
        if not was_there and is_leader():
            discard_unbegun(RunDirectory(folder))
        raise


def _way_on(folder: Path, out: str | None) -> str:
    from detector.training.run_directory import RunDirectory

    if RunDirectory(folder).resume.is_file():
        return f"`boxscope resume {out or folder.name}` goes on"
    return "nothing was saved: `boxscope train` begins anew"


@contextmanager
def _folder(out: str | None, model: str) -> Iterator[Path]:
    """Where the run lies: as asked for, else a new folder in the workspace, the same for all of its processes.

    Raises:
        ValueError: processes that were started from outside cannot agree on a new name.
    """
    from viz_app.jobs.launching import free_name
    from viz_app.jobs.workspace import runs_folder

    if out is not None or _OUT in os.environ:
        yield Path(out or os.environ[_OUT])
        return
    if any(int(os.environ.get(name, "1")) > 1 for name in _STARTED_OUTSIDE):
        raise ValueError("several processes train together; --out DIR tells them all where")
    folder = runs_folder() / free_name(model)
    os.environ[_OUT] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop(_OUT, None)


def _tell(row: EpochRow) -> None:
    tell(row)


def _in_words(best: EpochRow | None, folder: Path) -> str:
    from detector.training.epoch_work import line_of
    from detector.training.run_directory import RunDirectory

    said = "no epoch was validated" if best is None else f"best: {line_of(best)}"
    return f"{said}\n{RunDirectory(folder).best}"


def _as_json(best: EpochRow | None, folder: Path) -> str:
    from detector.training.run_directory import RunDirectory

    found: dict[str, Any] = {} if best is None else asdict(best)
    return json.dumps(
        {"run": str(folder), "checkpoint": str(RunDirectory(folder).best), "best": found}, indent=2
    )


def _section(key: str) -> str:
    """Under which heading of the help a setting stands."""
    return _SECTIONS.get(key.partition(".")[0], _SECTIONS[""])


def _help(one: Setting) -> str:
    """What a setting means and its default, as one would write them."""
    said = re.sub(r"\bNone\b", "null", one.meaning).replace("%", "%%")
    if one.default is None and "left out" in said:
        return said
    return f"{said}; {json.dumps(one.default)} by default"
