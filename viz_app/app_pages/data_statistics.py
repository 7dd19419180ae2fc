"""The statistics of the Data page: how many objects, of which classes and shapes, with the anchors laid over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app import resources
from viz_app.app_pages.charts import show_chart, show_picker
from viz_app.app_pages.dataset_causes import report_of
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.figures.dataset_statistics import (
    MOST_CLASSES,
    MOST_POINTS,
    class_figure,
    extents_figure,
    per_image_figure,
    ratios_figure,
    sides_figure,
)
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from detector.judging.object_shapes import ObjectShapes
    from viz_app.app_pages.data_shown import ShownData
    from viz_app.detector_spec import DetectorSpec

NEAR = 0.5


def show_statistics(data: ShownData, spec: DetectorSpec | None) -> None:
    """Draw the cards.

    Args:
        data: the data set.
        spec: the detector whose anchors are laid over; None where there is none.
    """
    if len(data.survey) == 0:
        st.info("There is no object in these images, so there are no shapes to show.", icon=":material/info:")
        return
    shapes = _shapes(data, spec)
    left, right = st.columns([0.6, 0.4], gap="small")
    with left, st.container(border=True, height="stretch"):
        _extents(shapes, data)
    with right, st.container(border=True, height="stretch"):
        _classes(data)
    columns = st.columns(3, gap="small")
    frame = _frame(shapes)
    for column, (title, about, figure, key) in zip(columns, (
        ("Size", "Dashed: the sizes of the anchors, coloured by level." if shapes.levels else "",
         sides_figure(shapes.extents, shapes.sizes, frame=frame), "data.sides"),
        ("Shape", "Dashed: the ratios of the anchors." if shapes.levels else "",
         ratios_figure(shapes.extents, shapes.ratios), "data.ratios"),
        ("Objects per image", _per_image_words(data), per_image_figure(data.per_image), "data.per_image"),
    ), strict=True):  # fmt: skip
        with column, st.container(border=True, height="stretch"):
            st.subheader(title, anchor=False)
            show_chart(figure, key=key)
            if about:
                st.caption(about)


def _shapes(data: ShownData, spec: DetectorSpec | None) -> ObjectShapes:
    """In the network frame; in the image frame where the detector's own resize cannot be asked, which is told."""
    try:
        return resources.object_shapes(spec, data.source, data.survey)
    except (ValueError, TypeError, RuntimeError) as problem:
        st.warning(literal(as_sentence(problem)), icon=":material/warning:")
        return resources.object_shapes(None, data.source, data.survey)


def _extents(shapes: ObjectShapes, data: ShownData) -> None:
    st.subheader("Width against height", anchor=False)
    near = None if shapes.best_iou is None else shapes.best_iou >= NEAR
    show_chart(extents_figure(shapes.extents, shapes.levels, near, frame=_frame(shapes)), key="data.extents")
    sentences = [fit_words(shapes), _grid_words(data), input_words(shapes)]
    if len(shapes) > MOST_POINTS:
        sentences.append(f"Every {-(-len(shapes) // MOST_POINTS)}th of {len(shapes):,} objects is drawn.")
    st.caption(" ".join(filter(None, sentences)))


def fit_words(shapes: ObjectShapes) -> str:
    """How many objects the anchors fit, laid over their centres; Markdown."""
    share = shapes.share_near(NEAR)
    if share is None:
        return "Choose a detector in the sidebar to lay its anchors over."
    return f"**{share:.1%} of the objects fit an anchor** at IoU ≥ {NEAR:g}, laid over their centre."


def _grid_words(data: ShownData) -> str:
    """The same on the real grid, where the doctor has measured it."""
    report = report_of(data.source)
    if report is None or report.fits is None or len(report.fits) == 0:
        return "On the grid, where anchors are rarely centred, it may be fewer: the doctor measures that."
    share = float((report.fits.best_iou >= NEAR).double().mean())
    return f"On the grid, where no anchor need be centred, {share:.1%} do."


def input_words(shapes: ObjectShapes) -> str:
    """At which size the detector takes the images."""
    if not shapes.inputs:
        return "Sizes are those of the image files."
    heights, widths = zip(*shapes.inputs, strict=True)
    if len(shapes.inputs) == 1:
        return f"The detector takes every image as {widths[0]} × {heights[0]} px."
    return (
        f"The detector takes the images at {len(shapes.inputs)} sizes, {min(widths)} to {max(widths)} px wide and "
        f"{min(heights)} to {max(heights)} px high."
    )


def _frame(shapes: ObjectShapes) -> str:
    return "network" if shapes.inputs else "image"


def _classes(data: ShownData) -> None:
    counts, chosen = data.by_category, survey().category
    chosen = chosen if chosen in counts else None
    st.subheader("Objects of each class", anchor=False)
    key = f"data.classes.{chosen}"  # drawn anew with each choice, so that a bar can be clicked again
    show_picker(class_figure(counts, chosen), key=key, on_pick=_choose)
    rest = len(counts) - MOST_CLASSES
    more = f" The {MOST_CLASSES} most frequent of {len(counts):,} are drawn." if rest > 0 else ""
    st.caption(f"Click a bar to see its samples above.{more}")


def _choose(name: str) -> None:
    """In a callback: the class of the clicked bar, or every class again."""
    look_at(category=None if name == survey().category else name)


def _per_image_words(data: ShownData) -> str:
    counts = sorted(data.per_image)
    empty = counts.count(0)
    middle = counts[len(counts) // 2]
    without = f" {empty:,} without any (grey)." if empty else ""
    return f"Half of the images hold {middle} or more, at most {counts[-1]}.{without}"
