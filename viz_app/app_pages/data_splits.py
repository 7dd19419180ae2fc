"""The splits of a data set on the Data page: training, validation, or whatever its files tell apart."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from detector.data.datasets import splits_of
from viz_app import state
from viz_app.app_pages.dataset_choice import look_at_dataset
from viz_app.jobs.readable import readable_source
from viz_app.problems import literal

_ROOT, _SPLIT = "data splits root", "data.split"
_WHOLE = "whole"


def choose_split(source: str) -> bool:
    """Draw the control, where there are splits; whether there is something to be opened.

    A COCO folder with several JSON files is no data set before one of them is chosen.
    """
    root: str = state.remembered(_ROOT, "")
    splits = _splits(root)
    if source not in splits.values():
        root, splits = source, _splits(source)
    if not splits:
        return True
    options = splits if _needs_one(splits) else {_WHOLE: root, **splits}
    chosen = next((name for name, path in options.items() if path == source), None)
    state.set_widget(_SPLIT, chosen)
    st.segmented_control(
        "Split",
        list(options),
        key=_SPLIT,
        format_func=literal,
        label_visibility="collapsed",
        on_change=_take,
        args=(root, options),
    )
    if chosen is None:
        st.info("This folder holds several annotation files: choose one of them.", icon=":material/info:")
    return chosen is not None


def _splits(root: str) -> dict[str, str]:
    try:
        return splits_of(readable_source(root)) if root else {}
    except (ValueError, OSError):
        return {}  # opening it tells why


def _needs_one(splits: dict[str, str]) -> bool:
    return all(Path(path).suffix.lower() == ".json" for path in splits.values())


def _take(root: str, options: dict[str, str]) -> None:
    chosen = state.widget(_SPLIT)
    if isinstance(chosen, str) and chosen in options:
        state.remember(_ROOT, root)
        look_at_dataset(options[chosen])
