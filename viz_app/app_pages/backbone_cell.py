"""One cell of one map: which is selected, where it looks, and what all channels say there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.tracing.cells import Cell, cell_number, cell_of_anchor, cell_with_number
from viz_app import state
from viz_app.app_pages.backbone_facts import fields_of
from viz_app.app_pages.charts import show_chart
from viz_app.figures.activations import cell_values_figure
from viz_app.figures.backbone_maps import NamedMap, cell_at, cell_centre, cells_table, named_maps
from viz_app.figures.words import size_words
from viz_app.links import Selected
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.tracing.receptive_field import FieldMap, ReceptiveFields
    from detector.tracing.trace import Trace
    from viz_app.scene import Scene


def chosen_cell(trace: Trace, one: NamedMap) -> tuple[int, int]:
    """The cell (y, x) of a map where the selected cell, anchor or object is; in the middle without one."""
    selected, truth = state.selection(), trace.ground_truth
    height, width = trace.input.image_size
    if selected is not None and selected.kind == "object" and truth is not None:
        x1, y1, x2, y2 = truth.boxes[selected.index].tolist()
        return cell_at(trace, one, ((x1 + x2) / 2, (y1 + y2) / 2))
    if selected is None or selected.kind == "object":
        return cell_at(trace, one, (width / 2, height / 2))
    anchor = selected.anchor
    cell = (
        cell_with_number(trace.rpn, selected.index) if anchor is None else cell_of_anchor(trace.rpn, anchor)
    )
    home = next(other for other in named_maps(trace) if other.level == cell.level)
    return (
        (cell.y, cell.x)
        if home.label == one.label
        else cell_at(trace, one, cell_centre(trace, home, (cell.y, cell.x)))
    )


def select_cell(trace: Trace, one: NamedMap, cell: tuple[int, int]) -> None:
    """Select a cell; one of the body stands for the cell of the pyramid at the same place."""
    levels = [other for other in named_maps(trace) if other.level is not None]
    home = one if one.level is not None else next((o for o in levels if o.size == one.size), levels[0])
    y, x = cell if home.size == one.size else cell_at(trace, home, cell_centre(trace, one, cell))
    state.select(Selected("cell", cell_number(trace.rpn, Cell(home.level or 0, y, x))))


def tell_cell(
    scene: Scene, one: NamedMap, cell: tuple[int, int], words: str, channel: int | None
) -> FieldMap | None:
    """Place, value, stride and receptive field of a cell, and what all channels say there.

    Args:
        scene: what is looked at.
        one: the map.
        cell: (y, x).
        words: what is shown of the map, with its value at the cell, as Markdown.
        channel: the one that stands out in the chart.

    Returns:
        The receptive fields of the map, None where they are not known.
    """
    y, x = cell
    _cell_inputs(scene.trace, one, cell)
    st.markdown(f"**{one.label}, cell ({y}, {x})**: {words}")
    step_y, step_x = one.stride
    stride = f"{step_x:.4g} px" if step_x == step_y else f"{step_x:.4g} × {step_y:.4g} px"
    fields = _known_fields(scene)
    field, reached = _field_words(scene, one, cell, fields)
    st.caption(f"Stride {stride}. {reached} Network frame, width × height.")
    show_chart(cell_values_figure(one.values, cell, channel), key="backbone.cell values")
    _through_maps(scene, one, cell, fields)
    return field


def _cell_inputs(trace: Trace, one: NamedMap, cell: tuple[int, int]) -> None:
    """The cell as two numbers, for the keyboard."""
    columns = st.columns(2)
    for column, name, place, most in zip(columns, ("row y", "column x"), cell, one.size, strict=True):
        key = f"backbone.{name}.{one.label}.{most}"
        state.set_widget(key, place)
        column.number_input(
            f"Cell {name}", 0, most - 1, key=key, on_change=_typed, args=(trace, one), disabled=most == 1
        )


def _typed(trace: Trace, one: NamedMap) -> None:
    y, x = (
        int(str(state.widget(f"backbone.{name}.{one.label}.{most}")))
        for name, most in zip(("row y", "column x"), one.size, strict=True)
    )
    select_cell(trace, one, (y, x))


def _known_fields(scene: Scene) -> ReceptiveFields | str:
    """The receptive fields of all maps, or a sentence on why they are not known."""
    height, width = scene.trace.input.tensor.shape[-2:]
    try:
        return fields_of(scene.detector.model, (height, width))
    except ValueError as problem:
        return literal(as_sentence(problem))


def _field_words(
    scene: Scene, one: NamedMap, cell: tuple[int, int], fields: ReceptiveFields | str
) -> tuple[FieldMap | None, str]:
    if isinstance(fields, str):
        return None, fields
    field = one.field(fields)
    if field is None or (len(field.rows), len(field.columns)) != one.size:
        return None, "Its receptive field is not known."
    box = field.box(*cell)
    if float(box[2]) == 0:
        return field, "It reads nothing but padding."
    height, width = scene.trace.input.tensor.shape[-2:]
    reached = f"Receptive field {size_words(box)} px of {width} × {height}"
    if field.unknown:
        reached += f" at most ({literal(', '.join(field.unknown))} cannot be followed)"
    gates = " Averages over the whole map reach it, too." if field.gated else ""
    return field, f"{reached}.{gates}"


def _through_maps(scene: Scene, one: NamedMap, cell: tuple[int, int], fields: ReceptiveFields | str) -> None:
    point = cell_centre(scene.trace, one, cell)
    known = None if isinstance(fields, str) else fields
    st.caption("The same place on every map:")
    st.dataframe(
        cells_table(scene.trace, named_maps(scene.trace), point, known),
        hide_index=True,
        column_config={
            "stride, px": st.column_config.NumberColumn(format="%.3g", help="network frame"),
            "receptive field, px": st.column_config.TextColumn(help="width × height, network frame"),
            "norm": st.column_config.NumberColumn(format="%.3g", help="of all channels at this cell"),
        },
        height="content",
    )
