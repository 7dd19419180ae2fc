"""One real training step on the image of a page, under a seed that can be drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.roi_origins import RoiOrigins, roi_origins
from detector.tracing.sampling import training_trace
from viz_app import state

if TYPE_CHECKING:
    from detector.tracing.samples import TrainingView
    from detector.tracing.trace import Trace
    from viz_app.scene import Scene

SEED = "training.seed"
"""Key of the seed, the same on all pages."""

_KEPT = "training step"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingStep:
    """What one training step made of the image.

    Args:
        seed: it was drawn under.
        view: labels, samples, targets and losses of both stages.
        origins: where the drawn RoIs came from.
    """

    seed: int
    view: TrainingView
    origins: RoiOrigins


def seed_row(scene: Scene) -> int:
    """The seed, and a button that draws again under the next one; the same on all pages."""
    if scene.trace.training is not None:
        st.caption("This trace was recorded in training: what is shown is the step itself.")
        return 0
    left, right = st.columns([0.6, 0.4], vertical_alignment="bottom")
    with right:
        st.button(
            "Draw again", icon=":material/casino:", on_click=_next_seed, width="stretch", key="training.draw"
        )
    value = left.number_input("Seed", 0, 2**31 - 1, step=1, key=SEED, persist_state="session")
    return int(value or 0)


def training_step(scene: Scene, seed: int) -> TrainingStep:
    """The step under `seed`, kept while image and seed stay: it costs a forward of the whole detector.

    A trace of a training step is that step, whatever the seed.

    Raises:
        ValueError: no ground truth, no model, or one that draws its samples elsewhere than torchvision.
    """
    if scene.trace.training is not None:
        return TrainingStep(seed, scene.trace.training, roi_origins(scene.trace))
    known: tuple[Trace, TrainingStep] | None = state.remembered(_KEPT, None)
    if known is not None and known[0] is scene.trace and known[1].seed == seed:
        return known[1]
    with st.spinner("Running one training step …"):
        trace = training_trace(scene.detector, scene.trace, seed)
        if trace.training is None:
            raise ValueError(
                f"{scene.detector.name} does not draw its training samples through torchvision's samplers"
            )
        # The trace itself is let go: its features are many times larger than all that is shown of it.
        step = TrainingStep(seed, trace.training, roi_origins(trace))
    state.remember(_KEPT, (scene.trace, step))
    return step


def _next_seed() -> None:
    seed = state.widget(SEED)
    state.set_widget(SEED, (seed + 1) % 2**31 if isinstance(seed, int) else 1)
