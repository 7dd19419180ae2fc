"""What a score hangs on: the pixels and the cells of the pyramid, and what covering the image does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
import torch

from detector.explaining.logits import AnyLogit, ClassLogit, ObjectnessLogit
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import show_picture, with_model
from viz_app.app_pages.why_occlusion import choose_shown, offer_occlusion
from viz_app.app_pages.why_saliency_facts import (
    is_quick,
    known_occlusion,
    saliency_about,
)
from viz_app.figures.feature_maps import viridis_scale_html
from viz_app.figures.saliency import (
    BLUR,
    about_group,
    covered_group,
    covering_map,
    heat_bound,
    heat_overlay,
    level_labels,
    level_picture,
    shares_words,
    signed_bound,
    signed_overlay,
    signed_scale_html,
    softened,
)
from viz_app.problems import literal, show_problem

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from torch import Tensor

    from detector.explaining.saliency import Saliency
    from viz_app.scene import Scene

_FEWEST_COLUMNS = 3
_LEAST = 0.001  # the least probability that three digits tell from none
_BACKGROUND = "background"  # whatever the model calls it
_MEANS_GRADIENT = (
    "Bright: here a small change would move this logit most, the box staying where it is. That does not say that "
    "these pixels show the object, nor that they speak for it: covering them does."
)
_MEANS_OCCLUSION = (
    "Vermillion: covered by a patch of the image's mean colour, the logit falls; blue: it rises. Each pixel shows "
    "the mean of the patches over it, and a small effect may be that of the patch itself."
)


def show_saliency(
    scene: Scene, slot: int | None, anchor: int | None, label: int | None, box: Tensor | None = None
) -> None:
    """Draw the section.

    Args:
        scene: what is looked at.
        slot: class slot of the replay, kept or not; its RoI is asked about.
        anchor: asked for its objectness, and for the logit of `label` at its decoded box where there is no slot;
            the anchor of the slot's RoI by default.
        label: category, 1 to K-1; that of the slot by default.
        box: float [4], **network** frame: a RoI of the caller's own, such as an object's box, instead of the
            slot's or the anchor's.
    """
    logits = logits_about(scene, slot, anchor, label, box)
    with st.container(border=True):
        st.subheader("What the score hangs on", anchor=False)
        if not logits:
            st.caption("No anchor, no RoI and no box is at hand to ask about.")
            return
        with with_model():
            _ = scene.detector
            _section(scene, logits)


def logits_about(
    scene: Scene, slot: int | None, anchor: int | None, label: int | None, box: Tensor | None = None
) -> dict[str, AnyLogit]:
    """The logits that can be asked about, by what they are called; see `show_saliency`."""
    replay = scene.replay
    found: dict[str, AnyLogit] = {}
    if slot is not None:
        roi = int(replay.roi_of(torch.tensor(slot)))
        source = int(replay.head.anchor[roi])
        box = replay.head.boxes[roi] if box is None else box
        label = slot % (replay.class_scores.shape[1] - 1) + 1 if label is None else label
        anchor = source if anchor is None and source >= 0 else anchor
    elif anchor is not None and box is None:
        box = replay.proposals.boxes[anchor]
    if box is not None and label is not None and bool((box[2:] > box[:2]).all()):
        found |= {scene.trace.categories[label]: ClassLogit(box, label), _BACKGROUND: ClassLogit(box, 0)}
    if anchor is not None:
        found["objectness"] = ObjectnessLogit(anchor)
    return found


# A fragment of its own: another logit leaves the rest of the page as it is.
@fragment
def _section(scene: Scene, logits: dict[str, AnyLogit]) -> None:
    top = st.container(horizontal=True, vertical_alignment="center")
    with top:
        about = _choose(logits)
        if not is_quick(scene, about) and not _asked_for(scene):
            return
    try:
        with st.spinner("Running the model once more, with gradients …"):
            found = saliency_about(scene, about)
    except ValueError as problem:
        show_problem(st.container(), problem)
        return
    left, right = st.columns(2, gap="medium")
    with right:
        _numbers(scene, found)
        meaning = st.container()
        _levels(scene, found)
        offer_occlusion(scene, about)
    with left:
        meaning.caption(_picture(scene, found, top))


def _asked_for(scene: Scene) -> bool:
    """A button, for what takes seconds: a page that is opened for its verdict should not wait for it."""
    height, width = scene.trace.input.tensor.shape[-2:]
    place = st.empty()
    pressed = place.button(
        "Work out the gradient",
        icon=":material/gradient:",
        key="why.saliency.gradient",
        help=f"Runs the model forwards and backwards on {width} × {height} px: some seconds, and 2 GB of memory "
        "with a ResNet-50.",
    )
    if pressed:
        place.empty()
    return pressed


def _choose(logits: dict[str, AnyLogit]) -> AnyLogit:
    names = list(logits)
    chosen = st.segmented_control(
        "Logit",
        names,
        default=names[0],
        format_func=literal,
        required=True,
        key=f"why.saliency.logit.{'.'.join(names)}",
        persist_state="session",
        label_visibility="collapsed",
        help="The class logit of the RoI, that of the background, or the objectness of the anchor.",
    )
    return logits[chosen or names[0]]


def _numbers(scene: Scene, found: Saliency) -> None:
    about = found.about
    name = "Objectness"
    if isinstance(about, ClassLogit):
        name = scene.trace.categories[about.label] if about.label else _BACKGROUND
    logit = f"{found.value:.2f}".replace("-", "\u2212")
    probability = f"{found.probability:.3f}" if found.probability >= _LEAST else f"under {_LEAST:g}"
    st.markdown(f"**{literal(name)}**: logit **{logit}**, probability **{probability}**")


def _levels(scene: Scene, found: Saliency) -> None:
    """A small picture of every map of the pyramid: which cells add to the logit, which take from it."""
    labels, shares = level_labels(scene.trace, found.levels), shares_words(found)
    bound = max(signed_bound(values) for values in found.levels.values())
    columns = st.columns(max(len(found.levels), _FEWEST_COLUMNS), gap="small")
    for column, (name, values) in zip(columns, found.levels.items(), strict=False):
        with column:
            st.image(level_picture(scene.trace, values, bound, found.about), width="stretch")
            st.caption(f"**{labels[name]}** {shares[name]}")
    st.html(signed_scale_html(f"against \u2212{bound:.3g}", f"{bound:.3g} for it"))
    st.caption(
        "What each cell adds to the logit, to first order (gradient × activation), around the box. "
        + _carrier_words(found, labels)
    )


def _carrier_words(found: Saliency, labels: dict[str, str]) -> str:
    carriers = [labels[name] for name, share in found.shares.items() if share > 0]
    if len(carriers) != 1:
        return "The percentage is the share of each level."
    if isinstance(found.about, ObjectnessLogit):
        return f"The anchor lies on {carriers[0]}, and its objectness is read from there alone."
    return f"RoIAlign pools this RoI from {carriers[0]} alone."


def _picture(scene: Scene, found: Saliency, top: DeltaGenerator) -> str:
    """The map over the image; what it means. Where there are two, `top` lets one choose."""
    covered = known_occlusion(scene, found.about)
    groups = [about_group(scene.trace, found.about)]
    if covered is not None and choose_shown(scene, top) == "occlusion":
        values = covering_map(covered)
        layer = signed_overlay(values)
        most = signed_bound(values)
        scale = signed_scale_html(f"the logit rises by {most:.3g}", f"falls by {most:.3g}")
        groups.insert(0, covered_group(scene.trace, covered))
        means = _MEANS_OCCLUSION
    else:
        values = softened(found.image)
        layer = heat_overlay(values)
        scale = viridis_scale_html(0.0, heat_bound(values), f"gradient, blurred by {BLUR:g} px")
        means = _MEANS_GRADIENT
    show_picture(
        scene.trace.input.pixels,
        groups,
        key="why.saliency.picture",
        overlay=layer,
        scale=scale,
        on_pick=lambda _x, _y: None,
    )
    return means
