"""The subcommand `boxscope compare`: two models, thresholds or epochs on the same data set, object by object.

Only names are imported at the top: torch comes when it runs. The table goes to stdout, the progress line to stderr.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.evaluate import DATASET, number
from viz_app.commands.evaluations import asked, check_evaluation, folder_of, is_finished_run, make_evaluation
from viz_app.commands.looking import KNOBS
from viz_app.commands.models import HELP

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.judging.comparison_records import ComparedObject, Comparison
    from viz_app.jobs.job import Job

SIDES = ("a", "b")
_MOST = 12


def compare_options(parser: ArgumentParser) -> None:
    """Options of `boxscope compare`."""
    add = parser.add_argument
    add("first", type=str, metavar="A", help=f"{HELP}; or the folder of a finished run")
    add("second", type=str, metavar="B", help="the other one, which may be the same under other thresholds")
    add(
        "dataset", type=str, nargs="?", default=None, metavar="DATASET",
        help=f"{DATASET}; not needed where A and B are folders of finished runs",
    )  # fmt: skip
    add(
        "--out", type=str, default=None, metavar="DIR",
        help="folder for both runs and the comparison, what is there goes on; the workspace by default",
    )  # fmt: skip
    add("--limit", type=int, default=None, help="only so many images, from the first one")
    add("--iou", type=float, default=0.5, help="overlap that counts as found; 0.5 by default")
    add("--resamples", type=int, default=1000, help="draws of the bootstrap; 1000 by default")
    add("--seed", type=int, default=0, help="of the draws; 0 by default")
    add("--json", action="store_true", help="print JSON instead of a table")
    for side in SIDES:
        for name, (kind, meaning) in KNOBS.items():
            add(f"--{side}.{name}", type=kind, default=None, help=f"of {side.upper()}: {meaning}")


def compare(options: Namespace) -> int:
    """Evaluate both sides, where that is not done yet, and print what changed from A to B."""
    from detector.data.sealed import replace_file
    from detector.judging.comparison import compare as compare_runs
    from detector.judging.evaluation_json import comparison_json

    if options.resamples < 1:
        raise ValueError(f"--resamples is {options.resamples}; expected 1 or more")
    texts = zip(SIDES, (options.first, options.second), strict=True)
    sides = [_side(options, side, text) for side, text in texts]
    for side in sides:  # both, before the first one takes its time
        side.check()
    folders = [side.make() for side in sides]
    found = compare_runs(*folders, resamples=options.resamples, seed=options.seed)
    text = comparison_json(found)
    if options.out is not None:
        Path(options.out).mkdir(parents=True, exist_ok=True)
        replace_file(Path(options.out) / "comparison.json", text.encode())
    print(text if options.json else comparison_text(found), end="" if options.json else "\n")
    return 0


@dataclass(frozen=True, slots=True)
class _Side:
    """One side: the folder of its finished run, and how to make that; None for one that is there already."""

    folder: Path
    job: Job | None = None

    def check(self) -> None:
        if self.job is not None:
            check_evaluation(self.job, self.folder)

    def make(self) -> Path:
        if self.job is not None:
            make_evaluation(self.job, self.folder)
        return self.folder


def _side(options: Namespace, side: str, text: str) -> _Side:
    knobs = {name: options[f"{side}.{name}"] for name in KNOBS}
    changes = {name: value for name, value in knobs.items() if value is not None}
    if is_finished_run(Path(text)):
        if changes:
            raise ValueError(f"--{side}.{next(iter(changes))} goes with a model; {text} is a finished run")
        return _Side(Path(text))
    if options.dataset is None:
        raise ValueError(
            f"{text} is no folder of a finished run, name the data set: boxscope compare A B DATASET"
        )
    job = asked(options, options.dataset, text, changes)
    out = folder_of(job) if options.out is None else Path(options.out) / side
    return _Side(out, job)


def comparison_text(found: Comparison) -> str:
    """A comparison as tables for a terminal."""
    blocks = [_head(found), _changes(found), _moves(found), _listed(found)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _head(found: Comparison) -> list[str]:
    lines = [f"A: {found.a}", f"B: {found.b}", f"on {found.dataset}"]
    averages = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    lines.append(f"{'':<4}" + "  ".join(f"{name:>9}" for name in averages))
    for side, told in zip("AB", (found.evaluation_a, found.evaluation_b), strict=True):
        lines.append(f"{side:<4}" + "  ".join(f"{number(told.statistics[name]):>9}" for name in averages))
    lines.append(_interval(found))
    if found.left_out:
        lines.append(f"left out: {found.left_out:,} images that one of the two could not use")
    return lines


def _interval(found: Comparison) -> str:
    interval = found.interval
    if found.difference is None or interval.low is None or interval.high is None:
        return "the images hold no objects: there is no AP to compare"
    sure = "more than chance" if interval.is_sure else "may be chance: the interval holds 0"
    return (
        f"AP of B minus A: {found.difference:+.4f}, {interval.confidence:.0%} interval {interval.low:+.4f} to "
        f"{interval.high:+.4f} ({interval.resamples:,} draws of the images), {sure}"
    )


def _changes(found: Comparison) -> list[str]:
    from detector.judging.comparison_records import Change

    counts = ", ".join(f"{change.value} {found.count(change):,}" for change in Change)
    return [
        f"objects: {counts}",
        f"false positives: {found.false_positives_a:,} -> {found.false_positives_b:,}",
    ]


def _moves(found: Comparison) -> list[str]:
    """Where objects went from and to; those that stayed on their rung are left out."""
    from detector.explaining.rungs import Rung

    moves = [
        (int(found.transitions[a, b]), a.name, b.name)
        for a in Rung
        for b in Rung
        if a is not b and found.transitions[a, b]
    ]
    moves.sort(key=lambda move: -move[0])
    lines = [f"{count:>7,}  {before} -> {after}" for count, before, after in moves[:_MOST]]
    return ["objects that changed their rung:", *lines] if lines else ["every object is where it was"]


def _listed(found: Comparison) -> list[str]:
    from detector.judging.comparison_records import Change

    lines = []
    for change in (Change.LOST, Change.GAINED):
        those = [one for one in found.objects if one.change is change]
        if those:
            lines += [f"{change.value}:", *(_line(one) for one in those[:_MOST])]
            lines += [f"  and {len(those) - _MOST:,} more (--json lists them)"] if len(those) > _MOST else []
    return lines


def _line(one: ComparedObject) -> str:
    lost, score = (one.rung_a, one.score_b) if one.score_b is not None else (one.rung_b, one.score_a)
    told = f"  {one.image} #{one.object} {one.category} ({one.size})"
    return f"{told}: score {number(score)}, otherwise lost at {lost}"
