"""Images of data sets that a session has come to, from a gallery or by a link: they stand in the list of images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from viz_app import resources, state
from viz_app.dataset_scenes import item_of

if TYPE_CHECKING:
    from viz_app.links import Selected
    from viz_app.scenes import ImageChoice

MOST_VISITED = 8
_VISITED, _WANTED = "visited images", "wanted image"


def visit(key: str, selected: Selected | None, page: str = "full_network") -> None:
    """In a callback: look at an image of a data set, on a page of Inspect.

    Args:
        key: see `viz_app.dataset_scenes`.
        selected: what is looked at closely on it.
        page: name of the page.
    """
    state.forget_notices()
    state.remember(_WANTED, key)
    _keep(key)
    state.choose(replace(state.choice(), image=key, asked=None))
    state.select(selected)
    state.go_to(page)


def visited_images() -> tuple[ImageChoice, ...]:
    """The images of data sets among the choices, the latest first; one that cannot be opened is told once."""
    asked = state.choice().image
    if asked is not None and item_of(asked) is not None:
        _keep(asked, first=False)
    return tuple(image for key in _keys() if (image := _opened(key)) is not None)


def take_wanted() -> str | None:
    """The image that a page asked for, once."""
    wanted: str | None = state.remembered(_WANTED, None)
    state.remember(_WANTED, None)
    return wanted


def _opened(key: str) -> ImageChoice | None:
    found = item_of(key)
    if found is None:
        return None
    try:
        return resources.dataset_image(*found)
    except (OSError, ValueError) as problem:
        state.remember(_VISITED, tuple(other for other in _keys() if other != key))
        state.notice(str(problem))
        return None


def _keys() -> tuple[str, ...]:
    return state.remembered(_VISITED, ())


def _keep(key: str, *, first: bool = True) -> None:
    """Among the visited ones; where it is there already and need not come first, nothing changes."""
    if first or key not in _keys():
        others = tuple(other for other in _keys() if other != key)
        state.remember(_VISITED, (key, *others)[:MOST_VISITED])
