"""What the box filter did to the class slots: by fate, one by one, and who suppressed whom.

A slot is a pair of RoI and category but background; there are R x (K-1). Boxes are in the **image** frame.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.filters import DetectionFate
from detector.tracing.replay import Replay
from viz_app.figures.palette import (
    ACCENT,
    DARK_HALO,
    LIGHT_HALO,
    SELECTED,
    VERMILLION,
    fate_color,
    fate_words,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.roi_items import slot_items
from viz_app.figures.words import size_words

MOST_SLOTS = 200


@dataclass(frozen=True, slots=True)
class SlotDuel:
    """One class slot that NMS removed, and the one that removed it.

    Args:
        suppressed, suppressor: class slots.
        iou: overlap of their boxes, network frame.
        gap: probability of the suppressor minus that of the suppressed.
    """

    suppressed: int
    suppressor: int
    iou: float
    gap: float


def strongest_slots(replay: Replay, fates: Collection[DetectionFate], limit: int = MOST_SLOTS) -> Tensor:
    """The slots of some fates, int64, the most probable first, at most `limit`."""
    ledger = replay.detections
    codes = torch.tensor([int(fate) for fate in fates], dtype=ledger.fate.dtype, device=ledger.fate.device)
    members = torch.isin(ledger.fate, codes).nonzero().flatten()
    order = ledger.scores[members].argsort(descending=True, stable=True)
    return members[order[:limit]]


def slot_table(replay: Replay, slots: Tensor) -> pd.DataFrame:
    """One row for each of n slots: category, probability, fate, RoI, by whom it was suppressed, size."""
    ledger, trace = replay.detections, replay.trace
    suppressors = ledger.suppressor_of(slots)
    by = torch.where(suppressors >= 0, replay.roi_of(suppressors.clamp(min=0)), -1)
    return pd.DataFrame(
        {
            "category": [trace.categories[label] for label in ledger.labels[slots].tolist()],
            "probability": ledger.scores[slots].float().cpu().numpy(),
            "fate": [fate_words(DetectionFate(code)) for code in ledger.fate[slots].tolist()],
            "RoI": replay.roi_of(slots).cpu().numpy(),
            "by RoI": [str(roi) if roi >= 0 else "" for roi in by.tolist()],
            "size, px": [size_words(box) for box in trace.to_image(ledger.boxes[slots])],
        }
    )


def slot_groups(replay: Replay, slots: Tensor) -> list[BoxGroup]:
    """The boxes of some slots in the colour of their fate, what was kept on top."""
    ledger, groups = replay.detections, []
    fates, counts = ledger.fate[slots], ledger.counts()
    for fate in sorted(DetectionFate, reverse=True):
        members = slots[fates == int(fate)]
        if len(members) == 0:
            continue
        kept = fate is DetectionFate.KEPT
        groups.append(
            BoxGroup(
                replay.trace.to_image(ledger.boxes[members]), fate_words(fate), fate_color(fate),
                width=2 if kept else 1.25, opacity=1 if kept else 0.75, hover=slot_hover(replay, members),
                total=counts[fate], items=slot_items(replay, members),
            )
        )  # fmt: skip
    return groups


def slot_hover(replay: Replay, slots: Tensor) -> tuple[str, ...]:
    """One text for each slot: category, probability, fate, RoI, size."""
    ledger, trace = replay.detections, replay.trace
    rows = zip(
        ledger.labels[slots].tolist(),
        ledger.scores[slots].tolist(),
        ledger.fate[slots].tolist(),
        replay.roi_of(slots).tolist(),
        trace.to_image(ledger.boxes[slots]).tolist(),
        strict=True,
    )
    return tuple(
        f"{trace.categories[label]} {score:.3f} · {fate_words(DetectionFate(fate))}<br>slot of RoI {roi}<br>"
        f"{size_words(box)} px, image frame"
        for label, score, fate, roi, box in rows
    )


def slot_duel(replay: Replay, slot: int) -> SlotDuel | None:
    """Who suppressed this slot; None where NMS did not remove it."""
    ledger = replay.detections
    suppressor = int(ledger.suppressor_of(torch.tensor([slot]))[0])
    if suppressor < 0:
        return None
    overlap = box_iou(ledger.boxes[[slot]], ledger.boxes[[suppressor]])
    return SlotDuel(slot, suppressor, float(overlap), float(ledger.scores[suppressor] - ledger.scores[slot]))


def suppressed_slots(replay: Replay, slot: int) -> Tensor:
    """The slots, int64, that this one removed, the most probable first."""
    lost = replay.detections.suppressed_by(slot)
    return lost[replay.detections.scores[lost].argsort(descending=True, stable=True)]


def selected_slot_groups(replay: Replay, slot: int) -> list[BoxGroup]:
    """One slot's box, the box that suppressed it, and the boxes that it suppressed."""
    found, lost = slot_duel(replay, slot), suppressed_slots(replay, slot)
    groups = []
    if len(lost):
        groups.append(_group(replay, lost, "suppressed by it", VERMILLION, 1.75, counted=True))
    if found is not None:
        index = torch.tensor([found.suppressor])
        label = (f"won: IoU {found.iou:.2f}",)
        groups.append(_group(replay, index, "its suppressor", ACCENT, 3, halo=LIGHT_HALO, labels=label))
    groups.append(_group(replay, torch.tensor([slot]), "selected slot", SELECTED, 3, halo=DARK_HALO))
    return groups


def _group(
    replay: Replay,
    slots: Tensor,
    name: str,
    color: str,
    width: float,
    *,
    counted: bool = False,
    halo: str | None = None,
    labels: tuple[str, ...] = (),
) -> BoxGroup:
    return BoxGroup(
        replay.trace.to_image(replay.detections.boxes[slots]), name, color, width=width, counted=counted,
        halo=halo, labels=labels, hover=slot_hover(replay, slots), items=slot_items(replay, slots),
    )  # fmt: skip
