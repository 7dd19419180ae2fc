"""The subcommand that judges a whole data set: `boxscope diagnose`.

Only names are imported at the top: torch and pandas come when it runs. The table goes to stdout, the progress line
to stderr.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.looking import KNOBS, threshold_options
from viz_app.commands.models import HELP
from viz_app.commands.progress import ProgressLine, stopped_gently, told_that_it_goes_on

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.judging.summary import Summary

_MOST = 8


def diagnose_options(parser: ArgumentParser) -> None:
    """Options of `boxscope diagnose`."""
    parser.add_argument(
        "dataset",
        type=str,
        metavar="DATASET",
        help="COCO, VOC or YOLO folder, COCO JSON file, data.yaml, or shapes:LENGTH[:SEED]",
    )
    parser.add_argument(
        "--model",
        type=str,
        default="shapes",
        help=HELP,
    )
    parser.add_argument(
        "--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out"
    )
    parser.add_argument(
        "--out", type=str, required=True, metavar="DIR", help="folder of the run; a run there is continued"
    )
    parser.add_argument("--limit", type=int, default=None, help="only so many images, from the first one")
    parser.add_argument("--iou", type=float, default=0.5, help="overlap that counts as found; 0.5 by default")
    parser.add_argument("--processes", type=int, default=1, help="how many work at once; 1 by default")
    parser.add_argument(
        "--threads", type=int, default=None, help="CPU threads of each process; what torch takes by default"
    )
    parser.add_argument(
        "--no_remedies", action="store_true", help="look for no remedies, and recommend nothing: quicker"
    )
    parser.add_argument(
        "--no_recommend", action="store_true", help="do not try changes of thresholds on all images: quicker"
    )
    parser.add_argument("--json", action="store_true", help="print summary.json instead of a table")
    threshold_options(parser)


def diagnose(options: Namespace) -> int:
    """Diagnose a data set into a folder, and print what came out."""
    from detector.data.datasets import open_dataset
    from detector.judging.dataset_diagnosis import diagnose_dataset
    from detector.judging.processes import leads
    from detector.tracing.thresholds import Thresholds
    from viz_app.commands.looking import named_detector

    changes = {name: options[name] for name in KNOBS if options[name] is not None}
    # What cannot be is refused before a model is loaded.
    Thresholds().replace(**changes)
    if Path(options.out).is_file():
        raise ValueError(f"{options.out} is a file; --out names the folder of the run")
    dataset = open_dataset(options.dataset)
    detector = named_detector(options.model, options.weights)
    shown = ProgressLine()
    with stopped_gently(), told_that_it_goes_on(), shown:
        diagnosis = diagnose_dataset(
            detector,
            dataset,
            Path(options.out),
            thresholds=Thresholds.from_model(detector.model).replace(**changes),
            iou=options.iou,
            processes=options.processes,
            threads=options.threads,
            remedies=not options.no_remedies,
            recommend=not options.no_recommend,
            limit=options.limit,
            progress=shown.tell,
        )
    if leads():
        text = diagnosis.summary.to_json() if options.json else summary_text(diagnosis.summary)
        print(text, end="" if options.json else "\n")
    return 0


def summary_text(summary: Summary) -> str:
    """The summary as a table for a terminal: where objects were lost, what each rung costs, and what would help."""
    parts = [_head(summary), _waterfall(summary), _false_positives(summary), _advice(summary)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _head(summary: Summary) -> list[str]:
    from viz_app.figures.words import plural

    coco = summary.coco
    averages = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    lines = [
        f"{summary.model} on {summary.dataset}",
        f"{summary.found:,} of {plural(summary.objects, 'object')} found in {plural(summary.images, 'image')} "
        f"(IoU {summary.iou:g}), recall {_share(summary.found, summary.objects)}",
        "  ".join(f"{name} {_number(getattr(coco, name))}" for name in averages),
    ]
    if summary.caution:
        lines.append(summary.caution)
    for problem in summary.problems[:_MOST]:
        lines.append(f"not used: {problem.image}: {problem.message}")
    if len(summary.problems) > _MOST:
        lines.append(f"not used: {len(summary.problems) - _MOST:,} more images (see summary.json)")
    return lines


def _waterfall(summary: Summary) -> list[str]:
    gains = {gain.rung: gain.gain for gain in summary.oracle}
    sizes = summary.by_size
    lines = [
        f"{'lost at':<18} {'objects':>8} {'share':>7} {'AP gain':>8}   " + "  ".join(f"{s:>7}" for s in sizes)
    ]
    for place, fall in enumerate(summary.waterfall):
        if not fall.lost:
            continue
        each = "  ".join(f"{group.waterfall[place].lost:>7,}" for group in sizes.values())
        gain = f"{gains.get(fall.rung, 0.0):+.3f}"
        lines.append(
            f"{fall.rung:<18} {fall.lost:>8,} {_share(fall.lost, summary.objects):>7} {gain:>8}   {each}"
        )
    if len(lines) == 1:
        return ["no object was lost"] if summary.objects else ["the images hold no objects"]
    mechanisms = [f"{name} {count:,}" for name, count in summary.mechanisms.items() if count]
    return [*lines, f"mechanisms: {', '.join(mechanisms)}"]


def _false_positives(summary: Summary) -> list[str]:
    told = [
        f"{name} {share.count:,} ({share.gain:+.3f})" for name, share in summary.tide.items() if share.count
    ]
    return [f"errors by TIDE's types (gain of AP at IoU {summary.iou:g}): {', '.join(told)}"] if told else []


def _advice(summary: Summary) -> list[str]:
    lines = []
    for one in summary.recommendations[:_MOST]:
        lines.append(
            f"{one.field} {one.before:g} -> {one.after:g}: AP {_number(one.AP_before)} -> {_number(one.AP_after)}, "
            f"right ones +{one.came_true:,} -{one.went_true:,}, wrong ones +{one.came_false:,} -{one.went_false:,}"
        )
    if lines:
        lines.insert(0, "changes of one threshold, tried on all images:")
    anchors = summary.anchors
    if anchors is not None and anchors.recall_after > anchors.recall_before:
        levels = ", ".join("/".join(f"{size:g}" for size in level) for level in anchors.sizes)
        ratios = ", ".join(f"{ratio:g}" for ratio in anchors.ratios)
        lines.append(
            f"anchors that would fit {anchors.recall_after:.1%} of the objects instead of "
            f"{anchors.recall_before:.1%}: sizes {levels}; ratios {ratios}"
        )
    return lines


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
