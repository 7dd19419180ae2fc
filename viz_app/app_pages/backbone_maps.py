"""The maps of the backbone: any of them over the image, one cell with its field, all channels, all stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.cells import cell_with_number
from viz_app import state
from viz_app.app_pages.backbone_cell import chosen_cell, select_cell, tell_cell
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.parts import show_picture
from viz_app.app_pages.thumbnails import show_thumbnail
from viz_app.figures.activations import (
    activation_histograms,
    activation_table,
    all_statistics,
)
from viz_app.figures.backbone_maps import (
    NamedMap,
    cell_at,
    cell_groups,
    map_layer,
    named_maps,
)
from viz_app.figures.channel_sheet import ChannelSheet
from viz_app.figures.feature_maps import (
    Reduction,
    channel_energy,
    channels_by_energy,
    finite_range,
    reduce_channels,
    thumbnail,
    viridis_scale_html,
)
from viz_app.figures.words import shape_words

if TYPE_CHECKING:
    from torch import Tensor

    from detector.tracing.trace import Trace
    from viz_app.scene import Scene

_REDUCTIONS: tuple[Reduction, ...] = ("norm", "mean", "max")
_SHEET_CHANNELS = 60
_FEWEST_COLUMNS = 4
_SHARE = st.column_config.NumberColumn(format="percent")
_VALUE = st.column_config.NumberColumn(format="%.3g")
_STAGE_COLUMNS = {
    "stride, px": st.column_config.NumberColumn(format="%.3g", help="network frame"),
    "lowest": _VALUE,
    "mean": _VALUE,
    "highest": _VALUE,
    "zeros": st.column_config.NumberColumn(format="percent", help="share of all values"),
    "dead channels": st.column_config.NumberColumn(
        format="percent", help="share of the channels that are zero at every cell of this image"
    ),
    "saturated": st.column_config.NumberColumn(
        format="percent", help="share of the values within 1% of the map's greatest magnitude"
    ),
    "not finite": st.column_config.NumberColumn(format="percent", help="share of NaN and infinite values"),
}


def feature_maps(scene: Scene) -> None:
    """Draw the view."""
    maps = named_maps(scene.trace)
    if not maps:
        st.info(
            "This trace was stored without its feature maps. Store it with `features=True`, or open the image."
        )
        return
    columns = st.columns([0.53, 0.28, 0.19], gap="small", vertical_alignment="bottom")
    with columns[0]:
        one = _choose_map(scene.trace, maps)
    with columns[1]:
        shown = _choose_shown(one)
    with columns[2]:
        opacity = st.slider("Opacity", 0.0, 1.0, 0.65, 0.05, key="backbone.opacity", persist_state="session")
    _one_map(scene, one, shown, opacity)
    _thumbnails(maps)
    _channels(one, shown)
    _stages(maps)
    if not scene.trace.backbone.exact:
        st.caption("This trace was stored in a file, with its maps in half precision.")


# A fragment of its own: another cell leaves the other maps, channels and charts as they are.
@fragment
def _one_map(scene: Scene, one: NamedMap, shown: Reduction | int, opacity: float) -> None:
    """The map over the image, with a cell and its receptive field; the numbers of the cell beside it."""
    values = _shown_values(one, shown)
    cell = chosen_cell(scene.trace, one)
    left, right = st.columns(2, gap="medium")
    with right, st.container(border=True, height="stretch"):
        said = f"{_shown_words(shown)} **{float(values[cell]):.4g}**"
        field = tell_cell(scene, one, cell, said, shown if isinstance(shown, int) else None)
    with left, st.container(border=True, height="stretch"):
        scale = viridis_scale_html(*finite_range(values), f"{one.label}, {_shown_words(shown)}")
        layer = map_layer(scene.trace, one, values, opacity=opacity)
        show_picture(
            scene.trace.input.pixels,
            cell_groups(scene.trace, one, cell, field),
            key="backbone.map picture",
            overlay=layer,
            scale=scale,
            on_pick=lambda x, y: select_cell(scene.trace, one, cell_at(scene.trace, one, (x, y))),
        )


def _choose_map(trace: Trace, maps: tuple[NamedMap, ...]) -> NamedMap:
    labels = [one.label for one in maps]
    selected = state.selection()
    # Who comes from a cell of the RPN page sees the map that it is a cell of.
    cell = selected is not None and selected.kind == "cell" and cell_with_number(trace.rpn, selected.index)
    first = next((one.label for one in maps if cell and one.level == cell.level), labels[0])
    chosen = st.pills(
        "Map",
        labels,
        default=first,
        required=True,
        key=f"backbone.map.{'.'.join(labels)}",
        persist_state="session",
        help="C: from the body, bottom up. P: from the pyramid, top down. The number is the binary "
        "logarithm of the stride.",
    )
    return maps[labels.index(chosen or first)]


def _choose_shown(one: NamedMap) -> Reduction | int:
    """Over all channels, or one channel; the one that was clicked on the sheet."""
    energies = channel_energy(one.values).tolist()
    options = [*_REDUCTIONS, *channels_by_energy(one.values).tolist()]
    key = _shown_key(one)
    state.seed_widget(key, _REDUCTIONS[0])
    shown = st.selectbox(
        "Show",
        options,
        format_func=lambda name: (
            f"{_shown_words(name)} · energy {energies[name]:.3g}"
            if isinstance(name, int)
            else _shown_words(name)
        ),
        key=key,
        persist_state="session",
        help="Channels are sorted by energy (root mean square over the map); the norm is that of all channels.",
    )
    return options[0] if shown is None else shown


def _shown_key(one: NamedMap) -> str:
    return f"backbone.shown.{one.label}.{len(one.values)}"


def _shown_words(shown: Reduction | int) -> str:
    return f"channel {shown}" if isinstance(shown, int) else f"{shown} of all channels"


def _shown_values(one: NamedMap, shown: Reduction | int) -> Tensor:
    return one.values[shown].float() if isinstance(shown, int) else reduce_channels(one.values, shown)


def _thumbnails(maps: tuple[NamedMap, ...]) -> None:
    """Every map, small, side by side: what gets lost and what becomes clear from stage to stage."""
    with st.container(border=True):
        st.subheader("From stage to stage", anchor=False)
        for column, one in zip(st.columns(max(len(maps), _FEWEST_COLUMNS)), maps, strict=False):
            with column:
                show_thumbnail(thumbnail(reduce_channels(one.values, "norm")))
                st.caption(f"**{one.label}** {shape_words(one.values.shape)}")
        st.caption("Norm over all channels, each map in its own range; the padding is shown too.")


def _channels(one: NamedMap, shown: Reduction | int) -> None:
    """The most active channels; a click on one shows it over the image."""
    with st.container(border=True):
        st.subheader(f"Channels of {one.label}", anchor=False)
        order = channels_by_energy(one.values)[:_SHEET_CHANNELS].tolist()
        sheet = ChannelSheet(one.values, tuple(order))
        chosen = shown if isinstance(shown, int) else None
        show_picture(
            sheet.pixels(),
            sheet.groups(chosen),
            key="backbone.sheet",
            on_pick=lambda x, y: _choose_channel(one, sheet.channel_at(x, y)),
        )
        st.caption(
            f"The {len(order)} of {len(one.values)} channels of highest energy, row by row, "
            "each in its own range. Click one to see it over the image."
        )


def _choose_channel(one: NamedMap, channel: int | None) -> None:
    if channel is not None:
        state.set_widget(_shown_key(one), channel)


def _stages(maps: tuple[NamedMap, ...]) -> None:
    with st.container(border=True):
        st.subheader("Activations of every stage", anchor=False)
        numbers = all_statistics(maps)
        show_chart(activation_histograms(maps, numbers), key="backbone.activations")
        st.dataframe(
            activation_table(maps, numbers), hide_index=True, column_config=_STAGE_COLUMNS, height="content"
        )
