"""What a training step makes of the anchors of one image: labels, the drawn batch, and the targets.

`step` is a training trace. Shapes: `N` anchors, `P` drawn positives, `Q` drawn negatives, `n` any anchors.
Boxes are in the **image** frame.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor

from detector.tracing.anchor_losses import AnchorTerms, anchor_terms, view_of
from detector.tracing.samples import IGNORED, NEGATIVE, POSITIVE, TrainingView
from detector.tracing.trace import Trace
from viz_app.figures.palette import ACCENT, DARK_HALO, GREEN, GREY, LIGHT_HALO, SELECTED, SKY, VERMILLION
from viz_app.figures.picture import BoxGroup, Dash
from viz_app.figures.rpn import anchor_items
from viz_app.figures.words import size_words

MOST_BOXES = 600
"""Boxes drawn of each kind: more make a picture that nobody can read."""

SampleKind = Literal["positives", "targets", "negatives", "rescued", "ignored"]
SAMPLE_KINDS: tuple[SampleKind, ...] = ("positives", "targets", "negatives", "rescued", "ignored")
LABEL_WORDS = {POSITIVE: "positive", NEGATIVE: "negative", IGNORED: "ignored"}


def label_counts(view: TrainingView) -> dict[str, int]:
    """How many of the N anchors are positive, negative and ignored, and how many positives were rescued."""
    labels = view.anchors.labels
    counts = {word: int((labels == value).sum()) for value, word in LABEL_WORDS.items()}
    return {**counts, "rescued": int(view.anchors.rescued.sum())}


def target_boxes(step: Trace, anchors: Tensor) -> Tensor:
    """Where the targets would move these positive anchors, float [n, 4]: onto their objects."""
    targets = view_of(step).anchors.targets[anchors]
    decoded = step.rules.rpn_coder.decode(targets, [step.rpn.anchors[anchors]]).reshape(-1, 4)
    return step.to_image(decoded)


def predicted_boxes(step: Trace, anchors: Tensor) -> Tensor:
    """Where the deltas of this step moved these anchors, float [n, 4], not clipped."""
    decoded = step.rules.rpn_coder.decode(step.rpn.deltas[anchors], [step.rpn.anchors[anchors]])
    return step.to_image(decoded.reshape(-1, 4))


def sample_groups(step: Trace, shown: Collection[SampleKind]) -> list[BoxGroup]:
    """Anchors of a training step by what became of them.

    Args:
        step: the training step.
        shown: any of `positives`, `targets`, `negatives` (as they were drawn for the batch), `rescued` (all
            positives that only count because nothing fits their object better) and `ignored`.
    """
    view, terms = view_of(step), anchor_terms(step)
    positives, negatives = view.anchors.positives, view.anchors.negatives
    rescued = view.anchors.rescued.nonzero().flatten()
    every = (view.anchors.labels == IGNORED).nonzero().flatten()
    # The anchors that look most like objects are the interesting ones where there are too many.
    ignored = every[step.rpn.objectness[every].argsort(descending=True)][:MOST_BOXES]
    groups = {
        "ignored": _anchors(step, terms, ignored, "ignored", SKY, total=len(every)),
        "negatives": _anchors(step, terms, negatives, "drawn negatives", GREY, width=1),
        "positives": _anchors(step, terms, positives, "drawn positives", ACCENT),
        "rescued": _anchors(step, terms, rescued, "rescued", VERMILLION),
        "targets": BoxGroup(target_boxes(step, positives), "targets", GREEN, width=2, halo=LIGHT_HALO),
    }
    return [group for name, group in groups.items() if name in shown]


def selected_sample_groups(step: Trace, anchor: int) -> list[BoxGroup]:
    """One anchor dotted, the box that the step predicts for it solid, and its target green."""
    index = torch.tensor([anchor])
    looks = {"hover": sample_hover(step, anchor_terms(step), index), "counted": False}
    start = step.to_image(step.rpn.anchors[index])
    groups = [
        BoxGroup(start, "selected anchor", SELECTED, dash="dot", width=2.5, halo=DARK_HALO, **looks),
        BoxGroup(predicted_boxes(step, index), "predicted", SELECTED, width=2.5, halo=LIGHT_HALO, **looks),
    ]
    if int(view_of(step).anchors.labels[anchor]) == POSITIVE:
        target = target_boxes(step, index)
        groups.append(BoxGroup(target, "its target", GREEN, counted=False, width=3, halo=LIGHT_HALO))
    return groups


def loss_groups(step: Trace, anchors: Tensor, *, positive: bool) -> list[BoxGroup]:
    """Some anchors dotted and what the step predicts for them solid; for positives their targets, too."""
    terms = anchor_terms(step)
    name = "positives" if positive else "negatives"
    hover, items = sample_hover(step, terms, anchors), anchor_items(anchors)
    losses = tuple(f"{value:.2f}" for value in terms.of("sum")[anchors].tolist())
    groups = [
        _anchors(step, terms, anchors, name, ACCENT if positive else VERMILLION, labels=losses),
        BoxGroup(
            predicted_boxes(step, anchors), "predicted", ACCENT if positive else GREY, width=2 if positive else 1,
            hover=hover, items=items,
        ),
    ]  # fmt: skip
    if positive:
        groups.append(
            BoxGroup(target_boxes(step, anchors), "targets", GREEN, width=2, halo=LIGHT_HALO, items=items)
        )
        return groups
    # Nothing is learned of a negative's box: only where it is matters.
    return groups[:1]


def sample_hover(step: Trace, terms: AnchorTerms, anchors: Tensor) -> tuple[str, ...]:
    """One text for each anchor: label, object, objectness and losses."""
    samples = view_of(step).anchors
    scores = step.rpn.objectness[anchors].sigmoid().tolist()
    boxes = step.to_image(step.rpn.anchors[anchors]).tolist()
    labels, matched = samples.labels[anchors].tolist(), samples.matched[anchors].tolist()
    objectness, box_loss = terms.objectness[anchors].tolist(), terms.box[anchors].tolist()
    return tuple(
        f"anchor {index:,} · {LABEL_WORDS[label]}{f' of object #{match}' if label == POSITIVE else ''}<br>"
        f"objectness {score:.3f}<br>{size_words(box)} px, image frame<br>"
        f"loss: objectness {first:.4f}, box {second:.4f}"
        for index, label, match, score, box, first, second in zip(
            anchors.tolist(), labels, matched, scores, boxes, objectness, box_loss, strict=True
        )
    )


def _anchors(
    step: Trace,
    terms: AnchorTerms,
    anchors: Tensor,
    name: str,
    color: str,
    *,
    width: float = 1.75,
    labels: tuple[str, ...] = (),
    total: int | None = None,
) -> BoxGroup:
    dash: Dash = "dot"
    return BoxGroup(
        step.to_image(step.rpn.anchors[anchors]), name, color, dash=dash, width=width, labels=labels,
        hover=sample_hover(step, terms, anchors), items=anchor_items(anchors), total=total,
    )  # fmt: skip
