"""Numbers and charts of a diagnosed data set; a click on a bar shows its objects in the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from detector.judging.summary import Group
from viz_app import state
from viz_app.app_pages.charts import show_chart
from viz_app.app_pages.dataset_choice import survey
from viz_app.app_pages.dataset_shown import ShownRun, choose_part, chosen_part
from viz_app.figures.mechanisms import MECHANISM_WORDS, mechanisms_figure
from viz_app.figures.oracle import oracle_figure
from viz_app.figures.tide import TIDE_WORDS, tide_figure
from viz_app.figures.waterfall import MOST_GROUPS, groups_figure, waterfall_figure
from viz_app.survey import SIZES, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import plotly.graph_objects as go

_ALL, _SIZE, _CATEGORY = "all", "by size", "by class"
_MECHANISMS, _TIDE = "mechanisms", "TIDE"


def show_numbers(run: ShownRun) -> None:
    """The headline: a row of numbers."""
    summary = run.summary
    recall = f"recall {summary.found / summary.objects:.1%}" if summary.objects else None
    numbers = (
        ("Images", f"{summary.images:,}", None, "Images that could be used."),
        ("Objects", f"{summary.objects:,}", None, "Annotated objects that are no crowd region."),
        ("Found", f"{summary.found:,}", recall, f"Matched by a detection of their class, IoU ≥ {summary.iou:g}."),
        ("False positives", f"{len(run.errors):,}", None, "Detections that match no object and no crowd region."),
        ("AP", _ap(summary.coco.AP), None, "COCO's, over IoU 0.50 to 0.95, of what the thresholds let through."),
        ("AP50", _ap(summary.coco.AP50), None, "COCO's average precision at IoU 0.50."),
    )  # fmt: skip
    for column, (label, value, delta, about) in zip(
        st.columns([0.9, 0.9, 1, 1.3, 0.9, 0.9]), numbers, strict=True
    ):
        column.metric(
            label,
            value,
            delta,
            help=about,
            border=True,
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )


def show_charts(run: ShownRun) -> None:
    """Where objects are lost, and what kind of error it is."""
    left, right = st.columns([0.62, 0.38], gap="small")
    with left, st.container(border=True, height="stretch"):
        _where(run)
    with right, st.container(border=True, height="stretch"):
        _kinds(run)


def show_oracle(run: ShownRun) -> None:
    """What AP would gain if a rung were perfect."""
    with st.container(border=True, height="stretch"):
        st.subheader("If a rung lost nothing", anchor=False)
        gains = run.summary.oracle
        if not gains:
            st.caption("No rung loses an object: there is nothing to gain.")
            return
        part = chosen_part()
        chosen = part.value if part is not None and part.kind == "rung" else None
        known = {one.rung for one in gains}
        _chart(
            oracle_figure(gains, chosen if chosen in known else None),
            "dataset.oracle",
            lambda rung: choose_part(Part("rung", rung)),
        )
        st.caption(
            "AP is computed again as if the objects that a rung lost had been found there. It says which stage is "
            "worth the work, not that a change of its threshold brings this gain."
        )


def _where(run: ShownRun) -> None:
    title, choice = st.columns([0.52, 0.48], vertical_alignment="center")
    title.subheader("Where objects are lost", anchor=False)
    with choice, st.container(horizontal=True, horizontal_alignment="right"):
        view = st.segmented_control(
            "Grouped", (_ALL, _SIZE, _CATEGORY), default=_ALL, required=True, key="dataset.groups",
            label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
    if view == _SIZE:
        groups = {size: run.summary.by_size[size] for size in SIZES if size in run.summary.by_size}
        _groups(run, groups, "size")
    elif view == _CATEGORY:
        _groups(run, dict(run.summary.by_category), "category")
    else:
        part = chosen_part()
        chosen = part.value if part is not None and part.kind == "rung" else None
        _chart(
            waterfall_figure(_whole(run), chosen),
            "dataset.waterfall",
            lambda rung: choose_part(Part("rung", rung)),
        )
        st.caption(
            "Each red block is what one rung, a step of the detector, loses. Click it to see exactly these objects."
        )


def _groups(run: ShownRun, groups: dict[str, Group], kind: str) -> None:
    part = chosen_part()
    name = survey().size if kind == "size" else survey().category
    chosen = (name, part.value) if name is not None and part is not None and part.kind == "rung" else None
    _chart(
        groups_figure(groups, chosen),
        f"dataset.by_{kind}",
        lambda picked: choose_part(Part("rung", picked[1]), **{kind: picked[0]}),
    )
    known = sum(1 for group in groups.values() if group.objects)
    rest = f" The {MOST_GROUPS} of lowest recall of {known:,} are shown." if known > MOST_GROUPS else ""
    bounds = (
        " Small: under 32² px, large: from 96² px on, image frame, as COCO has it." if kind == "size" else ""
    )
    st.caption(f"Lowest recall first. Click a part to see exactly these objects.{bounds}{rest}")


def _kinds(run: ShownRun) -> None:
    title, choice = st.columns([0.36, 0.64], vertical_alignment="center")
    title.subheader("What kind", anchor=False)
    with choice, st.container(horizontal=True, horizontal_alignment="right"):
        view = st.segmented_control(
            "Kinds", (_MECHANISMS, _TIDE), default=_MECHANISMS, required=True, key="dataset.kinds",
            label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
    part = chosen_part()
    value = None if part is None else part.value
    if view == _TIDE:
        chosen = value if part is not None and part.kind == "tide" else None
        figure = tide_figure(run.summary.tide, chosen, height=360)
        _chart(figure, "dataset.tide", lambda kind: choose_part(Part("tide", kind)))
        _meanings("What AP gains if all errors of a type were put right (Bolya et al. 2020).", TIDE_WORDS)
        return
    chosen = value if part is not None and part.kind == "mechanism" else None
    figure = mechanisms_figure(run.summary.mechanisms, chosen, height=360)
    _chart(figure, "dataset.mechanisms", lambda name: choose_part(Part("mechanism", name)))
    _meanings("Lost objects by mechanism (Miller et al. 2022).", MECHANISM_WORDS)


def _meanings(sentence: str, words: Mapping[Any, str]) -> None:
    """What a chart shows, and behind the question mark what each of its rows means."""
    st.caption(sentence, help="\n".join(f"- **{kind.value}**: {text}" for kind, text in words.items()))


def _chart(figure: go.Figure, name: str, on_pick: Callable[..., None]) -> None:
    """A chart whose clicks choose a part; drawn anew with each choice, so that a bar can be clicked again."""
    key = f"{name}.{survey().part}.{survey().category}.{survey().size}"
    show_chart(figure, key=key, on_select=lambda: _pick(key, on_pick))


def _pick(key: str, on_pick: Callable[..., None]) -> None:
    picked = [point["customdata"] for point in state.selected_points(key) if point.get("customdata")]
    if picked:
        value = picked[0]
        on_pick(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _whole(run: ShownRun) -> Group:
    return Group(run.summary.objects, run.summary.found, run.summary.waterfall)


def _ap(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
