"""The subcommands that look after trainings: `boxscope runs`, `boxscope stop`, `boxscope resume`.

Only names are imported at the top: what trains comes when it runs. Tables go to stdout, words to stderr.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viz_app.commands.training_progress import followed, in_one_sentence, tell

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.training.metrics_log import EpochRow
    from detector.training.run_directory import Run

_STOPPED = 130
_HEAD = ("name", "state", "epoch", "step", "AP", "time left")


def runs_options(parser: ArgumentParser) -> None:
    """Options of `boxscope runs`."""
    parser.add_argument(
        "folder", type=str, nargs="?", default=None, metavar="FOLDER",
        help="whose runs are listed; the workspace's by default",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, for a machine to read")


def stop_options(parser: ArgumentParser) -> None:
    """Options of `boxscope stop`."""
    _run_argument(parser)


def resume_options(parser: ArgumentParser) -> None:
    """Options of `boxscope resume`."""
    _run_argument(parser)


def _run_argument(parser: ArgumentParser) -> None:
    parser.add_argument("run", type=str, metavar="RUN", help="name of a run in the workspace, or its folder")


def run_folder(text: str) -> Path:
    """The folder of a run: a bare name is one in the workspace, anything else is the folder itself."""
    from viz_app.jobs.workspace import is_name, runs_folder

    return runs_folder() / text if is_name(text) else Path(text)


def runs(options: Namespace) -> int:
    """Print how each run stands; status 0 also where there is none."""
    from detector.training.run_directory import runs_in
    from viz_app.jobs.workspace import runs_folder

    folder = runs_folder() if options.folder is None else Path(options.folder)
    if options.folder is not None and not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    found = runs_in(folder)
    if options.json:
        print(json.dumps([run_as_json(run) for run in found], indent=2))
    else:
        print(runs_table(found) if found else f"no runs in {folder}")
    return 0


def run_as_json(run: Run) -> dict[str, Any]:
    """A run for a machine: its name, folder, and all that its status says."""
    status = None if run.status is None else asdict(run.status)
    return {"name": run.name, "folder": str(run.folder), "status": status, "problem": run.problem}


def runs_table(found: list[Run]) -> str:
    """A line for each run, and below it why it ended where there is something to say."""
    rows = [_HEAD, *(_cells(run) for run in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = []
    for run, row in zip([None, *found], rows, strict=True):
        padded = (f"{cell:<{width}}" if place < 2 else f"{cell:>{width}}"
                  for place, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        lines.append("  ".join(padded).rstrip())
        message = "" if run is None else run.problem or (run.status.message if run.status else "")
        lines += [f"    {message}"] if message else []
    return "\n".join(lines)


def _cells(run: Run) -> tuple[str, ...]:
    from detector.judging.status import duration

    status = run.status
    if status is None:
        return run.name, "unreadable" if run.problem else "not begun", "-", "-", "-", "-"
    left = "-" if status.seconds_left is None or not status.is_alive else duration(status.seconds_left)
    epoch = min(status.epoch + 1, status.epochs) if status.step else 0
    step = f"{status.step:,} of {status.steps:,}" if status.steps else "-"
    average = "-" if status.AP is None else f"{status.AP:.3f}"
    return run.name, status.state.value, f"{epoch} of {status.epochs}", step, average, left


def stop(options: Namespace) -> int:
    """Ask a run to stop; it ends after its present batch."""
    from detector.training.stopping import request_stop

    folder = run_folder(options.run)
    status = request_stop(folder)
    when = "leaves the queue" if status.state.value == "queued" else "stops after its present batch"
    print(f"{folder.name} {when}; `boxscope resume` goes on from there", file=sys.stderr)
    return 0


def resume(options: Namespace) -> int:
    """Go on with a run from its last checkpoint, here and now; under `torchrun` with all of its processes."""
    from detector.training.config_file import read_config
    from detector.training.fit import fit
    from detector.training.run_directory import RunDirectory, run_at
    from detector.training.run_status import RunState
    from detector.training.stopping import RunStopped
    from detector.training.trainer import is_leader

    directory = RunDirectory(run_folder(options.run))
    if not directory.config.is_file():
        raise ValueError(f"{directory.folder} holds no run (there is no config.yaml)")
    status = run_at(directory.folder).status
    if status is not None and status.state is RunState.DONE:
        raise ValueError(f"{directory.name} is done: there is nothing to go on with")
    on_epoch = _tell if is_leader() else None
    config = read_config(directory.config)
    try:
        with in_one_sentence(directory.folder), followed(directory.folder) if is_leader() else nullcontext():
            best = fit(config, directory.folder, resume=True, on_epoch=on_epoch)
    except (RunStopped, KeyboardInterrupt) as stopped:
        if is_leader():
            said = f"{str(stopped) or 'it was interrupted'}; `boxscope resume {options.run}` goes on"
            print(f"boxscope: {said}", file=sys.stderr)
        return _STOPPED
    if is_leader():
        print("no epoch was validated" if best is None else f"best: {_line(best)}", directory.best, sep="\n")
    return 0


def _tell(row: EpochRow) -> None:
    tell(row)


def _line(row: EpochRow) -> str:
    from detector.training.epoch_work import line_of

    return line_of(row)
