"""The weights of the whole model: what is broken, a table of all tensors, and one of them as a histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.models.weight_statistics import EXPLODING, find_tensor
from viz_app.app_pages.backbone_facts import weights_of
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import select_row
from viz_app.figures.weights import alert_words, magnitude_figure, part_of, weight_histogram, weight_table
from viz_app.figures.words import shape_words
from viz_app.problems import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.models.weight_statistics import WeightStatistics
    from viz_app.scene import Scene

_ALL, _ALERTS = "all", "with alerts"
_SMALL = st.column_config.NumberColumn(format="%.3g", width=62)
_COLUMNS = {
    "tensor": st.column_config.TextColumn(width=245),
    "alert": st.column_config.TextColumn(width=110),
    "shape": st.column_config.TextColumn(width=100),
    "mean": _SMALL,
    "std": _SMALL,
    "largest": st.column_config.NumberColumn(format="%.3g", width=62, help="greatest magnitude"),
    "zeros": st.column_config.NumberColumn(
        format="percent", width=62, help="share of entries that are exactly zero"
    ),
}


def weights(scene: Scene) -> None:
    """Draw the view."""
    numbers = weights_of(scene.detector.model)
    if any(one.alert for one in numbers):
        st.warning(alert_words(numbers))
    else:
        st.markdown(f":green-badge[healthy] {alert_words(numbers)}")
    parts = list(dict.fromkeys(part_of(one.name) for one in numbers))
    left, right = st.columns([0.62, 0.38], gap="medium")
    with left, st.container(border=True, height="stretch"):
        part = st.pills(
            "Part of the model",
            [_ALL, *parts, *([_ALERTS] if any(one.alert for one in numbers) else [])],
            default=_ALL,
            required=True,
            key=f"backbone.part.{scene.detector.name}",
            label_visibility="collapsed",
        )
        shown = [one for one in numbers if _belongs(one, str(part or _ALL))]
        key = f"backbone.weights.{scene.detector.name}.{part}"
        row = select_row(weight_table(shown), key, _COLUMNS, required=True, height=580)
    with right, st.container(border=True, height="stretch"):
        _tensor(scene, shown, row or 0)


def _belongs(one: WeightStatistics, part: str) -> bool:
    return part == _ALL or (one.alert is not None if part == _ALERTS else part_of(one.name) == part)


def _tensor(scene: Scene, shown: Sequence[WeightStatistics], row: int) -> None:
    """The selected tensor."""
    one = shown[row]
    st.subheader(literal(one.name.rpartition(".")[0] or one.name), anchor=False)
    kind = one.kind if one.kind == "buffer" else "trained" if one.trainable else "frozen"
    st.caption(
        f"{literal(one.module)}, {one.name.rpartition('.')[2]}, {shape_words(one.shape) or 'a scalar'}, {kind}"
    )
    value = find_tensor(scene.detector.model, one.name)
    show_chart(weight_histogram(value, one.name), key="backbone.weight histogram")
    if one.non_finite:
        st.caption(f"{one.non_finite:,} of {one.count:,} entries are NaN or infinite and left out.")
    st.caption(
        f"{one.count:,} entries, mean {one.mean:.3g}, std {one.std:.3g}, from {one.low:.3g} to {one.high:.3g}."
    )
    show_chart(magnitude_figure(shown, row), key="backbone.magnitudes")
    st.caption(f"Every tensor of the table. Dotted: {EXPLODING:g}, where a parameter counts as exploding.")
