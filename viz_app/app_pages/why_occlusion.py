"""Covering the image on request: the slow check of what a score hangs on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import streamlit as st

from viz_app import state
from viz_app.app_pages.parts import image_key
from viz_app.app_pages.why_saliency_facts import occlusion_of
from viz_app.figures.saliency import surroundings
from viz_app.problems import show_problem

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from torch import Tensor

    from detector.explaining.logits import AnyLogit
    from viz_app.scene import Scene

Where = Literal["around the box", "whole image"]
Shown = Literal["gradient", "occlusion"]


def choose_shown(scene: Scene, place: DeltaGenerator) -> Shown:
    """Which of the two maps is on the picture, once there are two; the one that was asked for last."""
    key = _shown_key(scene)
    state.seed_widget(key, "occlusion")
    options: list[Shown] = ["gradient", "occlusion"]
    chosen = place.segmented_control("Shown", options, required=True, key=key, label_visibility="collapsed")
    return chosen or "occlusion"


def _shown_key(scene: Scene) -> str:
    return f"why.saliency.shown.{image_key(scene.trace)}"


def offer_occlusion(scene: Scene, about: AnyLogit) -> None:
    """The button that covers the image place by place, and where it does so."""
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "Cover",
            ["around the box", "whole image"],
            default="around the box",
            required=True,
            key="why.saliency.where",
            persist_state="session",
            label_visibility="collapsed",
        )
        pressed = st.button(
            "Occlusion map (slow check)",
            icon=":material/grid_on:",
            key="why.saliency.occlude",
            help="A patch of the image's mean colour slides over it, and the model looks again at every place.",
        )
    if pressed:
        _cover(scene, about, "whole image" if chosen == "whole image" else "around the box")


def _cover(scene: Scene, about: AnyLogit, where: Where) -> None:
    patch, stride, region = cover_plan(scene, about, where)
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
    state.set_widget(_shown_key(scene), "occlusion")


def cover_plan(scene: Scene, about: AnyLogit, where: Where) -> tuple[int, int, Tensor | None]:
    """Patch and stride, px, and region, network frame: about 15 places along the longer side, half overlapping."""
    region = surroundings(scene.trace, about) if where == "around the box" else None
    height, width = scene.trace.input.network_size
    longest = max(height, width) if region is None else float((region[2:] - region[:2]).max())
    stride = max(round(longest / 16), 1)
    return 2 * stride, stride, region
