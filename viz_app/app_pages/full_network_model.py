"""The model of Full network, part by part: shapes, time, memory and parameters, measured on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

import streamlit as st

from detector.tracing.profile import Profile, profile
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.parts import with_model
from viz_app.figures.module_tree import module_table, time_figure
from viz_app.problems import literal

if TYPE_CHECKING:
    from viz_app.scene import Scene

_MEBI = st.column_config.NumberColumn(format="%.2f", width=60)
_SHARE = st.column_config.ProgressColumn(format="percent", max_value=1.0, width=92)
_COUNT = st.column_config.NumberColumn(format="localized", width=84)
_COLUMNS = {
    "part": st.column_config.TextColumn(width=116),
    "module": st.column_config.TextColumn(width=112),
    "input": st.column_config.TextColumn(width=152),
    "output": st.column_config.TextColumn(width=152),
    "runs": st.column_config.NumberColumn(width=44),
    "time": _SHARE,
    "ms": _MEBI,
    "memory": _SHARE,
    "MiB": _MEBI,
    "parameters": _COUNT,
    "trainable": _COUNT,
}


def show_model(scene: Scene) -> None:
    """Where the time went, and a table of the parts."""
    with with_model():
        _parts(scene)


def _parts(scene: Scene) -> None:
    for note in scene.detector.notes:
        st.caption(literal(note))
    measured = _profile(scene)
    show_chart(time_figure(measured), key="full_network.time")
    st.dataframe(module_table(measured), hide_index=True, height=420, column_config=_COLUMNS)
    st.caption(
        f"Measured on this image in one forward of {measured.whole.seconds * 1000:,.0f} ms; a busy machine is "
        "slower. Memory: the activations that the layers of a part made, as training would have to keep them; "
        "here most is freed at once."
    )


def _profile(scene: Scene) -> Profile:
    """Measured once for each image that is looked at."""
    known = state.remembered("profile", None)
    if known is not None and known[0]() is scene.replayer:
        return known[1]
    with st.spinner("Running the model once more, with a clock on every part …"):
        measured = profile(scene.detector, scene.trace)
    state.remember("profile", (ref(scene.replayer), measured))
    return measured
