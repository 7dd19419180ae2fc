"""What the second stage does with one RoI, step by step, in the numbers of one image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from detector.tracing.filters import DetectionFate
from detector.tracing.roi_grid import pooling_rule, sampling_grid
from viz_app.figures.fast_rcnn import LevelRule, class_deltas, level_rule
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.models.detector import Detector
    from detector.tracing.replay import Replay
    from viz_app.scene import Scene


def explain_fast_rcnn(scene: Scene, roi: int, label: int) -> str:
    """Markdown with formulas for one RoI and one category, from its level to the losses.

    Steps that only the model knows are left out of a trace that was opened without it.
    """
    model, replay = scene.model, scene.replay
    parts = [_classes(replay, roi, label), _deltas(replay, roi, label), _filters(replay)]
    if model is not None:
        level = f"**1. Level.** {level_words(model, replay, roi)}"
        parts = [level, _pooling(model, replay, roi), *parts, _training(model, replay)]
    return "\n\n".join((*parts, _SOURCES))


_SOURCES = (
    "*Sources:* Girshick 2015, *Fast R-CNN*, sections 2.1 (RoI pooling), 2.3 (loss, sampling), 3.1 (detection); "
    "Ren et al. 2015, *Faster R-CNN*, sections 3.1.2 (deltas) and 3.2 (both stages together); Lin et al. 2017, "
    "*Feature Pyramid Networks*, sections 4.1 (P6) and 4.2 (levels); He et al. 2017, *Mask R-CNN*, section 3 "
    "(RoIAlign)."
)


def level_words(detector: Detector, replay: Replay, roi: int) -> str:
    """Why this RoI is pooled from its level, with the formula and this RoI's own numbers; network frame."""
    rule = level_rule(detector)
    level = int(replay.head.level[roi])
    if rule is None:
        return "This detector pools every RoI from one and the same map."
    x1, y1, x2, y2 = replay.head.boxes[roi].tolist()
    side = math.sqrt(max((x2 - x1) * (y2 - y1), 0))
    return rf"""A large RoI is pooled from a coarse map, a small one from a fine map.
RoI {roi} is {x2 - x1:.1f} × {y2 - y1:.1f} px (network frame), so $\sqrt{{wh}} = {side:.1f}$ and

$$
k = \left\lfloor {rule.k0} + \log_2 \frac{{\sqrt{{wh}}}}{{{rule.s0:g}}} \right\rfloor
= \left\lfloor {rule.unbounded(side):.2f} \right\rfloor
\;\to\; {level + rule.k_min} \quad\text{{(held between {rule.k_min} and {rule.k_max})}}
$$

which is level **{level}** of this pyramid.{_spare_words(replay, rule)}"""


def _spare_words(replay: Replay, rule: LevelRule) -> str:
    """Why maps that the RPN uses are not pooled from, where there are such."""
    maps, pooled = len(replay.trace.backbone.pyramid), rule.k_max - rule.k_min + 1
    if maps <= pooled:
        return ""
    rows, columns, _ = replay.trace.rpn.grid[-1]
    return (
        f" The RPN uses {maps} maps and this pooling the finest {pooled}. The coarsest (P6 in the paper) is made "
        f"of the one before by taking every second cell, for the largest anchors alone: in its {rows} × {columns} "
        "cells is nothing that a large RoI would not find on the map before it, and finer."
    )


def _pooling(detector: Detector, replay: Replay, roi: int) -> str:
    box, level = replay.head.boxes[roi], int(replay.head.level[roi])
    grid = sampling_grid(replay.trace, pooling_rule(detector), box, level)
    rows, columns, down, across = grid.points.shape[:4]
    width, height = (grid.bins[0, 0, 2:] - grid.bins[0, 0, :2]).tolist()
    return f"""**2. RoIAlign** lays {rows} × {columns} bins over the RoI, here of {width:.1f} × {height:.1f} px
each (network frame), {width * grid.scale:.2f} × {height * grid.scale:.2f} cells of its map. It reads the map
at {down} × {across} points in each bin, by bilinear interpolation between the four nearest cells, and averages
them. Nothing is rounded: RoI pooling of 2015 rounded twice, and lost up to a cell."""


def _classes(replay: Replay, roi: int, label: int) -> str:
    logits, scores = replay.head.class_logits[roi], replay.class_scores[roi]
    name = literal(replay.trace.categories[label])
    return rf"""**3. Classes.** Fully connected layers turn the features into {len(logits)} logits
$z$, the background being one of them. Softmax makes them probabilities that add up to 1. For *{name}*:

$$
p = \frac{{e^{{z}}}}{{\sum_k e^{{z_k}}}} = {float(scores[label]):.4f}, \qquad z =
{float(logits[label]):.2f}, \qquad z_\text{{background}} = {float(logits[0]):.2f}
$$"""


def _deltas(replay: Replay, roi: int, label: int) -> str:
    rules, clip = replay.trace.rules, replay.trace.rules.delta_clip
    dx, dy, dw, dh = class_deltas(replay, roi, label).tolist()
    wx, wy, ww, wh = rules.box_weights
    x1, y1, x2, y2 = replay.head.boxes[roi].tolist()
    width, height, cx, cy = x2 - x1, y2 - y1, (x1 + x2) / 2, (y1 + y2) / 2
    tx, ty, tw, th = dx / wx, dy / wy, dw / ww, dh / wh
    per_class = replay.class_boxes.shape[1] > 1
    how = "four deltas for each category" if per_class else "four deltas, the same whatever the category"
    return rf"""**4. Deltas.** Beside the logits the head gives {how}: never a box. They say how far the
RoI must move, in parts of its own size, and by what factor it must grow (network frame):

$$
\begin{{aligned}}
x &= x_a + \tfrac{{d_x}}{{{wx:g}}} w_a = {cx:.1f} + {_signed(tx)} \cdot {width:.1f} = {cx + tx * width:.1f} \\
y &= y_a + \tfrac{{d_y}}{{{wy:g}}} h_a = {cy:.1f} + {_signed(ty)} \cdot {height:.1f} = {cy + ty * height:.1f} \\
w &= w_a\, e^{{d_w / {ww:g}}} = {width:.1f}\, e^{{{tw:.3f}}} = {width * math.exp(min(tw, clip)):.1f} \\
h &= h_a\, e^{{d_h / {wh:g}}} = {height:.1f}\, e^{{{th:.3f}}} = {height * math.exp(min(th, clip)):.1f}
\end{{aligned}}
$$

The box coder's weights ({wx:g}, {wy:g}, {ww:g}, {wh:g}) only set the scale. A RoI is close to its object, so
the true deltas are about 0.1; times the weights they are about 1, and the box loss is felt beside the class
loss. The head's own output here is {dx:.2f}, {dy:.2f}, {dw:.2f}, {dh:.2f}."""


def _filters(replay: Replay) -> str:
    counts, knobs = replay.detections.counts(), replay.thresholds
    rois, classes = replay.class_scores.shape
    height, width = replay.trace.input.network_size
    steps = [
        f"Softmax, decode, and clip the boxes to this image ({width} × {height} px, network frame; padding "
        "does not count).",
        f"Every pair of RoI and category but background is a slot: {rois:,} × {classes - 1} = "
        f"**{rois * (classes - 1):,}**.",
    ]
    if replay.trace.rules.detection_rule == "best_class":
        steps.append(
            "Only the most probable class of a RoI counts, the background included: "
            f"**{counts[DetectionFate.OTHER_CLASS]:,}** slots go."
        )
    steps += [
        f"Probability not over {knobs.box_score:g}: **{counts[DetectionFate.LOW_SCORE]:,}** go.",
        f"Sides under {replay.trace.rules.box_min_size:g} px: **{counts[DetectionFate.TOO_SMALL]:,}** go.",
        f"NMS within each category: overlap of more than {knobs.box_nms:g} (IoU) with a better box, "
        f"**{counts[DetectionFate.SUPPRESSED]:,}** go. Boxes of two categories never compete.",
        f"The best {knobs.box_limit:,} of all categories stay: **{counts[DetectionFate.KEPT]:,}** detections; "
        f"**{counts[DetectionFate.OVER_LIMIT]:,}** are over the limit. Their boxes are scaled to the image frame.",
    ]
    listed = "\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1))
    return f"**5. Post-processing**, in this order:\n\n{listed}"


def _training(detector: Detector, replay: Replay) -> str:
    heads: Any = detector.model.roi_heads
    matcher, sampler = heads.proposal_matcher, heads.fg_bg_sampler
    size, share = sampler.batch_size_per_image, sampler.positive_fraction
    high, low = matcher.high_threshold, matcher.low_threshold
    between = "" if high == low else f" What lies between, {low:g} to {high:g}, is left out."
    hard = float(getattr(sampler, "hard_share", 0))
    harder = f" Of the negatives {hard:.0%} are not drawn, but are the hardest there are." if hard else ""
    whose = "its own category's deltas" if replay.class_boxes.shape[1] > 1 else "its four deltas"
    return rf"""**6. In training** the objects themselves join the proposals, so that there are good RoIs from
the first step on. A RoI is positive at an IoU of at least {high:g} with an object, and background
under {low:g}.{between}

`batch_size_per_image` = {size} RoIs are drawn at random for the losses of one image; `positive_fraction` =
{share:g} is the most of them, {int(size * share)}, that may be positive. It is a bound and no promise: where
there are fewer positives, background takes their places.{harder}

$$
L_\mathrm{{cls}} = -\frac{{1}}{{S}} \sum_s \log p_s(y_s) \qquad
L_\mathrm{{box}} = \frac{{1}}{{S}} \sum_{{s\ \mathrm{{positive}}}} \mathrm{{smooth}}_{{L_1}}(d_s - d^*_s)
$$

Both are divided by the number $S$ of drawn RoIs of the whole batch, background included: few positives make a
small box loss. A positive pays for {whose} alone, times the coder's weights; smooth $L_1$ turns from a parabola
into a line at 1/9."""


def _signed(value: float) -> str:
    return f"{value:.3f}" if value >= 0 else f"({value:.3f})"
