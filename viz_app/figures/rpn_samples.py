"""What a training step makes of the anchors of one image: labels, the drawn batch, and the targets.

Shapes: `N` anchors, `P` sampled positives, `Q` sampled negatives. Boxes are in the **image** frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

from detector.tracing.samples import IGNORED, NEGATIVE, POSITIVE, TrainingView
from detector.tracing.trace import Trace
from viz_app.figures.palette import ACCENT, DARK_HALO, GREEN, GREY, LIGHT_HALO, SELECTED, SKY, VERMILLION
from viz_app.figures.picture import BoxGroup
from viz_app.figures.rpn_filter import MOST_BOXES
from viz_app.figures.words import size_words


def label_counts(view: TrainingView) -> dict[str, int]:
    """How many of the N anchors are positive, negative and ignored, and how many positives were rescued."""
    labels = view.anchors.labels
    names = {"positive": POSITIVE, "negative": NEGATIVE, "ignored": IGNORED}
    counts = {name: int((labels == value).sum()) for name, value in names.items()}
    return {**counts, "rescued": int(view.anchors.rescued.sum())}


def target_boxes(trace: Trace, view: TrainingView, anchors: Tensor) -> Tensor:
    """Where the targets would move these positive anchors, float [n, 4]: onto their objects."""
    targets = view.anchors.targets[anchors]
    decoded = trace.rules.rpn_coder.decode(targets, [trace.rpn.anchors[anchors]]).reshape(-1, 4)
    return trace.to_image(decoded)


def sample_groups(trace: Trace, view: TrainingView, shown: tuple[str, ...]) -> list[BoxGroup]:
    """Anchors of a training step by what became of them.

    Args:
        trace: the image.
        view: the training step.
        shown: any of `positives`, `targets`, `negatives`, `rescued` (the first three as they were drawn for
            the batch; rescued: all positives that only count because nothing fits their object better) and
            `ignored`.
    """
    positives, negatives = view.anchors.positives, view.anchors.negatives
    rescued = view.anchors.rescued.nonzero().flatten()
    ignored = (view.anchors.labels == IGNORED).nonzero().flatten()
    # The anchors that look most like objects are the interesting ones where there are too many.
    ignored = ignored[trace.rpn.objectness[ignored].argsort(descending=True)][:MOST_BOXES]
    groups = {
        "ignored": _anchors(trace, view, ignored, "ignored", SKY),
        "negatives": _anchors(trace, view, negatives, "sampled negatives", GREY),
        "positives": _anchors(trace, view, positives, "sampled positives", ACCENT),
        "rescued": _anchors(trace, view, rescued, "rescued", VERMILLION),
        "targets": BoxGroup(target_boxes(trace, view, positives), "targets", GREEN, width=2, halo=LIGHT_HALO),
    }
    return [group for name, group in groups.items() if name in shown]


def selected_sample_groups(trace: Trace, view: TrainingView, anchor: int, decoded: Tensor) -> list[BoxGroup]:
    """One anchor dotted, the box the RPN predicts for it solid, and its target green.

    Args:
        decoded: float [N, 4], all predicted boxes, **network** frame.
    """
    index = torch.tensor([anchor])
    hover = sample_hover(trace, view, index)
    groups = [
        BoxGroup(
            trace.to_image(trace.rpn.anchors[index]), "selected anchor", SELECTED, counted=False, dash="dot",
            width=2.5, halo=DARK_HALO, hover=hover,
        ),
        BoxGroup(
            trace.to_image(decoded[index]), "predicted", SELECTED, counted=False, width=2.5,
            halo=LIGHT_HALO, hover=hover,
        ),
    ]  # fmt: skip
    if int(view.anchors.labels[anchor]) == POSITIVE:
        groups.append(
            BoxGroup(
                target_boxes(trace, view, index), "its target", GREEN, counted=False, width=3, halo=LIGHT_HALO
            )
        )
    return groups


def sample_hover(trace: Trace, view: TrainingView, anchors: Tensor) -> tuple[str, ...]:
    """One text for each anchor: label, object, objectness and losses."""
    names = {POSITIVE: "positive", NEGATIVE: "negative", IGNORED: "ignored"}
    scores = trace.rpn.objectness[anchors].sigmoid().tolist()
    boxes = trace.to_image(trace.rpn.anchors[anchors])
    texts = []
    for index, score, box in zip(anchors.tolist(), scores, boxes, strict=True):
        label = int(view.anchors.labels[index])
        what = f" of object #{int(view.anchors.matched[index])}" if label == POSITIVE else ""
        texts.append(
            f"anchor {index:,} · {names[label]}{what}<br>objectness {score:.3f}<br>"
            f"{size_words(box)} px, image frame<br>"
            f"loss: objectness {float(view.anchor_cls_loss[index]):.4f}, "
            f"box {float(view.anchor_bbox_loss[index]):.4f}"
        )
    return tuple(texts)


def _anchors(trace: Trace, view: TrainingView, anchors: Tensor, name: str, color: str) -> BoxGroup:
    boxes = trace.to_image(trace.rpn.anchors[anchors])
    quiet = color == GREY
    return BoxGroup(
        boxes, name, color, dash="dot", width=1 if quiet else 1.75, opacity=0.8 if quiet else 1,
        hover=sample_hover(trace, view, anchors),
    )  # fmt: skip
