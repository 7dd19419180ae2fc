"""Parts of a page that draw themselves again alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, cast

import streamlit as st

from viz_app import resources

P = ParamSpec("P")


def fragment(view: Callable[P, None]) -> Callable[P, None]:
    """As `st.fragment`, but what the view is given goes when its session ends.

    Streamlit keeps a session, and with it what its fragments were called with, for minutes after the browser
    has gone: a photo with all its maps would stay as long.

    Args:
        view: drawn at most once on a page.
    """
    name = f"{view.__module__}.{view.__qualname__}"

    @st.fragment
    def again() -> None:
        given: Any = resources.desk().get(name)
        if given is None:  # the browser came back to a session that was put away
            st.rerun()
        else:
            # The very arguments that it was called with.
            cast("Callable[..., None]", view)(*given[0], **given[1])

    @wraps(view)
    def draw(*args: P.args, **kwargs: P.kwargs) -> None:
        resources.desk()[name] = args, kwargs
        again()

    return draw
