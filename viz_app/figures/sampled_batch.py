"""The x-ray of a training step: how many samples each object got, and those that got none.

`step` is a training trace. Boxes are in the **image** frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from detector.tracing.anchor_losses import view_of
from detector.training.sampled_batches import object_samples
from viz_app.figures.palette import LIGHT_HALO, LOST
from viz_app.figures.picture import BoxGroup
from viz_app.figures.words import plural, size_words
from viz_app.links import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class ObjectShare:
    """What one object got of the sampled batch.

    Args:
        object: its index.
        name: such as `#3 ring`.
        size: width and height, px.
        labelled: anchors that were labelled positive for it.
        anchors: those of them that were drawn.
        rois: proposals that were drawn as its positives; the object itself, added as RoI, does not count.
    """

    object: int
    name: str
    size: str
    labelled: int
    anchors: int
    rois: int

    @property
    def lacks(self) -> str:
        """What it got none of; empty where it got of both."""
        missing = [
            words for words, count in (("anchors", self.anchors), ("proposals", self.rois)) if not count
        ]
        return "no " + " and no ".join(missing) if missing else ""


def object_shares(step: Trace) -> tuple[ObjectShare, ...]:
    """What each object that is no crowd region got of the batch; nothing without ground truth."""
    truth = step.ground_truth
    if truth is None:
        return ()
    samples = object_samples(step)
    counts = (samples.positive_anchors, samples.drawn_anchors, samples.drawn_rois)
    return tuple(
        ObjectShare(
            index,
            f"#{index} {step.categories[int(truth.labels[index])]}",
            size_words(truth.boxes[index]),
            *(int(count[index]) for count in counts),
        )
        for index in (~truth.crowd).nonzero().flatten().tolist()
    )


def neglected_group(step: Trace, shares: Sequence[ObjectShare]) -> BoxGroup | None:
    """The objects that got no anchor or no proposal, red; None where every object got both."""
    truth = step.ground_truth
    poor = [share for share in shares if share.lacks]
    if truth is None or not poor:
        return None
    return BoxGroup(
        truth.boxes[[share.object for share in poor]], "objects without samples", LOST, dash="dash", width=2.5,
        halo=LIGHT_HALO, labels=tuple(f"{share.name}: {share.lacks}" for share in poor),
        hover=tuple(f"{share.name}, {share.size} px<br>{share.lacks}" for share in poor),
        items=tuple(Selected("object", share.object) for share in poor),
    )  # fmt: skip


def share_table(shares: Sequence[ObjectShare]) -> pd.DataFrame:
    """A row for each object, those that got the least first."""
    rows = sorted(shares, key=lambda share: (min(share.anchors, share.rois), share.anchors + share.rois))
    return pd.DataFrame(
        {
            "object": [share.name for share in rows],
            "size, px": [share.size for share in rows],
            "anchors fit": [share.labelled for share in rows],
            "anchors drawn": [share.anchors for share in rows],
            "RoIs drawn": [share.rois for share in rows],
        }
    )


def share_words(step: Trace, shares: Sequence[ObjectShare]) -> str:
    """What the step drew on this image, in Markdown, and how many objects got none of it."""
    view = view_of(step)
    positive = int((view.rois.labels > 0).sum())
    added = int(view.rois.is_object.sum())
    poor = sum(bool(share.lacks) for share in shares)
    drawn = (
        f"Drawn: **{len(view.anchors.positives):,} + {len(view.anchors.negatives):,}** anchors and "
        f"**{positive:,} + {len(view.rois.labels) - positive:,}** RoIs, positives + negatives ({added:,} of the "
        "positive RoIs are the objects themselves)."
    )
    if not shares:
        return f"{drawn} There is no object on this image: all that can be learned here is background."
    if poor:
        return f"{drawn} **{poor:,}** of {plural(len(shares), 'object')} got no anchor or no proposal."
    return f"{drawn} Every one of {plural(len(shares), 'object')} got both anchors and proposals."
