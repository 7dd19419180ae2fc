"""Y6: the false positives of an image by their cause, on the picture, as a chart of counts, and as a table.

Boxes are in the **image** frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from detector.explaining.false_positives import Cause
from viz_app.figures.charts import calm
from viz_app.figures.full_network import detection_items
from viz_app.figures.palette import (
    DARK_HALO,
    GREEN,
    LIGHT_HALO,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
)
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn_filter import ground_truth_group
from viz_app.figures.words import size_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.explaining.false_positives import FalsePositive
    from detector.explaining.verdicts import Diagnosis
    from viz_app.links import Selected

CAUSE_COLORS = {
    Cause.DUPLICATE: SKY,
    Cause.POOR_BOX: YELLOW,
    Cause.OTHER_CLASS: PURPLE,
    Cause.BACKGROUND: VERMILLION,
    Cause.MISSING_LABEL: GREEN,
}
CAUSE_WORDS = {
    Cause.DUPLICATE: "its object has a better detection",
    Cause.POOR_BOX: "right class, but the box is off",
    Cause.OTHER_CLASS: "on an object of another class",
    Cause.BACKGROUND: "on no object",
    Cause.MISSING_LABEL: "on no annotated object, but all stages agree",
}
"""What each cause means, in a few words."""

_BAR, _ROOM = 30, 46


def false_positive_groups(diagnosis: Diagnosis, causes: Collection[Cause] = tuple(Cause)) -> list[BoxGroup]:
    """The false positives of each cause in its colour, over the objects, dashed white.

    Args:
        diagnosis: of one image.
        causes: those that are drawn; all by default.
    """
    groups = ground_truth_group(diagnosis.truth, diagnosis.replay.trace.categories)
    for cause in Cause:
        members = [one for one in diagnosis.false_positives if one.cause is cause and cause in causes]
        if members:
            groups.append(_group(diagnosis, cause, members))
    return groups


def cause_counts(diagnosis: Diagnosis) -> dict[Cause, int]:
    """How many false positives have each cause; they add up to all of them."""
    counts = Counter(one.cause for one in diagnosis.false_positives)
    return {cause: counts[cause] for cause in Cause}


def cause_figure(diagnosis: Diagnosis) -> go.Figure:
    """How many false positives have each cause, as bars; `customdata` of a bar is the cause."""
    counts = cause_counts(diagnosis)
    names = [cause.value for cause in counts]
    figure = go.Figure(
        go.Bar(
            y=names, x=list(counts.values()), orientation="h", name="false positives", customdata=names,
            marker={
                "color": [CAUSE_COLORS[cause] for cause in counts],
                "line": {"width": 1, "color": "rgba(80,80,80,0.5)"},
            },
            text=[f"{count:,}" for count in counts.values()], textposition="outside", cliponaxis=False,
            hovertext=[CAUSE_WORDS[cause] for cause in counts],
            hovertemplate="%{y}: %{x}<br>%{hovertext}<extra></extra>",
        )
    )  # fmt: skip
    calm(figure, x="false positives", height=_ROOM + _BAR * len(counts))
    most = max(*counts.values(), 1)
    figure.update_xaxes(range=[0, 1.15 * most], tickformat=",d", dtick=max(1, -(-most // 5)))
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def false_positive_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """One row for each false positive, best score first; sizes in px, image frame.

    `type` is TIDE's, `object` the one that explains it, `IoU` that with this object, or with the nearest one.
    """
    replay = diagnosis.replay
    rows = [
        {
            "category": replay.trace.categories[int(replay.labels[one.detection])],
            "score": one.score,
            "cause": one.cause.value,
            "object": "" if one.object is None else f"#{one.object}",
            "IoU": one.iou,
            "type": one.tide.value,
            "size, px": size_words(replay.boxes[one.detection]),
            "reason": one.reason,
        }
        for one in diagnosis.false_positives
    ]
    columns = ["category", "score", "cause", "object", "IoU", "type", "size, px", "reason"]
    return pd.DataFrame(rows, columns=columns)


def false_positive_items(diagnosis: Diagnosis) -> list[Selected | None]:
    """What selects each row of `false_positive_table`; None for one whose RoI came of no anchor."""
    items = detection_items(diagnosis.replay)
    return [items[one.detection] for one in diagnosis.false_positives]


def _group(diagnosis: Diagnosis, cause: Cause, members: Sequence[FalsePositive]) -> BoxGroup:
    replay, items = diagnosis.replay, detection_items(diagnosis.replay)
    places = [one.detection for one in members]
    names = [replay.trace.categories[label] for label in replay.labels[places].tolist()]
    color = CAUSE_COLORS[cause]
    return BoxGroup(
        replay.boxes[places], cause.value, color, width=2.5, halo=DARK_HALO if color == YELLOW else LIGHT_HALO,
        labels=tuple(f"{name} {one.score:.2f}" for name, one in zip(names, members, strict=True)),
        hover=tuple(
            f"{name} {one.score:.2f}: {cause.value}<br>{one.reason}"
            for name, one in zip(names, members, strict=True)
        ),
        items=tuple(items[place] for place in places),
    )  # fmt: skip
