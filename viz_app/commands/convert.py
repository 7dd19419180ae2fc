"""The subcommand `boxscope convert`: a data set written as COCO, Pascal VOC or YOLO.

Only names are imported at the top: torch comes when the subcommand runs. What got lost is said on stdout.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from viz_app.commands.progress import counted

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.data.conversion import Conversion


def convert_options(parser: ArgumentParser) -> None:
    """Options of `boxscope convert`."""
    parser.add_argument(
        "dataset", type=str, metavar="DATASET",
        help="COCO, VOC or YOLO folder, COCO JSON file, data.yaml, or shapes:LENGTH[:SEED]",
    )  # fmt: skip
    parser.add_argument("--to", type=str, required=True, metavar="KIND", help="coco, voc or yolo")
    parser.add_argument(
        "--out", type=str, required=True, metavar="DIR", help="the new folder; it must not exist, or be empty"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for a machine to read")


def convert(options: Namespace) -> int:
    """Write the data set, and say what was written and what got lost."""
    from detector.data.conversion import convert as converted
    from detector.data.datasets import open_dataset
    from detector.data.recognition import Kind

    # What cannot be is refused before a data set is read.
    if options.to not in tuple(Kind):
        raise ValueError(f"--to is {options.to!r}; expected {', '.join(Kind)}")
    done = converted(open_dataset(options.dataset), options.to, options.out, progress=counted("wrote"))
    print(json.dumps({**asdict(done), "folder": str(done.folder)}, indent=2) if options.json else _text(done))
    return 0


def _text(done: Conversion) -> str:
    from viz_app.figures.words import plural

    counts = f"{plural(done.images, 'image')}, {plural(done.objects, 'object')}"
    head = f"{done.folder}: {counts}, written as {done.kind}"
    return "\n".join([head, *(f"  note: {note}" for note in done.notes)])
