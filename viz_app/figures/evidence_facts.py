"""The numbers of a piece of evidence as a short list of names and values, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.explaining.evidence import (
    ClassEvidence,
    DecodedEvidence,
    FitEvidence,
    FloorEvidence,
    MatchEvidence,
    RankEvidence,
    RefinedEvidence,
    SuppressionEvidence,
)
from detector.explaining.evidence_words import object_category, object_name

if TYPE_CHECKING:
    from detector.explaining.evidence import Extent
    from detector.explaining.verdicts import Diagnosis, Verdict


@dataclass(frozen=True, slots=True)
class Fact:
    """One number.

    Args:
        name: what it is.
        value: with its unit.
    """

    name: str
    value: str


def evidence_facts(diagnosis: Diagnosis, verdict: Verdict) -> tuple[Fact, ...]:
    """What the evidence of a lost object says, number by number; nothing where there is none."""
    match verdict.evidence:
        case FitEvidence() as fit:
            pairs = (
                ("object in the network", _extent(fit.object_size)), ("nearest anchor", _extent(fit.anchor_size)),
                ("their IoU", f"{fit.iou:.3f}"), ("needed", f"{diagnosis.iou:g}"),
                ("best shape, centred", f"IoU {fit.shape_iou:.3f}"), ("misfit", fit.misfit),
            )  # fmt: skip
        case DecodedEvidence() as moved:
            deltas = ", ".join(f"{value:+.2f}" for value in moved.deltas)
            pairs = (
                ("anchor's IoU", f"{moved.anchor_iou:.3f}"), ("after its deltas", f"{moved.decoded_iou:.3f}"),
                ("deltas dx, dy, dw, dh", deltas), ("needed", f"{diagnosis.iou:g}"),
            )  # fmt: skip
        case RankEvidence() as rank:
            pairs = (
                ("its rank", f"{rank.rank:,}"), ("last rank that passes", f"{rank.cut:,}"),
                ("its score", _share(rank.score)), ("score at the cut", _share(rank.score_at_cut)),
                *(() if rank.level is None else (("level", str(rank.level)),)),
            )  # fmt: skip
        case FloorEvidence() as floor:
            pairs = (
                ("objectness", _share(floor.score)), ("floor", f"{floor.floor:g}"),
                ("shorter side", f"{floor.side:.3g} px"), ("smallest side", f"{floor.smallest:g} px"),
            )  # fmt: skip
        case SuppressionEvidence() as one:
            pairs = _suppression(diagnosis, verdict, one)
        case RefinedEvidence() as refined:
            pairs = (
                ("RoI's IoU", f"{refined.proposal_iou:.3f}"), ("refined box's IoU", f"{refined.refined_iou:.3f}"),
                ("needed", f"{diagnosis.iou:g}"),
            )  # fmt: skip
        case ClassEvidence() as scored:
            pairs = _class(diagnosis, verdict, scored)
        case MatchEvidence() as match:
            pairs = (
                ("detection's score", _share(match.score)), ("IoU with it", f"{match.iou:.3f}"),
                (f"with {object_name(diagnosis, match.object)}", f"{match.other_iou:.3f}"),
            )  # fmt: skip
        case None:
            pairs = ()
    return tuple(Fact(name, value) for name, value in pairs)


def _suppression(
    diagnosis: Diagnosis, verdict: Verdict, one: SuppressionEvidence
) -> tuple[tuple[str, str], ...]:
    shows = "background"
    if one.object is not None:
        name = "the same object" if one.object == verdict.object else object_name(diagnosis, one.object)
        shows = f"{name}, IoU {one.object_iou:.2f}"
    return (
        ("its score", _share(one.score)), ("suppressor's score", _share(one.suppressor_score)),
        ("IoU of both", f"{one.iou:.3f}"), ("NMS allows", f"{one.threshold:g}"), ("suppressor shows", shows),
    )  # fmt: skip


def _class(diagnosis: Diagnosis, verdict: Verdict, scored: ClassEvidence) -> tuple[tuple[str, str], ...]:
    own = object_category(diagnosis, verdict)
    winner = diagnosis.replay.trace.categories[scored.winner]
    return (
        (own, _share(scored.score)), ("must exceed", f"{scored.threshold:g}"),
        *(((winner, _share(scored.winner_score)), ("margin", _share(scored.margin))) if winner != own else ()),
        ("refined box's IoU", f"{scored.iou:.3f}"), ("RoI", f"{scored.roi:,}"),
    )  # fmt: skip


def _share(value: float) -> str:
    """Four digits, or two significant ones where four would be zeros."""
    return f"{value:.4f}" if abs(value) >= 0.0005 or value == 0 else f"{value:.1e}"


def _extent(size: Extent) -> str:
    """Height and width as `width × height px`."""
    height, width = size
    return f"{width:.0f} × {height:.0f} px"
