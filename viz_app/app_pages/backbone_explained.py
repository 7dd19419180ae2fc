"""What happens before the RPN, in the numbers of one image: normalisation, resize, padding, and the maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from viz_app.figures.backbone_maps import NamedMap, named_maps
from viz_app.figures.input_image import InputRules, factors, padding_words

if TYPE_CHECKING:
    from detector.tracing.trace import Trace
    from viz_app.scene import Scene


def explain_backbone(scene: Scene) -> str:
    """Markdown with formulas: the input, the frames, the maps, and sections of the papers."""
    rules = InputRules.from_detector(scene.detector)
    return "\n\n".join(
        (
            _normalisation(scene.trace, rules), _resize(scene.trace, rules), _padding(scene.trace, rules),
            _maps(scene), _SOURCES,
        )
    )  # fmt: skip


_SOURCES = (
    "*Sources:* Ren et al. 2015, *Faster R-CNN*, section 3.3 (resize to a fixed shorter side); Lin et al. 2017, "
    "*Feature Pyramid Networks*, sections 3 (bottom-up and top-down paths), 4.1 and its footnote (P6) and 4.2 "
    "(which map a RoI reads); Luo et al. 2016, *Understanding the Effective Receptive Field*."
)


def _normalisation(trace: Trace, rules: InputRules) -> str:
    height, width = trace.input.image_size
    y, x = height // 2, width // 2
    value = int(trace.input.pixels[0, y, x])
    mean, std = rules.mean[0], rules.std[0]
    result = (value / 255 - mean) / std
    return rf"""**1. Normalisation.** Each channel is brought to the scale that the backbone was trained on. The red
value of the pixel in the middle, $({x}, {y})$, is {value}:

$$
\frac{{v / 255 - \mu}}{{\sigma}} = \frac{{{value / 255:.3f} - {mean:.3f}}}{{{std:.3f}}} = {result:.3f}
$$"""


def _resize(trace: Trace, rules: InputRules) -> str:
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    if rules.fixed_size is not None:
        high, wide = rules.fixed_size
        return f"**2. Resize.** This model resizes every image to {wide} × {high} px, whatever its own shape."
    if rules.min_size is None or rules.max_size is None:
        return "**2. Resize.** This model leaves the size of the image alone."
    short, long = min(height, width), max(height, width)
    by_short, by_long = rules.min_size / short, rules.max_size / long
    bound = "shorter side decides" if by_short <= by_long else "longer side decides"
    factor = min(by_short, by_long)
    return rf"""**2. Resize.** The shorter side becomes `min_size` = {rules.min_size} px, unless the longer one
would exceed `max_size` = {rules.max_size} px. Here the {bound}:

$$
s = \min\left(\frac{{{rules.min_size}}}{{{short}}},\ \frac{{{rules.max_size}}}{{{long}}}\right)
= \min({by_short:.4g},\ {by_long:.4g}) = {factor:.4g}
$$

{width} × {height} px become {columns} × {rows} px. This is the **network frame**; objects of the same image grow
by the same factor, and anchors are measured in it."""


def _padding(trace: Trace, rules: InputRules) -> str:
    (height, width), (rows, columns) = trace.input.image_size, trace.input.network_size
    padded = padding_words(trace)
    high, wide = trace.input.tensor.shape[-2:]
    factor_y, factor_x = factors(trace)
    added = "This image needs none" if not padded else f"This image gets {padded}: {wide} × {high} px"
    return rf"""**3. Padding.** Zeros are added on the right and below until both sides are multiples of
{rules.divisor} px, so that maps can be halved and doubled without a remainder, and all images of a batch get the
size of the largest. {added}.

The size of each image before the padding is kept: proposals and detections are clipped to it and not to the padded
tensor, or boxes would reach into nothing, and it leads back to the file:

$$
x_\mathrm{{image}} = x_\mathrm{{network}} \cdot \frac{{{width}}}{{{columns}}}
= \frac{{x_\mathrm{{network}}}}{{{factor_x:.4g}}} \qquad
y_\mathrm{{image}} = y_\mathrm{{network}} \cdot \frac{{{height}}}{{{rows}}}
= \frac{{y_\mathrm{{network}}}}{{{factor_y:.4g}}}
$$"""


def _maps(scene: Scene) -> str:
    maps = named_maps(scene.trace)
    body, pyramid = ([one for one in maps if one.part == part] for part in ("body", "pyramid"))
    if not maps:
        return "**4. Maps.** This trace was stored without them."
    if len(pyramid) == 1 and not body:
        one = pyramid[0]
        return (
            f"**4. Maps.** This backbone has no pyramid: the RPN slides over one map, {_of(one)}, and RoIs of "
            "every size are pooled from it."
        )
    return f"""**4. Maps.** Bottom up, the body makes the map coarser from stage to stage (C): early maps are
fine and know edges, late ones are coarse and know what things are. Top down, the pyramid (P) brings each C
to {pyramid[0].values.shape[0]} channels with a 1 × 1 convolution, adds the next coarser map, enlarged to the
same size, and smooths the sum with a 3 × 3 convolution. So every P knows what the coarsest map knows, at its
own resolution, and its receptive field is at least that of the coarsest C.

{_map_rows(maps)}

{_extra_maps(scene, pyramid)}"""


def _map_rows(maps: Sequence[NamedMap]) -> str:
    rows = ["| map | cells, width × height | channels | stride, px |", "|---|---|---|---|"]
    for one in maps:
        channels, height, width = one.values.shape
        rows.append(f"| {one.label} | {width} × {height} | {channels} | {max(one.stride):.3g} |")
    return "\n".join(rows)


def _extra_maps(scene: Scene, pyramid: list[NamedMap]) -> str:
    """Which maps the RPN reads and RoIAlign does not, and why."""
    pool: Any = scene.detector.model.roi_heads.box_roi_pool
    names = [str(name) for name in getattr(pool, "featmap_names", [one.key for one in pyramid])]
    extra = [one for one in pyramid if one.key not in names]
    if not extra:
        return "The RPN and RoIAlign read the same maps here; there is no P6 of the paper's kind."
    labels = " and ".join(one.label for one in extra)
    finest = next((one for one in reversed(pyramid) if one.key in names), pyramid[0])
    made, why = "", ""
    if extra[0].key == "pool":
        made = f", {finest.label} with every second cell left out,"
        why = (
            f" RoIAlign has no use for it: on {finest.label}, which holds the same and more, "
            "even the largest RoIs are coarse enough."
        )
    return (
        f"**{labels}**{made} serves the RPN alone: at stride {extra[0].stride[1]:.3g} it carries the largest "
        f"anchors on {extra[0].size[0] * extra[0].size[1]:,} cells.{why}"
    )


def _of(one: NamedMap) -> str:
    channels, height, width = one.values.shape
    return f"{one.label} {width} × {height} cells of {channels} channels, stride {max(one.stride):.3g} px"
