"""The subcommand `boxscope evaluate`: a detector on a data set in COCO's numbers, by class, size and image.

Only names are imported at the top: torch comes when it runs. The table goes to stdout, the progress line to stderr.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from viz_app.commands.evaluations import asked, folder_of, make_evaluation
from viz_app.commands.looking import KNOBS, threshold_options
from viz_app.commands.models import HELP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonargparse import ArgumentParser, Namespace

    from detector.judging.evaluation_records import CategoryScore, Evaluation, ImageScore

DATASET = "COCO folder or JSON file, Pascal VOC or YOLO folder, or shapes:LENGTH[:SEED]"
_MOST, _WORST = 40, 5


def evaluate_options(parser: ArgumentParser) -> None:
    """Options of `boxscope evaluate`."""
    add = parser.add_argument
    add("dataset", type=str, metavar="DATASET", help=DATASET)
    add("--model", type=str, default="shapes", help=HELP)
    add("--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out")
    add(
        "--out", type=str, default=None, metavar="DIR",
        help="folder of the run, one that is there goes on; in the workspace by default, where the app shows it",
    )  # fmt: skip
    add("--limit", type=int, default=None, help="only so many images, from the first one")
    add("--iou", type=float, default=0.5, help="overlap that counts as found; 0.5 by default")
    add(
        "--losses",
        action="store_true",
        help="also what each image costs in training: a forward more for each",
    )
    add("--json", action="store_true", help="print JSON instead of a table")
    threshold_options(parser)


def evaluate(options: Namespace) -> int:
    """Evaluate, write `evaluation.json` beside the rest of the run, and print what came out."""
    from detector.data.sealed import replace_file
    from detector.judging.evaluation_json import evaluation_json

    job = asked(options, options.dataset, options.model, {name: options[name] for name in KNOBS})
    out = folder_of(job) if options.out is None else Path(options.out)
    evaluation = make_evaluation(job, out, losses=options.losses)
    text = evaluation_json(evaluation)
    replace_file(out / "evaluation.json", text.encode())
    print(text if options.json else f"{evaluation_text(evaluation)}\n\nkept in {out}\n", end="")
    return 0


def evaluation_text(evaluation: Evaluation) -> str:
    """An evaluation as tables for a terminal."""
    from viz_app.commands.diagnose import summary_text

    blocks = [
        summary_text(evaluation.summary), _recalls(evaluation), _categories(evaluation.by_category),
        _calibration(evaluation), _confused(evaluation), _worst(evaluation.images),
    ]  # fmt: skip
    return "\n\n".join(block for block in blocks if block)


def number(value: float | None) -> str:
    """Three decimals, or a dash where there is nothing to average over."""
    return "-" if value is None else f"{value:.3f}"


def _recalls(evaluation: Evaluation) -> str:
    names = [name for name in evaluation.statistics if name.startswith("AR")]
    return "  ".join(f"{name} {number(evaluation.statistics[name])}" for name in names)


def _categories(scores: Mapping[str, CategoryScore]) -> str:
    """The lowest AP first; those without objects are counted."""
    shown = [(name, one) for name, one in scores.items() if one.objects]
    shown.sort(key=lambda item: item[1].AP or 0.0)
    wide = max([len(name) for name, _ in shown[:_MOST]] + [8])
    fields = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    lines = [
        f"{'category':<{wide}} {'objects':>8} {'found as':>8}  " + " ".join(f"{name:>9}" for name in fields)
    ]
    for name, one in shown[:_MOST]:
        values = " ".join(f"{number(getattr(one, each)):>9}" for each in fields)
        lines.append(f"{name:<{wide}} {one.objects:>8,} {one.detections:>8,}  {values}")
    rest, none = len(shown) - _MOST, len(scores) - len(shown)
    lines += [f"and {rest:,} categories of higher AP"] if rest > 0 else []
    lines += [f"without objects: {none:,} categories"] if none else []
    return "\n".join(lines) if shown else ""


def _calibration(evaluation: Evaluation) -> str:
    told = evaluation.calibration
    if told.ECE is None:
        return "no detections: nothing to calibrate"
    from viz_app.figures.words import plural

    return (
        f"scores are off by {told.ECE:.3f} on average (ECE over {plural(told.count, 'detection')}, true from "
        f"IoU {told.iou:g} on), by {number(told.MCE)} in the worst of {len(told.bins)} bins"
    )


def _confused(evaluation: Evaluation) -> str:
    """The categories that are taken for another most often."""
    matrix = evaluation.confusion
    pairs = [
        (int(matrix.counts[row, column]), matrix.categories[row], matrix.categories[column])
        for row, column in zip(*matrix.counts[1:, 1:].nonzero(), strict=True)
        for row, column in [(row + 1, column + 1)]
        if row != column
    ]
    pairs.sort(key=lambda pair: -pair[0])
    said = ", ".join(f"{true} as {found} {count:,}" for count, true, found in pairs[:_WORST])
    about = f"at score {matrix.score:g} and IoU {matrix.iou:g}"
    return f"most often confused, {about}: {said}" if said else f"no category is taken for another, {about}"


def _worst(images: Sequence[ImageScore]) -> str:
    from detector.judging.image_scores import worst_by_ap, worst_by_loss
    from viz_app.figures.words import plural

    lines = [
        f"{one.image}: AP {number(one.AP)}, {one.found:,} of {plural(one.objects, 'object')} found, "
        f"{plural(one.false_positives, 'false positive')}"
        for one in worst_by_ap(images)[:_WORST]
    ]
    lines = ["lowest AP by itself:", *lines] if lines else []
    by_loss = [f"{one.image}: {number(one.loss)}" for one in worst_by_loss(images)[:_WORST]]
    lines += ["highest loss:", *by_loss] if by_loss else []
    return "\n".join(lines)
