"""The RPN's numbers as tables: its levels, some anchors, and how one anchor became its box.

Shapes: `N` anchors, `n` rows. Sizes are in pixels of the **image** frame unless a column says otherwise.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor
from torchvision.ops import box_iou

from detector.tracing.filters import ProposalFate
from detector.tracing.replay import Replay
from viz_app.figures.palette import fate_words
from viz_app.figures.rpn import stride
from viz_app.figures.words import size_words


def level_table(replay: Replay) -> pd.DataFrame:
    """One row for each level: map, stride, anchors, best objectness, and how many anchors each step left."""
    trace, ledger = replay.trace, replay.proposals
    rows = []
    fates = ledger.fate.split(trace.rpn.per_level)
    scores = ledger.scores.split(trace.rpn.per_level)
    kept = trace.rpn.level_of(ledger.kept)
    for level, (height, width, kinds) in enumerate(trace.rpn.grid):
        ranked = int((fates[level] != int(ProposalFate.BELOW_TOP_N)).sum())
        rows.append(
            {
                "level": level,
                "map, cells": f"{height} × {width}",
                "stride, px": stride(trace, level),
                "per cell": kinds,
                "anchors": height * width * kinds,
                "top-n": ranked,
                "proposals": int((kept == level).sum()),
                "best": float(scores[level].max()) if len(scores[level]) else 0.0,
            }
        )
    return pd.DataFrame(rows)


def anchor_table(replay: Replay, anchors: Tensor) -> pd.DataFrame:
    """One row for each of n anchors: objectness, fate, level, sizes, best IoU of its box with an object."""
    trace, ledger = replay.trace, replay.proposals
    before = trace.to_image(trace.rpn.anchors[anchors])
    after = trace.to_image(ledger.boxes[anchors])
    columns = {
        "objectness": ledger.scores[anchors].float().cpu().numpy(),
        "fate": [fate_words(ProposalFate(code)) for code in ledger.fate[anchors].tolist()],
        "level": trace.rpn.level_of(anchors).cpu().numpy(),
        "anchor, px": [size_words(box) for box in before.tolist()],
        "box, px": [size_words(box) for box in after.tolist()],
    }
    truth = trace.ground_truth
    if truth is not None and len(truth) and len(anchors):
        columns["best IoU"] = box_iou(after.float(), truth.boxes.to(after)).amax(dim=1).cpu().numpy()
    return pd.DataFrame({**columns, "anchor": anchors.cpu().numpy()})


def delta_table(replay: Replay, anchor: int) -> pd.DataFrame:
    """How one anchor became its box: centre and size of anchor, decoded and clipped box, and the four deltas.

    Px of the **network** frame.
    """
    trace = replay.trace
    index = torch.tensor([anchor])
    start, deltas = trace.rpn.anchors[index], trace.rpn.deltas[index]
    decoded = trace.rules.rpn_coder.decode(deltas, [start]).reshape(-1, 4)
    rows = [
        ("anchor", _centred(start[0])),
        ("deltas, no unit", deltas[0].tolist()),
        ("box", _centred(decoded[0])),
        ("clipped", _centred(replay.proposals.boxes[anchor])),
    ]
    return pd.DataFrame([{"px, network frame": name, **_four(values)} for name, values in rows])


def _centred(box: Tensor) -> list[float]:
    x1, y1, x2, y2 = box.tolist()
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


def _four(values: list[float]) -> dict[str, float]:
    return dict(zip(("x", "y", "w", "h"), values, strict=True))
