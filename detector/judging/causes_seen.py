"""What the diagnosis of a data set shows of causes that no look at its files could: where the objects were lost,
a class that is never said, classes that are said in each other's place.

Rungs are told by their names. Weights are shares of all objects.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from detector.judging.summary import Group, Summary

CHANCE = 1e-3
_FEWEST, _SHARE_OF_OTHERS, _MOST = 3, 1 / 3, 0.5
_CONSISTENT = 0.8
_OTHER_CLASS = "other class"

# Thresholds that decide at a rung.
FIELDS = {
    "RPN_RANK": ("rpn_pre_nms_top_n",), "RPN_SCORE": ("rpn_score",), "RPN_NMS": ("rpn_nms",),
    "RPN_LIMIT": ("rpn_post_nms_top_n",), "ROI_CLASS": ("box_score",), "BOX_NMS": ("box_nms",),
    "BOX_LIMIT": ("box_limit",),
}  # fmt: skip
_RUNGS = {
    "ANCHOR_FIT": ("no anchor and no decoded box comes near them",
                   "Choose anchors of their size and shape at this input size, or give the network larger images."),
    "RPN_BOX": ("an anchor fits, but the RPN moves its box away", "Train the RPN longer, on images like these."),
    "RPN_RANK": ("the RPN ranks them below the top-n of their level", "Raise rpn_pre_nms_top_n."),
    "RPN_SCORE": ("the RPN's floors for score or size drop them", "Lower rpn_score."),
    "RPN_NMS": ("the RPN's NMS suppresses their proposals", "Raise rpn_nms."),
    "RPN_LIMIT": ("their proposals are over the limit", "Raise rpn_post_nms_top_n."),
    "ROI_BOX": ("the second stage's boxes are off", "Train the box head longer, on more such objects."),
    "ROI_CLASS": ("the second stage does not give them their class", "Train on more objects of these classes, or "
                  "lower box_score where only the threshold is in the way."),
    "BOX_NMS": ("the last NMS suppresses them", "Raise box_nms."),
    "BOX_LIMIT": ("they are over the detections per image", "Raise box_limit."),
    "MATCHED_ELSEWHERE": ("their detection belongs to another object", "Look at them: objects that lie so close "
                          "may be one."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """One cause that the diagnosis shows.

    Args:
        name: what it is called.
        weight: share of the objects that it explains.
        message, remedy: a sentence each.
        evidence: phrases with numbers.
        voids: whether no other number means anything before it is put right.
    """

    name: str
    weight: float
    message: str
    remedy: str
    evidence: tuple[str, ...] = ()
    voids: bool = False


def lost_at(summary: Summary, rungs: tuple[str, ...], objects: pd.DataFrame | None, cause: str = "") -> int:
    """Objects lost at some rungs; with `cause`, only those of that sub-cause, where the rows are there."""
    if cause and objects is not None:
        return len(objects.query("rung in @rungs and cause == @cause"))
    return sum(fall.lost for fall in summary.waterfall if fall.rung in rungs)


def weakest_rungs(summary: Summary) -> Iterator[Seen]:
    """Each rung that lost objects, the worst first, with what one threshold would bring there."""
    for fall in sorted(summary.waterfall, key=lambda fall: -fall.lost):
        if fall.lost and fall.rung in _RUNGS:
            what, remedy = _RUNGS[fall.rung]
            yield Seen(
                fall.rung.lower(), fall.lost / summary.objects,
                f"{fall.lost} of {summary.objects} objects are lost at {fall.rung}: {what}", remedy,
                tuple(recommended(summary, FIELDS.get(fall.rung, ()))),
            )  # fmt: skip


def recommended(summary: Summary, fields: tuple[str, ...]) -> Iterator[str]:
    """What was tried on the whole data set, in words."""
    for one in summary.recommendations:
        if one.field in fields and one.gain > 0:
            yield (
                f"{one.field} {one.before:g} -> {one.after:g}: {one.came_true} right and {one.came_false} wrong "
                f"detections come, AP {one.gain:+.3f}"
            )


def classes_left_out(summary: Summary, false_positives: pd.DataFrame | None) -> Iterator[Seen]:
    """Classes that are found so much less often than the others that chance does not explain it."""
    for name, group in summary.by_category.items():
        others = [other for key, other in summary.by_category.items() if key != name]
        objects, found = sum(o.objects for o in others), sum(o.found for o in others)
        usual = found / objects if objects else 0.0
        if not _far_below(group, usual):
            continue
        never = (
            group.found == 0 and false_positives is not None and name not in set(false_positives["category"])
        )
        worst = max(group.waterfall, key=lambda fall: fall.lost)
        yield Seen(
            "class_left_out" if never else "weak_class", (group.objects - group.found) / summary.objects,
            f"of {group.objects} objects of the class {name!r} {group.found or 'none'} "
            f"{'is' if group.found < 2 else 'are'} found, of the others {usual:.0%}"
            + (": the model never says this class" if never else ""),
            f"Check that {name!r} is among the labels of the training images, then train with it."
            if never else f"Train with more objects of the class {name!r}, or give them more weight.",
            (f"{worst.lost} of them are lost at {worst.rung}",),
        )  # fmt: skip


def _far_below(group: Group, usual: float) -> bool:
    """Whether so few found ones are less likely than `CHANCE` if this class were like the others."""
    count, found = group.objects, group.found
    if count < _FEWEST or usual < _MOST or found / count > usual * _SHARE_OF_OTHERS:
        return False
    likely = sum(comb(count, k) * usual**k * (1 - usual) ** (count - k) for k in range(found + 1))
    return likely <= CHANCE


def swapped_classes(
    summary: Summary,
    objects: pd.DataFrame | None,
    false_positives: pd.DataFrame | None,
    names: tuple[str, ...],
) -> Iterator[Seen]:
    """Most objects are lost to a detection of another class, and always of the same one: lists out of step."""
    if objects is None or false_positives is None or not len(objects):
        return
    wrong = false_positives.query("cause == @_OTHER_CLASS and object >= 0")
    strongest = wrong.sort_values(by="score", ascending=False).drop_duplicates(["image_index", "object"])
    lost = objects[objects["rung"] != "FOUND"]
    pairs = strongest.merge(lost, on=["image_index", "object"], suffixes=("_said", "_is"))
    pairs = pairs[pairs["category_said"] != pairs["category_is"]]
    if len(pairs) < _FEWEST or len(pairs) / len(objects) < _MOST:
        return
    counts = Counter(zip(pairs["category_is"], pairs["category_said"], strict=True))
    said_for = {true: max((n, said) for (t, said), n in counts.items() if t == true)[1] for true, _ in counts}
    agree = sum(counts[true, said] for true, said in said_for.items()) / len(pairs)
    if agree < _CONSISTENT or len(set(said_for.values())) < len(said_for):
        return
    steps = _steps(said_for, names)
    by_one = len(steps) == 1 and steps <= {1, -1}
    true, said = next(iter(said_for.items()))
    yield Seen(
        "labels_off_by_one" if by_one else "category_order", len(pairs) / summary.objects,
        f"{len(pairs)} of {summary.objects} objects are detected as another class, and {agree:.0%} of them by one "
        f"rule ({true!r} as {said!r}, and so on): "
        + ("the labels are off by one" if by_one else "the lists of names are in another order"),
        "Shift the labels, or the list of names, by one." if by_one else "Bring both lists of names in one order.",
        tuple(f"{t} -> {s}: {counts[t, s]}" for t, s in said_for.items()), voids=True,
    )  # fmt: skip


def _steps(said_for: dict[str, str], names: tuple[str, ...]) -> set[int]:
    """By how many places each class is off in the list, the shorter way round; {0} where a name is unknown."""
    place, count = {name: index for index, name in enumerate(names) if index}, len(names) - 1
    if count < 1 or not {*said_for, *said_for.values()} <= set(place):
        return {0}
    steps = {(place[said] - place[true]) % count for true, said in said_for.items()}
    return {step - count if step == count - 1 and count > 2 else step for step in steps}
