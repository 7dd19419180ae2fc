"""The subcommand `boxscope doctor`: what is wrong with a data set and a detector, as text or as JSON.

Only names are imported at the top: torch comes when the subcommand runs.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from viz_app.commands.looking import named_detector
from viz_app.commands.models import HELP
from viz_app.commands.progress import counted

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from detector.judging.findings import Finding, Report

FOUND_ERRORS = 1
_WIDTH = 100


def doctor_options(parser: ArgumentParser) -> None:
    """Options of `boxscope doctor`."""
    parser.add_argument(
        "dataset",
        type=str,
        metavar="DATASET",
        help="COCO, VOC or YOLO folder, COCO JSON file, data.yaml, or shapes:LENGTH[:SEED]",
    )
    parser.add_argument(
        "--model", type=str, default=None,
        help=f"{HELP.replace(', the default', '')}; without it only the data are examined",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=str, default=None, help="of a torchvision name, or `random`; DEFAULT if left out"
    )
    parser.add_argument(
        "--split", type=str, default=[], action="append", metavar="OTHER",
        help="another split, which should share no image with DATASET; may be given more than once",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=None, help="look at so many images at most")
    parser.add_argument("--json", action="store_true", help="print JSON, for a machine to read")


def doctor(options: Namespace) -> int:
    """Print every finding; status 1 where one is an error."""
    if options.limit is not None and options.limit < 1:
        raise ValueError(f"--limit is {options.limit}; expected 1 or more")
    if options.weights is not None and options.model is None:
        raise ValueError("--weights goes with --model")
    from detector.judging.doctor import examine

    detector = None if options.model is None else named_detector(options.model, options.weights)
    report = examine(
        options.dataset, detector, others=options.split, limit=options.limit, progress=counted("read")
    )
    report = replace(report, dataset=options.dataset)
    print(json.dumps(report.as_json(), indent=2) if options.json else report_text(report))
    return FOUND_ERRORS if report.errors else 0


def report_text(report: Report) -> str:
    """The report as lines for a terminal."""
    from viz_app.figures.words import plural

    beside = "" if report.model is None else f" with {report.model}"
    counts = [
        f"{count} {name}{'s' if count != 1 else ''}"
        for name in ("error", "warning", "note")
        if (count := sum(finding.severity.value == name for finding in report.findings))
    ]
    head = [
        f"{report.dataset}{beside}: {plural(report.images, 'image')}, {plural(report.objects, 'object')}",
        ", ".join(counts) or "nothing to report",
    ]
    return "\n".join([*head, *(_finding_text(finding) for finding in report.findings)])


def _finding_text(finding: Finding) -> str:
    lines = [f"\n{finding.severity.value.upper()}  {finding.check}"]
    lines += _wrapped(_sentence(finding.message))
    if finding.places:
        named = "; ".join(dict.fromkeys(str(place) for place in finding.places if str(place)))
        more = "; ..." if finding.count > len(finding.places) else ""
        lines += _wrapped(f"At {named}{more}") if named else []
    return "\n".join([*lines, *_wrapped(f"-> {finding.remedy}")])


def _sentence(text: str) -> str:
    """With a capital, unless it begins with the name of a file, such as labels/a.txt, and with its full stop."""
    begun = text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text
    return begun + ("" if text.endswith(".") else ".")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
