"""The report of a data set: where objects are lost, the lost ones themselves, and COCO's numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from detector.explaining.false_positives import TideType
from detector.judging.image_scores import worst_by_ap
from viz_app.figures.tide import TIDE_WORDS
from viz_app.figures.words import plural, rung_name
from viz_app.report_charts import (
    calibration_chart,
    calibration_lead,
    confusion_lead,
    confusion_table,
    curves_chart,
)
from viz_app.report_gallery import gallery_lead, lost_gallery
from viz_app.report_page import Page
from viz_app.report_parts import Trusted, card, facts, meter, number, table, text, two
from viz_app.report_waterfall import waterfall_html, waterfall_lead

if TYPE_CHECKING:
    from detector.data.coco_export import AnnotatedImages
    from detector.judging.evaluation_records import Evaluation
    from detector.judging.kept_run import KeptRun

_MOST_ROWS, _MOST_WORST = 40, 12
_TIDE_LEAD = (
    "Errors by TIDE's types (Bolya et al. 2020), and what AP gains if all of one type were put right."
)


def dataset_page(run: KeptRun, evaluation: Evaluation, dataset: AnnotatedImages, most: int) -> Page:
    """The report of a finished run.

    Args:
        run: read from its folder.
        evaluation: of the same run.
        dataset: the one the run is about; the images of lost objects are read from it.
        most: lost objects that are shown.
    """
    title = f"{evaluation.model} on {evaluation.dataset}"
    parts, packets = [_header(title, evaluation)], {}
    if evaluation.objects:
        waterfall = waterfall_html(run.summary)
        parts.append(card("Where objects are lost", waterfall, waterfall_lead(run.summary)))
    if run.summary.found < run.summary.objects:
        gallery = lost_gallery(run, dataset, most)
        packets = gallery.packets
        parts.append(card("Lost objects", gallery.html, gallery_lead(gallery)))
    parts += [
        card("By category", _categories(evaluation), "The lowest AP first; AP is COCO's, IoU .50 to .95."),
        two(
            card("Precision and recall", curves_chart(evaluation)),
            card("Scores", calibration_chart(evaluation), calibration_lead(evaluation)),
        ),
        two(
            card("Taken for", confusion_table(evaluation), confusion_lead(evaluation)),
            card("False detections", _tide(evaluation), _TIDE_LEAD),
        ),
        card("Hardest images", _worst(evaluation), "AP of each image by itself."),
        _footer(evaluation),
    ]
    return Page(title, "".join(parts), packets)


def _header(title: str, evaluation: Evaluation) -> str:
    summary = evaluation.summary
    numbers = evaluation.statistics
    tiles = facts(
        [
            ("AP, IoU .50 to .95", number(numbers["AP"])),
            ("AP50", number(numbers["AP50"])),
            ("AP75", number(numbers["AP75"])),
            ("small · medium · large", _sizes(evaluation)),
            ("objects found", f"{summary.found:,} of {summary.objects:,}"),
            ("false detections", f"{sum(one.false_positives for one in evaluation.images):,}"),
            ("images", f"{len(evaluation.images):,}"),
        ]
    )
    caution = f'<p class="caution">{text(summary.caution)}</p>' if summary.caution else ""
    if summary.problems:
        first = summary.problems[0]
        caution += (
            f'<p class="caution">{plural(len(summary.problems), "image")} could not be used; the first: '
            f"{text(first.image)}: {text(first.message)}</p>"
        )
    return (
        f"<header><h1>{text(title)}</h1><p>{text(_how(evaluation))}</p>"
        f'<p class="headline">{_headline(evaluation)}</p>{caution}{tiles}</header>'
    )


def _sizes(evaluation: Evaluation) -> Trusted:
    """Three numbers in one tile."""
    values = [evaluation.statistics[f"AP_{size}"] for size in ("small", "medium", "large")]
    said = " · ".join("–" if value is None else f"{value:.2f}".lstrip("0") for value in values)
    return Trusted(f'<span style="font-size:1.05rem;color:inherit">{said}</span>')


def _how(evaluation: Evaluation) -> str:
    knobs = asdict(evaluation.thresholds)
    return (
        f"Score over {knobs['box_score']:g}, NMS at IoU {knobs['box_nms']:g}, at most {knobs['box_limit']:,} "
        f"detections an image; an object is found from IoU {evaluation.iou:g} on."
    )


def _headline(evaluation: Evaluation) -> str:
    """The one sentence to take away, HTML."""
    summary = evaluation.summary
    lost = summary.objects - summary.found
    if not summary.objects:
        return "The images hold no objects that the detector could find."
    if not lost:
        return f"All {plural(summary.objects, 'object')} are found."
    worst = max(summary.waterfall, key=lambda fall: fall.lost)
    gains = {gain.rung: gain.gain for gain in summary.oracle}
    gain = f", which costs up to {gains[worst.rung]:.3f} AP" if gains.get(worst.rung) else ""
    most = "it is" if lost == 1 else f"{worst.lost:,} of them are"
    return (
        f"<b>{plural(lost, 'object')}</b> of {summary.objects:,} {'is' if lost == 1 else 'are'} lost; "
        f"{most} lost at <b>{text(rung_name(worst.rung))}</b>{gain}."
    )


def _categories(evaluation: Evaluation) -> Trusted:
    shown = [(name, one) for name, one in evaluation.by_category.items() if one.objects]
    shown.sort(key=lambda item: item[1].AP or 0.0)
    recalls = evaluation.summary.by_category
    rows = [
        [
            name, meter(one.AP), number(one.AP50), number(one.AP75),
            *(number(value) for value in (one.AP_small, one.AP_medium, one.AP_large)),
            f"{recalls[name].found:,} of {one.objects:,}", f"{one.detections:,}",
        ]
        for name, one in shown[:_MOST_ROWS]
    ]  # fmt: skip
    heads = ["category", "AP", "AP50", "AP75", "small", "medium", "large", "found", "detections"]
    more = f"<p>And {len(shown) - _MOST_ROWS:,} more.</p>" if len(shown) > _MOST_ROWS else ""
    return Trusted(f"{table(heads, rows)}{more}")


def _tide(evaluation: Evaluation) -> Trusted:
    rows = [
        [name, TIDE_WORDS[TideType(name)], f"{share.count:,}", f"{share.gain:+.3f}"]
        for name, share in evaluation.tide.items()
    ]
    return table(["type", "what it is", "count", "AP50 at stake"], rows, texts=2)


def _worst(evaluation: Evaluation) -> Trusted:
    losses = any(one.loss is not None for one in evaluation.images)
    rows = [
        [
            one.image, meter(one.AP), f"{one.found:,} of {one.objects:,}", f"{one.false_positives:,}",
            *([number(one.loss)] if losses else []),
        ]
        for one in worst_by_ap(evaluation.images)[:_MOST_WORST]
    ]  # fmt: skip
    return table(["image", "AP", "found", "false detections", *(["loss"] if losses else [])], rows)


def _footer(evaluation: Evaluation) -> str:
    return (
        "<footer><p>AP and the curves: COCO's evaluation (faster-coco-eval), 100 detections of a category and "
        "image. A rung's AP at stake: what AP would gain if its objects were found. Scores: of detections over the "
        "score threshold.</p>"
        f"<p>Boxscope, {text(evaluation.model)}, {plural(len(evaluation.images), 'image')}. This file needs no "
        "network.</p></footer>"
    )
