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
    """Markdown with formulas: anchors, scores and deltas, sizes, filters, training, and sections of the papers."""
    replay = scene.replay
    try:
        model: Any = scene.detector.model
    except ValueError:  # opened from a trace file: what only the model knows is left out
        model = None
    pool, labels, size = "", "", "S"
    if model is not None:
        pool, labels = _pool_level(replay, model), _labels(model)
        size = f"{model.rpn.fg_bg_sampler.batch_size_per_image}"
    parts = (
        _anchors(replay), pool, _deltas(replay), _weights(replay), _sizes(replay), _filters(replay), labels,
        _losses(size), _SOURCES,
    )  # fmt: skip
    return "\n\n".join(part for part in parts if part)


_SOURCES = (
    "*Sources:* Ren et al. 2015, *Faster R-CNN*, sections 3.1 (the network), 3.1.1 (anchors), 3.1.2 (labels and "
    "loss), 3.1.3 (sampling), 3.3 (NMS and top-n); Lin et al. 2017, *Feature Pyramid Networks*, section 4.1 "
    "(one size of anchor per level, P6); Girshick 2015, *Fast R-CNN*, section 2.3 (smooth L1)."
)


def _anchors(replay: Replay) -> str:
    trace = replay.trace
    terms = " + ".join(rf"{h} \cdot {w} \cdot {kinds}" for h, w, kinds in trace.rpn.grid)
    return rf"""**1. Anchors.** Every cell of every map carries a few boxes of fixed size, centred on
the pixel that the cell looks at. They depend on the size of the input alone, not on what it shows:

$$
N = {terms} = {latex_count(len(trace.rpn.anchors))}
$$"""


def _pool_level(replay: Replay, model: Any) -> str:  # noqa: ANN401 - torch types submodules as Tensor | Module
    """Why the RPN may see a level that the second stage does not."""
    names, grid = list(replay.trace.backbone.pyramid), replay.trace.rpn.grid
    pooled = [name for name in names if name in getattr(model.roi_heads.box_roi_pool, "featmap_names", names)]
    extra = [name for name in names if name not in pooled]
    if len(names) < 2 or len(names) != len(grid):
        return ""
    if not extra:
        return (
            f"All {len(names)} levels serve both stages here. Torchvision's ResNet pyramids have one more, P6, "
            "for the RPN alone: a subsampled P5, for anchors of 512 px."
        )
    level = names.index(extra[0])
    height, width, _ = grid[level]
    return (
        f"Level {level} (`{extra[0]}`, {height} × {width} cells) is for the RPN alone: it is the level below, "
        "subsampled (P6 in Lin et al., made to give anchors of 512 px a place). RoIAlign does not use it: it "
        "holds nothing that the level below does not hold in more detail."
    )


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

The network predicts deltas, never boxes: shifts in units of the anchor's own size
($w_a = {width:.0f}$, $h_a = {height:.0f}$ px, network frame) and logarithms of how much it grows.

$$
\begin{{aligned}}
x &= x_a + d_x w_a = {cx:.1f} + {_signed(dx)} \cdot {width:.0f} = {cx + dx * width:.1f} \\
y &= y_a + d_y h_a = {cy:.1f} + {_signed(dy)} \cdot {height:.0f} = {cy + dy * height:.1f} \\
w &= w_a\, e^{{d_w}} = {width:.0f}\, e^{{{dw:.3f}}} = {width * exp(min(dw, clip)):.1f} \\
h &= h_a\, e^{{d_h}} = {height:.0f}\, e^{{{dh:.3f}}} = {height * exp(min(dh, clip)):.1f}
\end{{aligned}}
$$

$d_w$ and $d_h$ are capped at {clip:.3f}: no box grows more than {exp(clip):.3g} times."""


def _weights(replay: Replay) -> str:
    own, head = replay.trace.rules.rpn_weights, replay.trace.rules.box_weights
    words = ", ".join(f"{weight:g}" for weight in own)
    same = all(weight == 1 for weight in own)
    effect = (
        "so they change nothing"
        if same
        else "so targets are multiplied by them, and predictions divided by them"
    )
    return (
        f"The box coder's **weights** are ({words}) in the RPN, {effect}. In the second stage they are "
        f"({', '.join(f'{weight:g}' for weight in head)}): its deltas are small, and the weights bring the "
        "targets near unit variance, so that the box loss counts as much as the class loss."
    )


def _sizes(replay: Replay) -> str:
    """Where the size of the image, and not of the padded batch, matters."""
    trace = replay.trace
    height, width = trace.input.network_size
    rows, columns = trace.input.tensor.shape[-2:]
    padding = "no padding here" if (rows, columns) == (height, width) else "the rest is padding"
    return (
        f"**3. Sizes.** The input tensor is {columns} × {rows} px, this image fills {width} × {height} px of it "
        f"({padding}). Maps and anchors cover the whole tensor, anchors on the padding too. The image's own size "
        "matters in two places: boxes are clipped to it, not to the tensor, and at the end boxes are scaled "
        f"back to the file's {trace.input.image_size[1]} × {trace.input.image_size[0]} px."
    )


def _filters(replay: Replay) -> str:
    trace, knobs, counts = replay.trace, replay.thresholds, replay.proposals.counts()
    left = len(replay.proposals) - counts[ProposalFate.BELOW_TOP_N]
    return f"""**4. Filters**, in this order:

1. On each of the {len(trace.rpn.grid)} levels only the {knobs.rpn_pre_nms_top_n:,} anchors of highest
   objectness go on: **{counts[ProposalFate.BELOW_TOP_N]:,}** fall below, **{left:,}** are left.
2. Boxes are clipped to the image ({trace.input.network_size[1]} × {trace.input.network_size[0]} px, network
   frame). Sides under {trace.rules.rpn_min_size:g} px: **{counts[ProposalFate.TOO_SMALL]:,}** go.
3. Objectness under {knobs.rpn_score:g}: **{counts[ProposalFate.LOW_SCORE]:,}** go.
4. NMS, each level on its own: a box that overlaps a better one with an IoU over {knobs.rpn_nms:g} is
   suppressed, **{counts[ProposalFate.SUPPRESSED]:,}** in all.
5. The best {knobs.rpn_post_nms_top_n:,} of all levels together become proposals:
   **{counts[ProposalFate.KEPT]:,}**; **{counts[ProposalFate.OVER_LIMIT]:,}** are over the limit."""


def _labels(model: Any) -> str:  # noqa: ANN401
    matcher, sampler = model.rpn.proposal_matcher, model.rpn.fg_bg_sampler
    size, share = sampler.batch_size_per_image, sampler.positive_fraction
    most = int(size * share)
    return f"""**5. Labels and sampling** (in training only). An anchor is positive where its IoU with an object is
at least {matcher.high_threshold:g}, negative where it is under {matcher.low_threshold:g} with every object,
and ignored in between. An object that no anchor fits keeps the best anchors it has: they are *rescued*.

`batch_size_per_image` = {size} anchors are drawn at random from each image. `positive_fraction` = {share:g} is
an upper bound: at most {most} of them are positive. Where there are fewer positives, all are taken and negatives
fill the rest, so the real share is often far smaller."""


def _losses(size: str) -> str:
    return rf"""**6. Losses.** $S$ anchors are drawn in the whole batch of images (for one image: {size}).

$$
L_\mathrm{{cls}} = \frac{{1}}{{S}} \sum_{{s}} \mathrm{{BCE}}(t_s, y_s) \qquad
L_\mathrm{{box}} = \frac{{1}}{{S}} \sum_{{s\ \mathrm{{positive}}}} \sum_{{x, y, w, h}}
\mathrm{{smooth}}_{{L_1}}(d_s - d^*_s)
$$

Both are divided by $S$, positives and negatives together: with few positives the box loss is small because it is
averaged over many anchors that have no box to learn. The smooth L1 is a parabola for errors under
$\beta = 1/9$ and a line above. The paper divides its box loss by the number of anchor positions
and weighs it with $\lambda = 10$; torchvision does neither."""


def _signed(value: float) -> str:
    return f"{value:.3f}" if value >= 0 else f"({value:.3f})"
