"""How the numbers of an evaluation are computed: formulas with this data set's own numbers, and their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viz_app.figures.calibration import worst_bin
from viz_app.figures.words import latex_count, plural

if TYPE_CHECKING:
    from detector.judging.comparison_records import Comparison
    from detector.judging.evaluation_records import Confusion, Evaluation

_COCO = "Lin et al. 2014, *Microsoft COCO*; the numbers are those of pycocotools."


def precision_recall_text(evaluation: Evaluation, iou: float) -> str:
    """D5."""
    mean = evaluation.curves.at(iou).mean()
    return (
        "The detections of a class, of all images, stand by falling score. Each takes the free object of its "
        f"class that it overlaps most, if the IoU is at least {iou:.2f}: then it is true, else false. After each "
        "of them\n\n"
        r"$$\text{precision}=\frac{\text{true}}{\text{true}+\text{false}}\qquad"
        r"\text{recall}=\frac{\text{true}}{\text{objects}}$$"
        "\n\nThe curve is the best precision at a recall or further on, at 101 recalls; AP is its mean. The mean "
        f"of the classes is {mean:.3f} here. A curve ends where the thresholds let no more detections through."
        f"\n\n{_COCO}"
    )


def average_precision_text(evaluation: Evaluation) -> str:
    """D9, with the other six of COCO's numbers."""
    recalls = {name: value for name, value in evaluation.statistics.items() if name.startswith("AR")}
    heads = " | ".join(name.replace("_", " ") for name in recalls)
    values = " | ".join("–" if value is None else f"{value:.3f}" for value in recalls.values())
    return (
        r"$$\text{AP}=\frac{1}{10}\sum_{t\in\{.50,.55,\dots,.95\}}\text{AP}_t$$"
        "\n\nThe row of all is the mean over classes. Small: under 32² px, large: from 96² px on, by the object's "
        "area in the image frame; objects of other sizes, and what is found of them, are left out of a size. A "
        "number on few objects says little: the pointer tells how many.\n\nThe other half of COCO's twelve "
        "numbers is average recall, with 1, 10 and 100 detections of an image, and by size:"
        f"\n\n| {heads} |\n|{'---|' * len(recalls)}\n| {values} |\n\n{_COCO}"
    )


def confusion_text(confusion: Confusion) -> str:
    """D6."""
    counts = confusion.counts
    return (
        f"Detections of a score of at least {confusion.score:g} are matched to objects **whatever their class "
        "is**: the surest first, each takes the free object that it overlaps most, from an IoU of "
        f"{confusion.iou:g} on. An object and the detection it got are one entry. "
        f"{plural(int(counts[1:, 0].sum()), 'object')} without a detection stand in the last column, "
        f"{plural(int(counts[0].sum()), 'detection')} without an object in the last row. Shades are shares of a "
        "row. COCO's own matching looks at one class at a time and cannot confuse two, so these counts differ a "
        "little from the others on this page."
    )


def calibration_text(evaluation: Evaluation) -> str:
    """D7."""
    calibration = evaluation.calibration
    worst = worst_bin(calibration)
    own = ""
    if worst is not None and worst.accuracy is not None:
        gap = abs(worst.confidence - worst.accuracy)
        own = (
            f"\n\nThe bin that is furthest off holds {worst.count:,} of {calibration.count:,} detections; its gap "
            f"of {gap:.3f} adds {gap * worst.count / calibration.count:.3f}."
        )
    return (
        "Detections are sorted into ten bins by their score $s$; in each, the mean score stands against the share "
        "of true ones:\n\n"
        rf"$$\text{{ECE}}=\sum_{{b=1}}^{{10}}\frac{{n_b}}{{{latex_count(calibration.count)}}}"
        r"\left|\overline{s}_b-\frac{\text{true}_b}{n_b}\right|$$"
        f"{own}\n\nTrue is what COCO matches at IoU {calibration.iou:g}. Detections under the score threshold "
        f"({evaluation.thresholds.box_score:g}) are not there, nor are missed objects.\n\nGuo et al. 2017, *On "
        "Calibration of Modern Neural Networks*; for detectors Küppers et al. 2020, *Multivariate Confidence "
        "Calibration for Object Detection*."
    )


IMAGES_TEXT = (
    "The AP of an image is COCO's, of a data set of this one image: the mean over ten IoUs and over the classes "
    "that have objects on it. A false detection of a class without objects there does not lower it; its count "
    "stands beside it. Images without objects have no AP. The loss, where a run computed it, is what a training "
    "step on the image alone would pay."
)


def difference_text(comparison: Comparison) -> str:
    """How the interval of a comparison comes about."""
    interval = comparison.interval
    share = "" if interval.b_better is None else f" B was ahead in {interval.b_better:.1%} of the draws."
    return (
        f"As many images as there are were drawn {interval.resamples:,} times, with replacement, the same for "
        "both runs, and COCO's AP of both was computed each time. The interval holds the middle "
        f"{interval.confidence:.0%} of the differences.{share} It tells of the choice of images alone: a second "
        "training with another seed may differ by more. Efron & Tibshirani 1993, *An Introduction to the "
        "Bootstrap*."
    )
