"""The subcommand `boxscope report`: one HTML file of an image or of a data set, which needs no network.

Only names are imported at the top: torch comes when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.evaluations import run_of
from viz_app.commands.looking import chosen_replay, threshold_options
from viz_app.commands.models import HELP

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

_DATA = (".json", ".yaml", ".yml", ".txt")


def report_options(parser: ArgumentParser) -> None:
    """Options of `boxscope report`."""
    add = parser.add_argument
    add(
        "subject", type=str, metavar="SUBJECT",
        help="image file, name of a bundled scene such as scene_00, .trace file, data set (folder, file, or "
        "shapes:LENGTH[:SEED]), or folder of a finished evaluation or diagnosis",
    )  # fmt: skip
    add("--out", type=str, required=True, metavar="FILE", help="file to write, FILE.html")
    add("--model", type=str, default=None, help=HELP)
    add("--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out")
    add("--target", type=str, default=None, metavar="FILE", help="of an image: COCO annotations that name it")
    add("--dataset", type=str, default=None, help="of a finished run: where its data set lies now")
    add("--limit", type=int, default=None, help="of a data set: only so many images, from the first one")
    add("--most", type=int, default=60, help="of a data set: lost objects that are shown; 60 by default")
    add("--iou", type=float, default=0.5, help="overlap that counts as found; 0.5 by default")
    threshold_options(parser)


def report(options: Namespace) -> int:
    """Write the report, and print where it lies."""
    from viz_app.report import check_report, save_report

    target = check_report(options.out)
    if options.most < 1:
        raise ValueError(f"--most is {options.most}; expected 1 or more")
    if not 0 < options.iou <= 1:
        raise ValueError(f"--iou is {options.iou:g}; expected a number above 0 and up to 1")
    print(save_report(_dataset(options) if is_dataset(options.subject) else _image(options), target))
    return 0


def is_dataset(subject: str) -> bool:
    """Whether a text names a data set or a finished run; anything else is an image."""
    path = Path(subject)
    return subject.startswith("shapes:") or path.is_dir() or path.suffix.lower() in _DATA


def _image(options: Namespace) -> str:
    from detector.explaining.ladder import diagnose
    from viz_app.report import image_report

    _refuse(options, "a data set", "dataset", "limit")
    asked = options.clone()
    asked["image"] = options.subject
    replayer, replay = chosen_replay(asked)
    truth = replayer.trace.ground_truth
    return image_report(replayer, replay, None if truth is None else diagnose(replay, truth, options.iou))


def _dataset(options: Namespace) -> str:
    from viz_app.report import dataset_report

    _refuse(options, "an image", "target")
    return dataset_report(*run_of(options), most=options.most)


def _refuse(options: Namespace, kind: str, *names: str) -> None:
    for name in names:
        if options[name] is not None:
            raise ValueError(f"--{name} goes with {kind}; {options.subject} is none")
