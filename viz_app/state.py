"""What one browser session has chosen; the only place that touches session state and query parameters.

The choice is copied out of the widgets, because a widget that is not drawn forgets its value, and it is
mirrored into the address bar, so that copying the address gives a link to the same view.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from viz_app.links import Asked, Choice, Selected, from_query, is_of_link, to_query
from viz_app.sidebar.file_words import FileWords

Value = TypeVar("Value")

_CHOICE = "boxscope.choice"
_NOTICES = "boxscope.notices"
_PAGE = "page to open"
_SELECTED_IN, _SELECTIONS, _TABLE_KEYS = "boxscope.selected in", "boxscope.selections", "boxscope.tables"


def choice() -> Choice:
    """What this session looks at; taken from the link on the first run."""
    if _CHOICE not in st.session_state:
        # Later runs do not read the address again: it lags behind the widgets while a slider moves.
        asked, ignored = from_query(st.query_params.to_dict())
        st.session_state[_CHOICE] = asked
        st.session_state[_NOTICES] = ignored
    return st.session_state[_CHOICE]


def follow_history() -> None:
    """Where a person went back or forward in the browser's history, look at what that address says."""
    context = get_script_run_ctx()
    if context is None or not context.is_history_navigation:
        return
    query = st.query_params.to_dict()
    asked, ignored = from_query(query)
    choose(asked)
    _keep_selection(asked.selected, "")
    st.session_state[_NOTICES] = ignored
    # The widgets take their values from the choice again; an upload that is shown has no address, and stays.
    stay = () if asked.image or not query else ("image",)
    for key in [str(key) for key in st.session_state if key not in stay and is_of_link(str(key))]:
        del st.session_state[key]


def choose(chosen: Choice) -> None:
    """Look at something else."""
    st.session_state[_CHOICE] = chosen


def selection() -> Selected | None:
    """The one thing that this session looks at closely."""
    return choice().selected


def select(selected: Selected | None, table: str = "") -> None:
    """Look closely at something else, or at nothing; the address follows at once, also from a fragment.

    Args:
        selected: the thing.
        table: key of the table it was selected in, see `table_key`.
    """
    _keep_selection(selected, table)
    mirror_in_address()


def ask(asked: Asked | None) -> None:
    """Ask about a drawn box, and look at nothing else closely; the address follows at once."""
    choose(replace(choice(), asked=asked))
    select(None)


def look_at_training(name: str | None) -> None:
    """Look at a training run; the address follows at once."""
    choose(replace(choice(), training=name))
    mirror_in_address()


def go_to(page: str) -> None:
    """In a callback: the next run of the script opens another page.

    Args:
        page: its name.
    """
    remember(_PAGE, page)


def take_page() -> str:
    """The page that a callback asked for, once; empty where none did."""
    page: str = remembered(_PAGE, "")
    if page:
        remember(_PAGE, "")
    return page


def forget_asked() -> None:
    """Ask about no drawn box, because this image or this detector has no such place; the address follows."""
    choose(replace(choice(), asked=None))


def forget_selection() -> None:
    """Look at nothing closely, because there is no such thing; the address follows with the rest."""
    _keep_selection(None, "")


def _keep_selection(selected: Selected | None, table: str) -> None:
    choose(replace(choice(), selected=selected))
    st.session_state[_SELECTED_IN] = table
    st.session_state[_SELECTIONS] = st.session_state.get(_SELECTIONS, 0) + 1


def table_key(table: str) -> str:
    """Key under which to draw a table, so that it shows what was selected elsewhere.

    Streamlit gives a table its selection only under a new key; the table that was clicked in keeps its key,
    and with it the place it is scrolled to.
    """
    keys: dict[str, str] = st.session_state.setdefault(_TABLE_KEYS, {})
    if table not in keys or st.session_state.get(_SELECTED_IN) != table:
        keys[table] = f"{table}.{st.session_state.get(_SELECTIONS, 0)}"
    return keys[table]


def is_selected_in(table: str) -> bool:
    """Whether the last selection was made in this table, see `table_key`."""
    return st.session_state.get(_SELECTED_IN) == table


def mirror_in_address() -> None:
    """Write the choice into the address bar, where it differs."""
    query = to_query(choice())
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def notices() -> tuple[str, ...]:
    """Sentences about parts of the link that were ignored, until something is chosen."""
    choice()
    return st.session_state[_NOTICES]


def notice(sentence: str) -> None:
    """Add a sentence about the link."""
    if sentence not in notices():
        st.session_state[_NOTICES] = (*notices(), sentence)


def forget_notices() -> None:
    """Something was chosen by hand: the link is history."""
    st.session_state[_NOTICES] = ()


def seed_widget(key: str, value: object) -> None:
    """Give a widget its first value; a value that it already has stays."""
    if key not in st.session_state:
        st.session_state[key] = value


def set_widget(key: str, value: object) -> None:
    """Give a widget a value; only before it is drawn in this run, or in a callback."""
    st.session_state[key] = value


def widget(key: str) -> object:
    """The value of a widget, None before it was ever drawn."""
    return st.session_state.get(key)


def selected_rows(key: str) -> list[int]:
    """Places of the rows that are selected in a table."""
    return list(st.session_state[key].selection.rows)


def selected_cells(key: str) -> list[tuple[int, str]]:
    """Cells that are selected in a table: place of the row, name of the column."""
    return [(int(row), str(column)) for row, column in st.session_state[key].selection.cells]


def selected_points(key: str) -> list[dict[str, Any]]:
    """Points that are selected in a chart, with their `customdata`."""
    return list(st.session_state[key].selection.points)


def words_of(file: str) -> FileWords:
    """What was said of a checkpoint in this session."""
    return remembered("words", {}).get(file, FileWords())


def remember_words(file: str, words: FileWords) -> None:
    """Keep what was said of a checkpoint."""
    remember("words", {**remembered("words", {}), file: words})


def remembered(name: str, default: Value) -> Value:
    """A value that this session keeps beside its choice; see `remember`."""
    return st.session_state.get(f"boxscope.{name}", default)


def remember(name: str, value: object) -> None:
    """Keep a value for this session; it is gone when the browser tab closes."""
    st.session_state[f"boxscope.{name}"] = value
