"""Augmentation on the Data page: the settings, and one image as the first epochs of a training run would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.data.augmentation import Augmentation
from viz_app import state
from viz_app.app_pages.fragments import fragment
from viz_app.app_pages.thumbnails import show_thumbnail
from viz_app.chosen_augmentation import data_augmentation, keep_augmentation
from viz_app.figures.augmented_samples import Draws, augmented_draws, box_words, boxed_picture, dropped_words
from viz_app.figures.gallery_cards import image_name
from viz_app.figures.words import plural
from viz_app.problems import as_sentence, literal

if TYPE_CHECKING:
    from viz_app.app_pages.data_shown import ShownData

EPOCHS = 5
_COLUMNS = 3
_SEED, _IMAGE = "data augmentation seed", "data.augmented"
_FLIP, _SCALE, _COLOUR, _CROP, _SIDE = (
    f"data.augment.{name}" for name in ("flip", "scale", "colour", "crop", "side")
)
_SHARE, _FACTORS, _SIDES = (0.0, 1.0), (0.25, 3.0), (0.0, 64.0)
_PRESETS = {
    "off": Augmentation(flip=0.0),
    "flip": Augmentation(flip=0.5),
    "mild": Augmentation(flip=0.5, scale=(0.8, 1.25), colour=0.2),
    "strong": Augmentation(flip=0.5, scale=(0.5, 2.0), colour=0.5, crop=0.5),
}


@fragment
def show_augmentation(data: ShownData) -> None:
    """Draw the card; its controls draw nothing else again."""
    with st.container(border=True):
        left, right = st.columns([0.28, 0.72], gap="medium")
        with left:
            st.subheader("Augmentation", anchor=False)
            _presets()
            _controls()
            index = _image(data)
        with right:
            _pictures(data, index)


def _presets() -> None:
    now = data_augmentation()
    chosen = next((name for name, one in _PRESETS.items() if one == now), None)
    state.set_widget("data.augment.preset", chosen)
    st.segmented_control(
        "Settings", list(_PRESETS), key="data.augment.preset", on_change=_take_preset, label_visibility="collapsed",
        width="stretch",
    )  # fmt: skip


def _controls() -> None:
    """A slider for each setting; they show what is kept, and keep what they are moved to."""
    now = data_augmentation()
    for key, value, (least, most) in (
        (_FLIP, now.flip, _SHARE), (_COLOUR, now.colour, _SHARE), (_CROP, now.crop, _SHARE),
        (_SIDE, now.smallest_side, _SIDES),
    ):  # fmt: skip
        state.set_widget(key, min(max(value, least), most))
    state.set_widget(_SCALE, tuple(min(max(end, _FACTORS[0]), _FACTORS[1]) for end in now.scale))
    st.slider(
        "Flip left to right",
        0.0,
        1.0,
        step=0.05,
        key=_FLIP,
        on_change=_take,
        help="How likely, for each image.",
    )
    st.slider(
        "Scale", *_FACTORS, step=0.05, key=_SCALE, on_change=_take, format="%.2f×",
        help="Smallest and largest factor. The image keeps its size: what grows is cut off, what shrinks padded.",
    )  # fmt: skip
    st.slider(
        "Colour", *_SHARE, step=0.05, key=_COLOUR, on_change=_take,
        help="Strength of changes in brightness, contrast, saturation and hue.",
    )  # fmt: skip
    st.slider(
        "Crop", *_SHARE, step=0.05, key=_CROP, on_change=_take,
        help="How likely. A crop keeps the centre of at least one object.",
    )  # fmt: skip
    st.number_input(
        "Smallest side, px", *_SIDES, step=1.0, key=_SIDE, on_change=_take, format="%g",
        help="A box whose shorter side is less after scaling or cropping is dropped.",
    )  # fmt: skip


def _image(data: ShownData) -> int:
    """The control that says which image; the first one with objects at the beginning."""
    last = len(data.dataset) - 1
    widget = f"{_IMAGE}.{data.source}"
    first = next((place for place, count in enumerate(data.per_image) if count), 0)
    state.seed_widget(widget, state.remembered(widget, first))
    asked = st.number_input(
        f"Image, 0 to {last:,}", 0, last, step=1, key=widget,
        on_change=lambda: state.remember(widget, state.widget(widget)), disabled=last == 0,
    )  # fmt: skip
    return int(asked or 0)


def _pictures(data: ShownData, index: int) -> None:
    seed = state.remembered(_SEED, 0)
    try:
        name, sample = image_name(data.dataset, index), data.dataset[index]
        draws = augmented_draws(sample, name, index, data_augmentation(), seed=seed, epochs=EPOCHS)
    except (OSError, ValueError, IndexError) as problem:
        st.error(literal(as_sentence(problem)), icon=":material/error:")
        return
    _grid(draws, data.categories)
    words, button = st.columns([0.77, 0.23], vertical_alignment="center")
    words.caption(
        f"{literal(name)} in the first {plural(EPOCHS, 'epoch')} of a run with seed {seed}. "
        f"{dropped_words(draws)} The Train panel takes these settings over."
    )
    button.button(
        "Draw again", icon=":material/casino:", key="data.redraw", on_click=_redraw, width="stretch",
        help="As a run with another seed would see it.",
    )  # fmt: skip


def _grid(draws: Draws, categories: tuple[str, ...]) -> None:
    """The original first, then each draw with its title."""
    whole = len(draws.original.truth)
    titles = [f"**as it is** · {box_words(whole)}"]
    for one, lost in zip(draws.drawn, draws.dropped, strict=True):
        said = f":orange[{lost} of {whole} dropped]" if lost else "all boxes kept"
        titles.append(f"**{one.name}** · {said}")
    samples = (draws.original, *draws.drawn)
    for start in range(0, len(samples), _COLUMNS):
        part = list(zip(titles, samples, strict=True))[start : start + _COLUMNS]
        for column, (title, sample) in zip(st.columns(_COLUMNS, gap="small"), part, strict=False):
            with column, st.container(gap="xsmall"):
                show_thumbnail(boxed_picture(sample, categories))
                st.markdown(f":small[{title}]")


def _take() -> None:
    """In a callback: keep what the sliders say."""
    low, high = state.widget(_SCALE)  # pyright: ignore[reportGeneralTypeIssues] - a slider of two ends
    flip, colour, crop, side = (float(str(state.widget(key) or 0)) for key in (_FLIP, _COLOUR, _CROP, _SIDE))
    keep_augmentation(Augmentation(flip, (float(low), float(high)), colour, crop, side))


def _take_preset() -> None:
    chosen = _PRESETS.get(str(state.widget("data.augment.preset")))
    if chosen is not None:
        keep_augmentation(chosen)


def _redraw() -> None:
    state.remember(_SEED, state.remembered(_SEED, 0) + 1)
