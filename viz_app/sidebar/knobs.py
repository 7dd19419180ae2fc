"""The threshold sliders: what each is called, how far it goes, and the way back to the model's own values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from detector.tracing.thresholds import Thresholds
from viz_app import state


@dataclass(frozen=True, slots=True)
class Knob:
    """One slider.

    Args:
        field: of `Thresholds`.
        label: for people.
        help: one sentence.
        step: of the slider; a whole number for counts.
        most: right end of the slider, unless the model's own value is higher.
    """

    field: str
    label: str
    help: str
    step: float
    most: float = 1.0

    @property
    def is_count(self) -> bool:
        """Whether it counts candidates."""
        return isinstance(self.step, int)


_MODEL = "sliders of model"
_MOST = "most.{}"
_NOISE = 1e-9

RPN_KNOBS = (
    Knob(
        "rpn_nms",
        "RPN NMS IoU",
        "A proposal that overlaps a better one of its level by more is suppressed.",
        0.01,
    ),
    Knob(
        "rpn_pre_nms_top_n",
        "keep per level",
        "Best anchors of each level that enter NMS (pre-NMS top-n).",
        1,
        2000,
    ),
    Knob("rpn_post_nms_top_n", "keep per image", "Proposals that leave the RPN (post-NMS top-n).", 1, 2000),
    Knob("rpn_score", "min. objectness", "Objectness probability that a proposal must reach.", 0.005),
)
BOX_KNOBS = (
    Knob("box_score", "Score", "Class probability that a detection must exceed.", 0.005),
    Knob(
        "box_nms",
        "Box NMS IoU",
        "A detection that overlaps a better one of its class by more is suppressed.",
        0.01,
    ),
    Knob("box_limit", "limit", "Detections per image, the best ones.", 1, 300),
)


PREVIEWED = {"score": BOX_KNOBS[0].label, "nms": BOX_KNOBS[1].label}
"""Labels of the sliders that a picture can follow by itself."""


def threshold_sliders(own: Thresholds, model: str) -> Thresholds:
    """Draw all sliders and return their values.

    Args:
        own: the model's own thresholds, where the sliders start.
        model: key of the model; another model gets sliders of its own.
    """
    wanted = dict(state.choice().thresholds)
    state.remember(_MODEL, model)
    values = {}
    for title, knobs in (("RPN filter", RPN_KNOBS), ("Box filter", BOX_KNOBS)):
        st.caption(title)
        for knob in knobs:
            values[knob.field] = _slider(knob, own, wanted, model)
    st.button(
        "reset to the model's own", type="tertiary", key="reset", on_click=_reset, args=(own, model),
        disabled=own.replace(**values) == own,
    )  # fmt: skip
    changed = own.replace(**values)
    differing = sorted((name, value) for name, value in values.items() if value != getattr(own, name))
    state.choose(replace(state.choice(), thresholds=tuple(differing)))
    return changed


def move_sliders(thresholds: Thresholds) -> None:
    """Give every slider the value of its threshold, to the last digit; in a callback, before they are drawn.

    A slider whose end lies below the value becomes longer.
    """
    state.forget_notices()
    for knob in (*RPN_KNOBS, *BOX_KNOBS):
        key, value = _key(knob, state.remembered(_MODEL, "")), getattr(thresholds, knob.field)
        if knob.is_count and value > state.remembered(_MOST.format(key), value):
            state.remember(_MOST.format(key), value)
        state.set_widget(key, value)


def _slider(knob: Knob, own: Thresholds, wanted: dict[str, float], model: str) -> float:
    start = getattr(own, knob.field)
    key = _key(knob, model)
    state.seed_widget(key, wanted.get(knob.field, start))
    if knob.is_count:
        # Fixed once: a slider whose end moves forgets its value.
        most = state.remembered(_MOST.format(key), int(max(knob.most, start, wanted.get(knob.field, 1))))
        state.remember(_MOST.format(key), most)
        return st.slider(knob.label, 1, most, step=1, key=key, help=knob.help, on_change=state.forget_notices)
    shown = "%.3f" if knob.step < 0.01 else "%.2f"
    value = st.slider(
        knob.label,
        0.0,
        1.0,
        step=knob.step,
        format=shown,
        key=key,
        help=knob.help,
        on_change=state.forget_notices,
    )
    # The browser adds up steps, and 0.1 + 0.2 would stand in the address. A value that was set is not rounded:
    # a score threshold of exactly a detection's score means another thing than one a millionth below.
    near = round(value, 6)
    return near if value != start and abs(near - value) < _NOISE else value


def _reset(own: Thresholds, model: str) -> None:
    state.forget_notices()
    for knob in (*RPN_KNOBS, *BOX_KNOBS):
        state.set_widget(_key(knob, model), getattr(own, knob.field))


def set_box_thresholds(score: float, nms: float) -> None:
    """Move two sliders of the box filter; only before they are drawn in this run, or in a callback."""
    state.forget_notices()
    for knob, value in zip(BOX_KNOBS, (score, nms), strict=False):
        state.set_widget(_key(knob, state.remembered(_MODEL, "")), value)


def _key(knob: Knob, model: str) -> str:
    return f"{knob.field}@{model}"
