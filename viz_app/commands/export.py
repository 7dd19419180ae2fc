"""The subcommand `boxscope export`: COCO results, tables and annotated pictures of a run or of a data set.

Only names are imported at the top: torch comes when it runs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.evaluate import DATASET
from viz_app.commands.evaluations import run_of
from viz_app.commands.looking import threshold_options
from viz_app.commands.models import HELP

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.data.coco_export import AnnotatedImages
    from detector.judging.kept_run import KeptRun

WHAT = ("coco", "tables", "pictures")
FORMATS = ("csv", "parquet")


def export_options(parser: ArgumentParser) -> None:
    """Options of `boxscope export`."""
    add = parser.add_argument
    add(
        "subject", type=str, metavar="SUBJECT",
        help=f"folder of a finished evaluation or diagnosis, or a data set ({DATASET})",
    )  # fmt: skip
    add("--out", type=str, required=True, metavar="DIR", help="folder for the files")
    add("--what", type=str, default=",".join(WHAT), help="coco, tables, pictures; all three by default")
    add("--format", choices=FORMATS, default="csv", help="of the tables; csv by default")
    add(
        "--pictures",
        type=int,
        default=None,
        help="how many pictures, from the first image on; all by default",
    )
    add("--dataset", type=str, default=None, help="of a finished run: where its data set lies now")
    add("--model", type=str, default=None, help=f"of a data set: {HELP}")
    add("--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out")
    add("--limit", type=int, default=None, help="of a data set: only so many images, from the first one")
    add("--iou", type=float, default=0.5, help="of a data set: overlap that counts as found; 0.5 by default")
    threshold_options(parser)


def export(options: Namespace) -> int:
    """Write what is wanted, and print each file or folder."""
    from detector.data.datasets import open_dataset
    from detector.judging.coco_results import refuse_another
    from detector.judging.kept_run import read_run

    what = wanted(options.what)
    if options.pictures is not None and options.pictures < 1:
        raise ValueError(f"--pictures is {options.pictures}; expected 1 or more")
    out = Path(options.out)
    if out.is_file():
        raise ValueError(f"{out} is a file; --out names a folder")
    folder, source = run_of(options)
    run = read_run(folder)
    dataset = open_dataset(source or run.summary.dataset) if {"coco", "pictures"} & set(what) else None
    if dataset is not None:
        refuse_another(run, dataset)
    out.mkdir(parents=True, exist_ok=True)
    for kind in what:
        _WRITERS[kind](run, dataset, out, options)
    return 0


def wanted(text: str) -> tuple[str, ...]:
    """The kinds that a text names, in their order.

    Raises:
        ValueError: another word, or none.
    """
    words = {word.strip() for word in text.split(",") if word.strip()}
    if not words or words - set(WHAT):
        raise ValueError(f"--what is {text!r}; expected {', '.join(WHAT)}, or some of them")
    return tuple(kind for kind in WHAT if kind in words)


def _coco(run: KeptRun, dataset: AnnotatedImages, out: Path, options: Namespace) -> None:
    from detector.data.sealed import replace_file
    from detector.judging.coco_results import coco_results_of

    del options
    results = coco_results_of(run, dataset)
    replace_file(out / "results.json", results.text.encode())
    print(out / "results.json")
    if not results.detections:
        _tell(
            "there are no detections; the file holds one placeholder of score 0, for loadRes refuses an empty list"
        )
    if results.left_out:
        _tell(f"{results.left_out:,} detections are of categories that the data set has no id for: left out")


def _tables(run: KeptRun, dataset: AnnotatedImages | None, out: Path, options: Namespace) -> None:
    from detector.data.sealed import replace_file
    from detector.judging.evaluation import evaluation_of
    from detector.judging.exports import table_bytes, tables_of

    del dataset
    (out / "tables").mkdir(exist_ok=True)
    for name, table in tables_of(run, evaluation_of(run.folder)).items():
        replace_file(out / "tables" / f"{name}.{options.format}", table_bytes(table, options.format))
    print(out / "tables")


def _pictures(run: KeptRun, dataset: AnnotatedImages, out: Path, options: Namespace) -> None:
    from viz_app.annotated import write_pictures

    (out / "pictures").mkdir(exist_ok=True)
    write_pictures(run, dataset, out / "pictures", options.pictures)
    print(out / "pictures")


def _tell(sentence: str) -> None:
    print(f"boxscope: {sentence}", file=sys.stderr)


_WRITERS = {"coco": _coco, "tables": _tables, "pictures": _pictures}
