"""A remedy and its price in words."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from detector.explaining.ladder_text import RUNG_NAMES
from viz_app.figures.words import plural

if TYPE_CHECKING:
    from detector.explaining.price import Price
    from detector.explaining.remedies import Remedy
    from detector.judging.price_on import DatasetPrice

FIELD_WORDS = {
    "rpn_pre_nms_top_n": "keep per level",
    "rpn_post_nms_top_n": "keep per image",
    "rpn_nms": "RPN NMS IoU",
    "rpn_score": "min. objectness",
    "box_score": "Score",
    "box_nms": "Box NMS IoU",
    "box_limit": "limit",
}
"""What the sliders call each field of `Thresholds`."""

_SHOWN = {rung.name: name for rung, name in RUNG_NAMES.items()} | {
    field: f"“{words}”" for field, words in FIELD_WORDS.items()
}
_NAMES = re.compile(rf"\b({'|'.join(_SHOWN)})\b")


def change_words(remedy: Remedy) -> str:
    """The change, such as `Score 0.5 → 0.4301`."""
    before, after = number_words(remedy.before), number_words(remedy.after, remedy.before)
    return f"{FIELD_WORDS[remedy.field]} {before} → {after}"


def title_words(remedy: Remedy) -> str:
    """What the change is: the smallest that helps, or only a step further."""
    if remedy.brings_back or remedy.removes:
        return "Smallest change"
    return "No single threshold brings it back. One step further"


def number_words(value: float, before: float | None = None) -> str:
    """A threshold as short as it can be said: whole numbers with separators, shares to six digits.

    Args:
        value: of the threshold.
        before: what it is changed from: the sixth digit is rounded away from it, so that the change which is
            said is no smaller than the one that was tried, and works, too.
    """
    if isinstance(value, int):
        return f"{value:,}"
    if before is None or float(f"{value:.6g}") in (value, before):
        return f"{value:.6g}"
    exact = Decimal(value)
    digit = Decimal(1).scaleb(exact.adjusted() - 5)
    return f"{float(exact.quantize(digit, ROUND_CEILING if value > before else ROUND_FLOOR)):.6g}"


def plain_words(sentence: str) -> str:
    """A sentence with the names that the app shows: `“Score”` for `box_score`, `Box NMS` for `BOX_NMS`."""
    return _NAMES.sub(lambda found: _SHOWN[found[0]], sentence)


def effect_words(remedy: Remedy, name: str) -> str:
    """What the change does, in one sentence.

    Args:
        remedy: verified by a replay.
        name: of the object or of the detection, such as `#0 triangle`.
    """
    if remedy.removes:
        return f"Removes {name} (verified by replay)."
    if remedy.brings_back:
        return f"Brings {name} back (verified by replay)."
    assert remedy.rung is not None
    return (
        f"Gets {name} only as far as {RUNG_NAMES[remedy.rung]}, where it is lost again (verified by replay)."
    )


def price_words(price: Price, *, known: bool = True) -> str:
    """What comes and goes with a change, in one sentence.

    Args:
        price: of the change.
        known: the objects of the image are known, so that true and false can be told.
    """
    parts = [
        _count(price.came, len(price.came_false), "+", known),
        _count(price.went, len(price.went_false), "−", known),
    ]
    turned = len(price.turned_false)
    if known:
        parts += [f"{plural(turned, 'detection')} turned false" if turned else "", _objects(price)]
    said = [part for part in parts if part]
    if not said:
        return "Price on this image: none, no detection comes or goes."
    return f"Price on this image: {'; '.join(said)}."


def dataset_price_words(price: DatasetPrice, source: str) -> str:
    """What a change brings and takes over a data set, in one or two sentences.

    Args:
        price: of the images that were looked at.
        source: name of the data set.
    """
    pairs = (("+", price.came_true, price.came_false), ("−", price.went_true, price.went_false))
    parts = [f"{sign}{true:,} true, {sign}{false:,} false" for sign, true, false in pairs if true or false]
    if price.found or price.lost:
        parts.append(f"{plural(len(price.found), 'object')} found by it, {len(price.lost):,} lost")
    said = "; ".join(parts) or "no detection comes or goes"
    skipped = f" {plural(len(price.skipped), 'image')} could not be used." if price.skipped else ""
    where = f"{plural(price.images, 'image')} of {source} ({plural(price.objects, 'object')})"
    return f"On {where}: {said}.{skipped}"


def _count(count: int, false: int, sign: str, known: bool) -> str:
    if count == 0:
        return ""
    kinds = f", {_kinds(false, count)}" if known else ""
    return f"{sign}{plural(count, 'detection')}{kinds}"


def _kinds(false: int, count: int) -> str:
    if false in (0, count):
        kind = "false" if false else "true"
        return f"a {kind} one" if count == 1 else f"all {kind}"
    return f"{false:,} of them false"


def _objects(price: Price) -> str:
    if not price.lost:
        return ""
    return f"{' '.join(f'#{index}' for index in price.lost)} lost by it"
