"""What a score hangs on: the pixels and the cells of the pyramid, and what covering the image does to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import streamlit as st
import torch

from detector.explaining.logits import AnyLogit, ClassLogit, ObjectnessLogit
from viz_app import state
from viz_app.app_pages.parts import image_key, show_picture, with_model
from viz_app.app_pages.why_saliency_facts import known_occlusion, occlusion_of, saliency_about
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
    surroundings,
)
from viz_app.problems import literal, show_problem

if TYPE_CHECKING:
    from torch import Tensor

    from detector.explaining.saliency import Saliency
    from viz_app.scene import Scene

Where = Literal["around the box", "whole image"]
_FEWEST_COLUMNS = 3
_GRADIENT, _OCCLUSION = "gradient", "occlusion"
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
        names = scene.trace.categories
        found |= {names[label]: ClassLogit(box, label), names[0]: ClassLogit(box, 0)}
    if anchor is not None:
        found["objectness"] = ObjectnessLogit(anchor)
    return found


# A fragment of its own: another logit leaves the rest of the page as it is.
@st.fragment
def _section(scene: Scene, logits: dict[str, AnyLogit]) -> None:
    left, right = st.columns(2, gap="medium")
    with right:
        about = _choose(logits)
        try:
            with st.spinner("Running the model once more, with gradients …"):
                found = saliency_about(scene, about)
        except ValueError as problem:
            show_problem(st.container(), problem)
            return
        _numbers(scene, found)
        meaning = st.container()
        _levels(scene, found)
        _slow_check(scene, about)
    with left:
        meaning.caption(_picture(scene, found))


def _choose(logits: dict[str, AnyLogit]) -> AnyLogit:
    names = list(logits)
    chosen = st.segmented_control(
        "Logit",
        names,
        default=names[0],
        required=True,
        key=f"why.saliency.logit.{'.'.join(names)}",
        persist_state="session",
        label_visibility="collapsed",
        help="The class logit of the RoI, that of the background, or the objectness of the anchor.",
    )
    return logits[chosen or names[0]]


def _numbers(scene: Scene, found: Saliency) -> None:
    about = found.about
    name = "Objectness" if isinstance(about, ObjectnessLogit) else scene.trace.categories[about.label]
    st.markdown(f"**{literal(name)}**: logit **{found.value:.2f}**, probability **{found.probability:.3f}**")


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


def _picture(scene: Scene, found: Saliency) -> str:
    """The map over the image; what it means."""
    covered = known_occlusion(scene, found.about)
    groups = [about_group(scene.trace, found.about)]
    if covered is not None and _choose_shown(scene) == _OCCLUSION:
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


def _shown_key(scene: Scene) -> str:
    return f"why.saliency.shown.{image_key(scene.trace)}"


def _choose_shown(scene: Scene) -> str:
    key = _shown_key(scene)
    state.seed_widget(key, _OCCLUSION)
    return (
        st.segmented_control(
            "Shown", [_GRADIENT, _OCCLUSION], required=True, key=key, label_visibility="collapsed"
        )
        or _OCCLUSION
    )


def _slow_check(scene: Scene, about: AnyLogit) -> None:
    """The button that covers the image place by place, and where it does so."""
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen: Where = (
            st.segmented_control(
                "Cover",
                ["around the box", "whole image"],
                default="around the box",
                required=True,
                key="why.saliency.where",
                persist_state="session",
                label_visibility="collapsed",
            )
            or "around the box"
        )
        pressed = st.button(
            "Occlusion map (slow check)",
            icon=":material/grid_on:",
            key="why.saliency.occlude",
            help="A patch of the image's mean colour slides over it, and the model looks again at every place.",
        )
    if not pressed:
        return
    patch, stride, region = cover_plan(scene, about, chosen)
    bar = st.progress(0.0, text="Covering the image …")
    began = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - began) / done * (total - done)
        bar.progress(done / total, text=f"Covered {done} of {total} places, about {left:.0f} s left")

    try:
        occlusion_of(scene, about, patch, stride, region, tell)
    except ValueError as problem:
        show_problem(st.container(), problem)
        return
    bar.empty()
    state.set_widget(_shown_key(scene), _OCCLUSION)


def cover_plan(scene: Scene, about: AnyLogit, where: Where) -> tuple[int, int, Tensor | None]:
    """Patch and stride, px, and region, network frame: about 15 places along the longer side, half overlapping."""
    region = surroundings(scene.trace, about) if where == "around the box" else None
    height, width = scene.trace.input.network_size
    longest = max(height, width) if region is None else float((region[2:] - region[:2]).max())
    stride = max(round(longest / 16), 1)
    return 2 * stride, stride, region
