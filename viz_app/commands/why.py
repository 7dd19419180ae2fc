"""The subcommand `boxscope why`: the ladders of an image's objects, or of one box, as text or as JSON.

Only names are imported at the top: torch comes when the subcommand runs.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from viz_app.cautions import cautions
from viz_app.commands.looking import chosen_replay, image_options, threshold_options
from viz_app.commands.why_json import sought, why_json

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.data.ground_truth import GroundTruth
    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replay, Replayer
    from detector.tracing.trace import Trace

_WIDTH = 100


def why_options(parser: ArgumentParser) -> None:
    """Options of `boxscope why`."""
    image_options(parser, "image file, name of a bundled scene such as scene_00, or a .trace file")
    parser.add_argument(
        "--box", type=str, default=None, metavar="X1,Y1,X2,Y2",
        help="an object to ask about, in pixels of the image, --box=X1,... where X1 is negative; all annotated "
        "objects if left out",
    )  # fmt: skip
    parser.add_argument("--label", type=str, default=None, metavar="NAME", help="category of the box")
    parser.add_argument("--iou", type=float, default=0.5, help="overlap that counts as found; 0.5 by default")
    parser.add_argument(
        "--lineage", action="store_true",
        help="also print the way of its detection, or of the candidate that got furthest, from the anchor on",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON, for a machine to read")
    threshold_options(parser)


def why(options: Namespace) -> int:
    """Say at which step each object was lost, because of what, and what would bring it back."""
    from detector.explaining.ladder import diagnose

    if (options.box is None) != (options.label is None):
        raise ValueError("--box and --label go together: give both, or neither for all annotated objects")
    corners = None if options.box is None else _corners(options.box)
    if not 0 < options.iou <= 1:
        raise ValueError(f"--iou is {options.iou:g}; expected a number above 0 and up to 1")
    replayer, replay = chosen_replay(options)
    truth = _truth(replayer.trace, corners, options.label)
    diagnosis = diagnose(replay, truth, options.iou)
    asked = corners is not None
    if options.json:
        print(why_json(replayer, diagnosis, asked))
    else:
        _warn(replayer.trace)
        print(_text(replayer, diagnosis, asked, options.lineage))
    return 0


def _warn(trace: Trace) -> None:
    """Say on stderr what must be known before the numbers are trusted."""
    for caution in cautions(trace):
        print(f"boxscope: {caution}", file=sys.stderr)


def _corners(text: str) -> tuple[float, ...]:
    try:
        corners = tuple(float(part) for part in text.split(","))
    except ValueError:
        corners = ()
    if len(corners) != 4:
        raise ValueError(
            f"--box is {text!r}; expected four numbers X1,Y1,X2,Y2 in pixels, such as 12,30,40,61"
        )
    return corners


def _truth(trace: Trace, corners: tuple[float, ...] | None, label: str | None) -> GroundTruth:
    from detector.explaining.survival import one_object

    if corners is not None and label is not None:
        return one_object(corners, label, trace.categories, trace.input.image_size)
    if trace.ground_truth is None:
        raise ValueError(
            f"nothing is annotated on {trace.input.name}: name an object with --box and --label, or give the "
            "annotations with --target"
        )
    return trace.ground_truth


def _text(replayer: Replayer, diagnosis: Diagnosis, asked: bool, lineage: bool) -> str:
    """Ladders with remedies; of annotated images the false positives, too."""
    from detector.explaining.ladder_text import ladder_text

    replay, blocks = diagnosis.replay, []
    for verdict in diagnosis.verdicts:
        *ladder, story = ladder_text(diagnosis, verdict).splitlines()
        blocks.append("\n".join([*ladder, *_wrapped(story), *_help(replayer, diagnosis, verdict, asked)]))
        if lineage:
            blocks.append(_way(replay, verdict, None if asked else verdict.object))
    if not asked:
        for one in diagnosis.false_positives:
            blocks.append(_false_text(diagnosis, one))
            if lineage:
                blocks.append(_way_of_detection(replay, one.detection, one.object))
        blocks.append(_summary(diagnosis))
    return "\n\n".join(block for block in blocks if block)


def _way(replay: Replay, verdict: Verdict, target: int | None) -> str:
    """The lineage of the detection, or of the slot that came nearest to one, else what came of the best anchor."""
    from detector.tracing.lineage import descendants_of, lineage_of_slot
    from detector.tracing.lineage_text import descendants_text, lineage_text

    names = replay.trace.categories
    if verdict.detection is not None:
        return _way_of_detection(replay, verdict.detection, target)
    if verdict.slot is not None:
        return _indented(lineage_text(lineage_of_slot(replay, verdict.slot, target), names))
    anchor = _anchor(replay, verdict)
    return "" if anchor is None else _indented(descendants_text(descendants_of(replay, anchor), names))


def _anchor(replay: Replay, verdict: Verdict) -> int | None:
    """The anchor that the evidence of an object without a class slot is about; None where none is known."""
    from detector.explaining.evidence import RefinedEvidence

    evidence = verdict.evidence
    if isinstance(evidence, RefinedEvidence):
        anchor = int(replay.head.anchor[evidence.roi])
        return anchor if anchor >= 0 else None
    # The others name an anchor, or a candidate, which is one as long as the verdict has no slot.
    return getattr(evidence, "anchor", getattr(evidence, "candidate", None))


def _way_of_detection(replay: Replay, detection: int, target: int | None) -> str:
    from detector.tracing.lineage import trace_lineage
    from detector.tracing.lineage_text import lineage_text

    return _indented(lineage_text(trace_lineage(replay, detection, target), replay.trace.categories))


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")


def _wrapped(text: str) -> list[str]:
    """Prose in lines for a terminal, two spaces in."""
    return textwrap.wrap(text.strip(), _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _summary(diagnosis: Diagnosis) -> str:
    from viz_app.figures.words import plural

    objects, false = len(diagnosis.verdicts), len(diagnosis.false_positives)
    found = objects - len(diagnosis.lost)
    return f"{found:,} of {plural(objects, 'object')} found; {plural(false, 'false positive')}."


def _help(replayer: Replayer, diagnosis: Diagnosis, verdict: Verdict, asked: bool) -> list[str]:
    """Lines about the smallest change, and about what else would help."""
    from viz_app.figures.remedy_words import change_words, effect_words, price_words, title_words

    remedy, advice = sought(replayer, diagnosis, verdict)
    lines = [line for sentence in advice for line in _wrapped(sentence)]
    if remedy is None:
        return lines
    effect = effect_words(remedy, "it" if asked else f"#{verdict.object}")
    price = price_words(remedy.price, known=not asked)
    return [*_wrapped(f"{title_words(remedy)}: {change_words(remedy)}. {effect} {price}"), *lines]


def _false_text(diagnosis: Diagnosis, one: FalsePositive) -> str:
    name = diagnosis.replay.trace.categories[int(diagnosis.replay.labels[one.detection])]
    return f"false positive: {name} {one.score:.3f}, {one.cause}: {one.reason}"
