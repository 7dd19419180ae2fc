"""Input & backbone: the image as the network gets it, the maps the backbone makes of it, and its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.backbone_explained import explain_backbone
from viz_app.app_pages.backbone_maps import feature_maps
from viz_app.app_pages.backbone_weights import weights
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import image_key, linked_table, show_picture, with_model
from viz_app.figures import input_image as figures
from viz_app.figures.feature_maps import colorize, finite_range, viridis_scale_html
from viz_app.figures.input_image import CHANNELS, InputRules
from viz_app.links import Selected

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.trace import Trace
    from viz_app.scene import Scene

_TURNED_BACK = "all, turned back"
_NUMBER = st.column_config.NumberColumn(format="%.3f")


def render(scene: Scene) -> None:
    """Draw the page."""
    _stage(scene)


# A fragment: choosing a view, a map or a channel draws this page again and nothing else.
@fragment
def _stage(scene: Scene) -> None:
    view = st.segmented_control(
        "View",
        list(_VIEWS),
        default="Input",
        required=True,
        key="backbone.view",
        persist_state="session",
        label_visibility="collapsed",
    )
    with with_model():
        _VIEWS[view or "Input"](scene)
    with st.expander("What happens here"), with_model():
        st.markdown(explain_backbone(scene))


def _input(scene: Scene) -> None:
    """Both frames side by side, how the values spread, and the objects in both frames."""
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        _file(scene.trace)
    with right, st.container(border=True, height="stretch"), with_model():
        _network(scene.trace, InputRules.from_detector(scene.detector))
    if scene.model is not None:
        _values(scene.trace, InputRules.from_detector(scene.model))
    _objects(scene.trace)


def _file(trace: Trace) -> None:
    height, width = trace.input.image_size
    st.subheader("The file", anchor=False)
    groups = figures.truth_groups(trace, "image")
    pick = show_picture(trace.input.pixels, groups, key="backbone.file")
    st.caption(f"Image frame: {width} × {height} px, values 0 to 255. A click tells those of a pixel.")
    if pick is not None and pick.x >= 0:
        st.caption(figures.pixel_words(trace, pick.x, pick.y))
    if trace.ground_truth is None:
        st.caption("No ground truth is known for this image.")
    elif not groups:
        st.caption("The annotations say that this image holds no object.")


def _network(trace: Trace, rules: InputRules) -> None:
    st.subheader("What the network gets", anchor=False)
    place = st.container()  # above the choice of what it shows, beside the file's own picture
    pixels, scale = _shown(trace, rules)
    groups = figures.padding_groups(trace) + figures.truth_groups(trace, "network")
    with place:
        show_picture(pixels, groups, key="backbone.network", scale=scale)
        st.caption(f"Network frame: {_size_words(trace)}.")


def _shown(trace: Trace, rules: InputRules) -> tuple[Tensor, str]:
    """The network's input as pixels, whole or one channel of it, and what the colours mean."""
    import torch

    chosen = st.pills(
        "Channels",
        [_TURNED_BACK, *CHANNELS],
        default=_TURNED_BACK,
        required=True,
        key="backbone.input channel",
        persist_state="session",
        label_visibility="collapsed",
        help="Turned back: the normalisation undone, as colours. A channel: its normalised values.",
    )
    shape = trace.input.tensor.shape
    if chosen not in CHANNELS:
        return figures.network_picture(figures.turned_back(trace, rules), shape), ""
    rows, columns = trace.input.network_size
    values = trace.input.tensor[CHANNELS.index(chosen), :rows, :columns]
    colors = torch.from_numpy(colorize(values)).permute(2, 0, 1) / 255
    return figures.network_picture(colors, shape), viridis_scale_html(
        *finite_range(values), f"{chosen}, standard deviations"
    )


def _size_words(trace: Trace) -> str:
    """Sizes after the resize and after the padding."""
    rows, columns = trace.input.network_size
    high, wide = trace.input.tensor.shape[-2:]
    factor = figures.factors(trace)[0]
    same = trace.input.network_size == trace.input.image_size
    resized = "not resized" if same else f"resized × {factor:.3g} to {columns} × {rows} px"
    added = figures.padding_words(trace)
    if not added:
        return f"{resized}, not padded: {wide} × {high} px"
    return f"{resized}, padded by {added} to {wide} × {high} px (striped)"


def _values(trace: Trace, rules: InputRules) -> None:
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.subheader("Values in the file", anchor=False)
        show_chart(figures.file_histogram(trace), key="backbone.raw values")
    with right, st.container(border=True, height="stretch"):
        st.subheader("Values the network gets", anchor=False)
        show_chart(figures.normalised_histogram(trace), key="backbone.values")
    with st.container(border=True):
        st.subheader("Per channel", anchor=False)
        table = figures.channel_table(trace, rules)
        st.dataframe(
            table, hide_index=True, column_config=dict.fromkeys(table.columns[1:], _NUMBER), height="content"
        )
        st.caption(
            "Values from 0 to 1, minus the mean, divided by the standard deviation; "
            "the last four columns are what the network gets, without the padding."
        )


def _objects(trace: Trace) -> None:
    truth = trace.ground_truth
    if truth is None or len(truth) == 0:
        return
    with st.container(border=True):
        st.subheader("Objects in both frames", anchor=False)
        linked_table(
            figures.object_frames_table(trace),
            [Selected("object", index) for index in range(len(truth))],
            f"backbone.objects.{image_key(trace)}",
            {"": st.column_config.TextColumn(width=36)},
        )


_VIEWS: dict[str, Callable[[Scene], None]] = {
    "Input": _input,
    "Feature maps": feature_maps,
    "Weights": weights,
}
