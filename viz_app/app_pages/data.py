"""Data: what a detector would be trained on: samples, augmentation, statistics against the anchors, findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from viz_app.app_pages.data_augmentation import show_augmentation
from viz_app.app_pages.data_doctor import show_doctor
from viz_app.app_pages.data_samples import show_samples
from viz_app.app_pages.data_shown import ShownData, shown_data
from viz_app.app_pages.data_splits import choose_split
from viz_app.app_pages.data_statistics import show_statistics
from viz_app.app_pages.data_upload import offer_upload, show_trouble
from viz_app.app_pages.dataset_choice import choose_dataset, opened, size_words
from viz_app.controls import shown_detector
from viz_app.figures.words import plural
from viz_app.problems import literal

if TYPE_CHECKING:
    from viz_app.scene import Scene


def render(scene: Scene | None) -> None:
    """Draw the page; it is about no single image, so it opens without one, too."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            source = choose_dataset()
            offer_upload()
        show_trouble()
        dataset = opened(source) if source is not None and choose_split(source) else None
        line = st.empty()
        data = None if source is None or dataset is None else shown_data(source, dataset, line)
        if data is not None:
            line.caption(f"{size_words(data.dataset)}, {objects_words(data)}.")
    model = None if scene is None else scene.model
    if data is not None:
        show_samples(data)
        show_augmentation(data)
        show_statistics(data, None if model is None else shown_detector())
    if source is not None:
        show_doctor(source, model)


def objects_words(data: ShownData) -> str:
    """Objects, images without any, and what could not be used; on one line, Markdown."""
    empty = len(data.images_without())
    crowd = int(data.survey.crowd.sum())
    parts = [plural(len(data.survey), "object") + (f" ({crowd:,} to be ignored)" if crowd else "")]
    if empty:
        parts.append(f"{plural(empty, 'image')} without any")
    words = ", ".join(parts)
    if data.limits_words:
        words += f". {data.limits_words.removesuffix('.')}"
    unusable = data.survey.findings
    return words + (f". {literal(unusable[0].message)}" if unusable else "")
