"""What the second stage does with one RoI, step by step, in the numbers of one image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from detector.tracing.filters import DetectionFate
from viz_app.figures.fast_rcnn import class_deltas, level_rule
from viz_app.problems import literal

if TYPE_CHECKING:
    from detector.models.detector import Detector
    from detector.tracing.replay import Replay
    from viz_app.scene import Scene


def explain_fast_rcnn(scene: Scene, roi: int, label: int) -> str:
    """Markdown with formulas for one RoI and one category, from its level to the losses."""
    parts = (
        level_words(scene.detector, scene.replay, roi),
        _pooling(scene, roi),
        _classes(scene.replay, roi, label),
        _deltas(scene.replay, roi, label),
        _filters(scene.replay),
        _training(scene),
        _SOURCES,
    )
    return "\n\n".join(parts)


_SOURCES = (
    "*Sources:* Girshick 2015, *Fast R-CNN*, sections 2.1 (RoI pooling), 2.3 (loss, sampling), 3 (detection);"
    " Lin et al. 2017, *Feature Pyramid Networks*, section 4.2 (levels); He et al. 2017, "
    "*Mask R-CNN*, section 3 (RoIAlign); Ren et al. 2015, *Faster R-CNN*, section 3.2 (both stages together)."
)


def level_words(detector: Detector, replay: Replay, roi: int) -> str:
    """Why this RoI is pooled from its level, with the formula and this RoI's own numbers; network frame."""
    rule = level_rule(detector)
    level = int(replay.head.level[roi])
    if rule is None:
        return "**1. Level.** This detector pools every RoI from one and the same map."
    x1, y1, x2, y2 = replay.head.boxes[roi].tolist()
    side = math.sqrt(max((x2 - x1) * (y2 - y1), 0))
    names = list(replay.trace.backbone.pyramid)
    pooled = rule.k_max - rule.k_min + 1
    spare = (
        f" The RPN uses {len(names)} maps, this pooling the finest {pooled}: the coarser ones exist to carry "
        "large anchors, and a RoI that large still has cells enough on the coarsest map used here."
        if len(names) > pooled
        else ""
    )
    return rf"""**1. Level.** A large RoI is pooled from a coarse map, a small one from a fine map.
This one is {x2 - x1:.1f} × {y2 - y1:.1f} px (network frame), so $\sqrt{{wh}} = {side:.1f}$ and

$$
k = \left\lfloor {rule.k0} + \log_2 \frac{{\sqrt{{wh}}}}{{{rule.s0:g}}} \right\rfloor
= \left\lfloor {rule.unbounded(side):.2f} \right\rfloor
\;\to\; {level + rule.k_min} \quad\text{{(held between {rule.k_min} and {rule.k_max})}}
$$

which is level **{level}** of this pyramid.{spare}"""


def _pooling(scene: Scene, roi: int) -> str:
    pool: Any = scene.detector.model.roi_heads.box_roi_pool
    x1, y1, x2, y2 = scene.replay.head.boxes[roi].tolist()
    rows, columns = pool.output_size
    points = f"{pool.sampling_ratio} × {pool.sampling_ratio}" if pool.sampling_ratio > 0 else "as many as fit"
    return f"""**2. RoIAlign** lays a grid of {rows} × {columns} bins over the RoI, here of
{(x2 - x1) / columns:.1f} × {(y2 - y1) / rows:.1f} px each (network frame), reads the map at {points}
points in each bin by bilinear interpolation, and averages them. Nothing is rounded."""


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
    rules = replay.trace.rules
    dx, _, dw, _ = class_deltas(replay, roi, label).tolist()
    wx, wy, ww, wh = rules.box_weights
    x1, _, x2, _ = replay.head.boxes[roi].tolist()
    width, centre = x2 - x1, (x1 + x2) / 2
    per_class = replay.class_boxes.shape[1] > 1
    how = "four deltas for each category" if per_class else "four deltas, the same whatever the category"
    grown = width * math.exp(min(dw / ww, rules.delta_clip))
    return rf"""**4. Deltas.** Beside the logits the head gives {how}. They are deltas, not boxes, and
they come multiplied by the box coder's weights {wx:g}, {wy:g}, {ww:g}, {wh:g}: those bring deltas of
about 0.1 to the size of 1, so that the box loss weighs as much as the class loss. In x (network frame):

$$
x = x_a + \frac{{d_x}}{{{wx:g}}} w_a = {centre:.1f} + \frac{{{dx:.3f}}}{{{wx:g}}} \cdot {width:.1f}
= {centre + dx / wx * width:.1f}, \qquad
w = w_a\, e^{{d_w / {ww:g}}} = {width:.1f}\, e^{{{dw / ww:.3f}}} = {grown:.1f}
$$"""


def _filters(replay: Replay) -> str:
    counts, knobs = replay.detections.counts(), replay.thresholds
    rois, classes = replay.class_scores.shape
    best = (
        f"Only the most probable class of a RoI counts, the background included: "
        f"**{counts[DetectionFate.OTHER_CLASS]:,}** slots go. "
        if replay.trace.rules.detection_rule == "best_class"
        else ""
    )
    return f"""**5. Filter.** Every pair of RoI and category but background is a slot: {rois:,} ×
{classes - 1} = {rois * (classes - 1):,}. {best}Not over {knobs.box_score:g}:
**{counts[DetectionFate.LOW_SCORE]:,}** go. Too small: **{counts[DetectionFate.TOO_SMALL]:,}**. NMS
within each category at IoU {knobs.box_nms:g}: **{counts[DetectionFate.SUPPRESSED]:,}**. Over the
limit of {knobs.box_limit:,}: **{counts[DetectionFate.OVER_LIMIT]:,}**.
**{counts[DetectionFate.KEPT]:,}** detections stay."""


def _training(scene: Scene) -> str:
    heads: Any = scene.detector.model.roi_heads
    matcher, sampler = heads.proposal_matcher, heads.fg_bg_sampler
    return rf"""**6. In training** the objects themselves are added to the proposals. A RoI is
positive at an IoU of at least {matcher.high_threshold:g} and background under {matcher.low_threshold:g};
`batch_size_per_image` = {sampler.batch_size_per_image} are drawn, at most
`positive_fraction` = {sampler.positive_fraction:g} of them positive. With $S$ drawn RoIs

$$
L_\mathrm{{cls}} = -\frac{{1}}{{S}} \sum_s \log p_s(y_s) \qquad
L_\mathrm{{box}} = \frac{{1}}{{S}} \sum_{{s\ \mathrm{{positive}}}} \mathrm{{smooth}}_{{L_1}}(d_s - d^*_s)
$$"""
