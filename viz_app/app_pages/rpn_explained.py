"""What the RPN does, step by step, in the numbers of one image."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any

from detector.tracing.filters import ProposalFate
from viz_app.figures.words import latex_count

if TYPE_CHECKING:
    from detector.tracing.replay import Replay
    from viz_app.scene import Scene


def explain_rpn(scene: Scene) -> str:
    """Markdown with formulas: anchors, scores and deltas, filters, training, and sections of the papers."""
    return "\n\n".join(
        (_anchors(scene.replay), _deltas(scene.replay), _filters(scene.replay), _training(scene), _SOURCES)
    )


_SOURCES = (
    "*Sources:* Ren et al. 2015, *Faster R-CNN*, sections 3.1 (the network), 3.1.1 (anchors), 3.1.2 (loss), "
    "3.1.3 (sampling); Lin et al. 2017, *Feature Pyramid Networks*, section 4.1 (one size per level)."
)


def _anchors(replay: Replay) -> str:
    trace = replay.trace
    terms = " + ".join(rf"{h} \cdot {w} \cdot {kinds}" for h, w, kinds in trace.rpn.grid)
    return rf"""**1. Anchors.** Every cell of every map carries a few boxes of fixed size, centred on
the pixel that the cell looks at. They depend on the size of the input alone, not on what it shows:

$$
N = {terms} = {latex_count(len(trace.rpn.anchors))}
$$"""


def _deltas(replay: Replay) -> str:
    trace, ledger = replay.trace, replay.proposals
    if len(trace.rpn.anchors) == 0:
        return "**2. Scores and deltas.** There is no anchor on this image."
    best = int(trace.rpn.objectness.argmax())
    x1, y1, x2, y2 = trace.rpn.anchors[best].tolist()
    width, height, cx, cy = x2 - x1, y2 - y1, (x1 + x2) / 2, (y1 + y2) / 2
    clip = trace.rules.delta_clip
    dx, dy, dw, dh = (
        value / weight
        for value, weight in zip(trace.rpn.deltas[best].tolist(), trace.rules.rpn_weights, strict=True)
    )
    logit, score = float(trace.rpn.objectness[best]), float(ledger.scores[best])
    return rf"""**2. Scores and deltas.** A 3 × 3 convolution and two 1 × 1 convolutions give each anchor one
objectness logit $t$ and four deltas. The strongest anchor here, number {best:,}, has $t = {logit:.2f}$, so

$$
p = \frac{{1}}{{1 + e^{{-t}}}} = {score:.3f}
$$

Deltas are relative to the anchor's own size ($w_a = {width:.0f}$, $h_a = {height:.0f}$ px, network
frame): the network predicts deltas, never boxes.

$$
\begin{{aligned}}
x &= x_a + d_x w_a = {cx:.1f} + {_signed(dx)} \cdot {width:.0f} = {cx + dx * width:.1f} \\
y &= y_a + d_y h_a = {cy:.1f} + {_signed(dy)} \cdot {height:.0f} = {cy + dy * height:.1f} \\
w &= w_a\, e^{{d_w}} = {width:.0f}\, e^{{{dw:.3f}}} = {width * exp(min(dw, clip)):.1f} \\
h &= h_a\, e^{{d_h}} = {height:.0f}\, e^{{{dh:.3f}}} = {height * exp(min(dh, clip)):.1f}
\end{{aligned}}
$$

$d_w$ and $d_h$ are capped at {clip:.3f}, so that no box grows beyond any measure."""


def _filters(replay: Replay) -> str:
    trace, knobs, counts = replay.trace, replay.thresholds, replay.proposals.counts()
    left = len(replay.proposals) - counts[ProposalFate.BELOW_TOP_N]
    return f"""**3. Filters**, in this order:

1. On each of the {len(trace.rpn.grid)} levels only the {knobs.rpn_pre_nms_top_n:,} anchors of highest
   objectness go on: **{counts[ProposalFate.BELOW_TOP_N]:,}** fall below, **{left:,}** are left.
2. Boxes are clipped to the image ({trace.input.network_size[1]} × {trace.input.network_size[0]} px, network
   frame; padding does not count). Sides under {trace.rules.rpn_min_size:g} px:
   **{counts[ProposalFate.TOO_SMALL]:,}** go.
3. Objectness under {knobs.rpn_score:g}: **{counts[ProposalFate.LOW_SCORE]:,}** go.
4. NMS, each level on its own: a box that overlaps a better one with an IoU over {knobs.rpn_nms:g} is
   suppressed, **{counts[ProposalFate.SUPPRESSED]:,}** in all.
5. The best {knobs.rpn_post_nms_top_n:,} of all levels together become proposals:
   **{counts[ProposalFate.KEPT]:,}**; **{counts[ProposalFate.OVER_LIMIT]:,}** are over the limit."""


def _training(scene: Scene) -> str:
    rpn: Any = scene.detector.model.rpn
    matcher, sampler = rpn.proposal_matcher, rpn.fg_bg_sampler
    size, share = sampler.batch_size_per_image, sampler.positive_fraction
    return rf"""**4. In training** an anchor is positive where its IoU with an object is at least
{matcher.high_threshold:g}, negative where it is under {matcher.low_threshold:g} with every object,
and ignored in between. An object that no anchor fits keeps the best anchors it has (they are
*rescued*). Of these `batch_size_per_image` = {size} anchors are drawn at random, at most
`positive_fraction` = {share:g} of them positive.

$$
L_\mathrm{{cls}} = \frac{{1}}{{S}} \sum_{{s}} \mathrm{{BCE}}(t_s, y_s) \qquad
L_\mathrm{{box}} = \frac{{1}}{{S}} \sum_{{s\ \mathrm{{positive}}}} \mathrm{{smooth}}_{{L_1}}(d_s - d^*_s)
$$

Both are divided by the number $S$ of drawn anchors, positives and negatives together."""


def _signed(value: float) -> str:
    return f"{value:.3f}" if value >= 0 else f"({value:.3f})"
