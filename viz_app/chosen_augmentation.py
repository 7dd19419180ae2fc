"""How training images are varied, as this session has set it on the Data page; the Train panel takes it over."""

from __future__ import annotations

from detector.data.augmentation import Augmentation
from viz_app import state

_CHOSEN = "data augmentation"


def data_augmentation() -> Augmentation:
    """The augmentation that was set on the Data page; the recipe's own before anything was set there."""
    return state.remembered(_CHOSEN, Augmentation())


def keep_augmentation(augmentation: Augmentation) -> None:
    """Keep an augmentation for this session, and for the runs that are launched from it."""
    state.remember(_CHOSEN, augmentation)
