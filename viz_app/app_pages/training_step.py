"""One real training step on the image of a page, under a seed that can be drawn again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import streamlit as st

from detector.tracing.roi_origins import RoiOrigins, roi_origins
from detector.tracing.sampling import training_trace
from detector.tracing.trace import BackboneStage
from viz_app import state

if TYPE_CHECKING:
    from detector.tracing.replay import Replayer
    from detector.tracing.samples import TrainingView
    from detector.tracing.trace import Trace
    from viz_app.scene import Scene

SEED = "training.seed"
"""Key of the seed, the same on all pages."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingStep:
    """What one training step made of the image.

    Args:
        seed: it was drawn under.
        trace: of the step, without its maps.
        view: labels, samples, targets and losses of both stages.
        origins: where the drawn RoIs came from.
    """

    seed: int
    trace: Trace
    view: TrainingView
    origins: RoiOrigins


# The last step of each image, on whichever page it was asked for; gone with the image.
_KNOWN: WeakKeyDictionary[Replayer, TrainingStep] = WeakKeyDictionary()


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
        return TrainingStep(seed, scene.trace, scene.trace.training, roi_origins(scene.trace))
    known = _KNOWN.get(scene.replayer)
    if known is not None and known.seed == seed:
        return known
    with st.spinner("Running one training step …"):
        trace = training_trace(scene.detector, scene.trace, seed)
    if trace.training is None:
        raise ValueError(
            f"{scene.detector.name} does not draw its training samples through torchvision's samplers"
        )
    step = TrainingStep(seed, _without_maps(trace), trace.training, roi_origins(trace))
    _KNOWN[scene.replayer] = step
    return step


def _without_maps(trace: Trace) -> Trace:
    """The maps are let go: they are many times larger than all that is shown of the step."""
    head = replace(trace.head, embedding=None, features=None)
    return replace(trace, backbone=BackboneStage({}, {}, exact=False), head=head)


def _next_seed() -> None:
    seed = state.widget(SEED)
    state.set_widget(SEED, (seed + 1) % 2**31 if isinstance(seed, int) else 1)
