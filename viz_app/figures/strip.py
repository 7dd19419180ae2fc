"""The strip: every stage with its live count, and every object's life-line through the stages.

Numbers only, no drawing; `strip_html` draws. Shapes: `N` anchors, `R` RoIs, `K` categories with background,
`G` objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from detector.explaining.rungs import Rung
from detector.tracing.filters import DetectionFate, ProposalFate
from viz_app.figures.palette import ACCENT, LOST, category_color

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.explaining.verdicts import Diagnosis, Verdict
    from detector.tracing.replay import Replay

MOST_LINES = 10
_MOST_NAMED = 6


class Stage(IntEnum):
    """The stages of a two-stage detector as the strip shows them, in the order of the data."""

    IMAGE = 0
    PYRAMID = 1
    ANCHORS = 2
    TOP_N = 3
    PROPOSALS = 4
    CLASS_SLOTS = 5
    DETECTIONS = 6

    @property
    def key(self) -> str:
        """Its name in HTML and links, such as `top_n`."""
        return self.name.lower()


DIES_AT: dict[Rung, Stage] = {
    Rung.ANCHOR_FIT: Stage.ANCHORS,
    Rung.RPN_BOX: Stage.TOP_N,
    Rung.RPN_RANK: Stage.TOP_N,
    Rung.RPN_SCORE: Stage.PROPOSALS,
    Rung.RPN_NMS: Stage.PROPOSALS,
    Rung.RPN_LIMIT: Stage.PROPOSALS,
    Rung.ROI_BOX: Stage.CLASS_SLOTS,
    Rung.ROI_CLASS: Stage.CLASS_SLOTS,
    Rung.BOX_NMS: Stage.DETECTIONS,
    Rung.BOX_LIMIT: Stage.DETECTIONS,
    Rung.MATCHED_ELSEWHERE: Stage.DETECTIONS,
}
"""The stage at which an object that stopped at a rung is missing for the first time."""

RUNG_WORDS: dict[Rung, str] = {
    Rung.ANCHOR_FIT: "no anchor fits",
    Rung.RPN_BOX: "RPN box is off",
    Rung.RPN_RANK: "below the RPN's top-n",
    Rung.RPN_SCORE: "objectness too low",
    Rung.RPN_NMS: "suppressed by RPN NMS",
    Rung.RPN_LIMIT: "over the proposal limit",
    Rung.ROI_BOX: "refined box is off",
    Rung.ROI_CLASS: "right class scored too low",
    Rung.BOX_NMS: "suppressed by box NMS",
    Rung.BOX_LIMIT: "over the detection limit",
    Rung.MATCHED_ELSEWHERE: "detection went to another object",
    Rung.FOUND: "found",
}
"""What happened at a rung, for a group of objects that ended there."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One stage.

    Args:
        stage: which.
        title: its name for people.
        count: the number that matters most, formatted.
        note: the setting behind it.
        hint: one sentence with units, for the pointer.
        alive: objects that can still be found after this stage; None without ground truth.
        lost: objects, by index, that this stage loses.
    """

    stage: Stage
    title: str
    count: str
    note: str
    hint: str
    alive: int | None = None
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LifeLine:
    """The way of one object, or of a group with a common end, through the stages.

    Args:
        label: the object and its category, or how many end alike.
        color: of the line, as `#RRGGBB`.
        objects: indices of the objects.
        lost_at: the stage that loses them; None where they are found.
        ending: why they were lost, or the score of the detection that found them.
    """

    label: str
    color: str
    objects: tuple[int, ...]
    lost_at: Stage | None
    ending: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The whole strip.

    Args:
        chips: seven, one for each stage.
        lines: one for each object, or one for each ending where there are more than `MOST_LINES` objects.
        objects: G; None without ground truth.
    """

    chips: tuple[Chip, ...]
    lines: tuple[LifeLine, ...] = ()
    objects: int | None = None


def strip_of(replay: Replay, diagnosis: Diagnosis | None) -> Strip:
    """Count every stage of a replay and follow every object of a diagnosis; counts alone without one."""
    numbers = _numbers(replay)
    if diagnosis is None:
        return Strip(tuple(Chip(stage, *numbers[stage]) for stage in Stage))
    verdicts = diagnosis.verdicts
    deaths = {verdict.object: DIES_AT.get(verdict.rung) for verdict in verdicts}
    chips, alive = [], len(verdicts)
    for stage in Stage:
        lost = tuple(index for index, death in deaths.items() if death is stage)
        alive -= len(lost)
        chips.append(Chip(stage, *numbers[stage], alive, lost))
    follow = _lines_by_object if len(verdicts) <= MOST_LINES else _lines_by_ending
    return Strip(tuple(chips), follow(replay, verdicts), len(verdicts))


def _numbers(replay: Replay) -> dict[Stage, tuple[str, str, str, str]]:
    """Title, count, note and hint of every stage."""
    trace, knobs = replay.trace, replay.thresholds
    ranked = len(replay.proposals) - replay.proposals.counts()[ProposalFate.BELOW_TOP_N]
    slots = replay.detections.counts()
    over = len(replay.detections) - slots[DetectionFate.LOW_SCORE] - slots[DetectionFate.OTHER_CLASS]
    anchors, proposals = len(replay.proposals), len(replay.proposals.kept)
    detections = len(replay.detections.kept)
    return {
        Stage.IMAGE: _image_numbers(replay),
        Stage.PYRAMID: _pyramid_numbers(replay),
        Stage.ANCHORS: (
            "Anchors", f"{anchors:,}", f"{_range([kinds for _, _, kinds in trace.rpn.grid])} per cell",
            f"{anchors:,} anchors, one candidate each",
        ),
        Stage.TOP_N: (
            "Top-n", f"{ranked:,}", f"{knobs.rpn_pre_nms_top_n:,} per level",
            f"{ranked:,} candidates are among the {knobs.rpn_pre_nms_top_n:,} best of their level",
        ),
        Stage.PROPOSALS: (
            "Proposals", f"{proposals:,}", f"NMS {knobs.rpn_nms:.2f}",
            f"{proposals:,} proposals after NMS at IoU {knobs.rpn_nms:.2f}, objectness of at least "
            f"{knobs.rpn_score:g} and at most {knobs.rpn_post_nms_top_n:,} per image",
        ),
        Stage.CLASS_SLOTS: (
            "Class slots", f"{over:,}", f"score > {knobs.box_score:.4g}",
            f"{over:,} of {len(replay.detections):,} pairs of RoI and class score over {knobs.box_score:g}",
        ),
        Stage.DETECTIONS: (
            "Detections", f"{detections:,}", f"NMS {knobs.box_nms:.2f}",
            f"{detections:,} detections after NMS at IoU {knobs.box_nms:.2f}, at most {knobs.box_limit:,}",
        ),
    }  # fmt: skip


def _image_numbers(replay: Replay) -> tuple[str, str, str, str]:
    (height, width), (net_height, net_width) = replay.trace.input.image_size, replay.trace.input.network_size
    hint = f"{width} x {height} pixels, {net_width} x {net_height} in the network"
    return "Image", f"{width} × {height}", f"resize ×{net_height / height:.2f}", hint


def _pyramid_numbers(replay: Replay) -> tuple[str, str, str, str]:
    # A trace may have been saved without its maps; the RPN's grid has a level for each of them.
    maps, grid = replay.trace.backbone.pyramid, replay.trace.rpn.grid
    sizes = [f"{h}²" if h == w else f"{w}×{h}" for h, w, _ in grid]
    short = " ".join(sizes) if len(" ".join(sizes)) <= 12 else f"{sizes[0]}…{sizes[-1]}"
    count = f"{len(grid)} map" if len(grid) == 1 else f"{len(grid)} maps"
    channels = f" of {_range([m.shape[0] for m in maps.values()])} channels" if maps else ""
    return "Pyramid", count, short, f"{count}{channels}, {', '.join(sizes)} cells"


def _lines_by_object(replay: Replay, verdicts: Sequence[Verdict]) -> tuple[LifeLine, ...]:
    scores = replay.scores.tolist()
    lines = []
    for verdict in verdicts:
        lost_at = DIES_AT.get(verdict.rung)
        score = "" if verdict.detection is None else f"{scores[verdict.detection]:.2f}"
        label = f"#{verdict.object} {_category(replay, verdict.object)}".strip()
        ending = score if lost_at is None else verdict.reason
        lines.append(LifeLine(label, category_color(verdict.object), (verdict.object,), lost_at, ending))
    return tuple(lines)


def _lines_by_ending(replay: Replay, verdicts: Sequence[Verdict]) -> tuple[LifeLine, ...]:
    """Lost objects first, in the order of the ladder, then those that were found."""
    lines = []
    for rung in sorted({verdict.rung for verdict in verdicts}):
        objects = tuple(verdict.object for verdict in verdicts if verdict.rung is rung)
        lost_at = DIES_AT.get(rung)
        if lost_at is None:
            lines.append(LifeLine(f"{len(objects)} found", ACCENT, objects, None, ""))
            continue
        named = " ".join(f"#{index}" for index in objects[:_MOST_NAMED])
        ending = f"{RUNG_WORDS[rung]} · {named}{' …' if len(objects) > _MOST_NAMED else ''}"
        lines.append(LifeLine(f"{len(objects)} lost", LOST, objects, lost_at, ending))
    return tuple(lines)


def _category(replay: Replay, index: int) -> str:
    known = replay.trace.ground_truth
    return "" if known is None else replay.trace.categories[int(known.labels[index])]


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low}–{high}"
