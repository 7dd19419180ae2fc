"""How two diagnoses compare as a whole: the numbers, the difference with its interval, and who moved where."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import streamlit as st

from detector.judging.comparison_records import Change
from viz_app import downloads, resources
from viz_app.app_pages.changes import change_style, change_words
from viz_app.app_pages.charts import show_chart, show_picker
from viz_app.app_pages.compare_shown import chosen_move
from viz_app.app_pages.dataset_choice import look_at
from viz_app.app_pages.evaluate_explained import difference_text
from viz_app.app_pages.evaluate_numbers import number_words
from viz_app.figures.difference import difference_figure, difference_words, price_words
from viz_app.figures.transitions import transitions_figure
from viz_app.figures.words import plural
from viz_app.problems import literal

if TYPE_CHECKING:
    from pathlib import Path

    from detector.judging.comparison_records import Comparison
    from viz_app.app_pages.compare_shown import ShownPair

Color = Literal["normal", "inverse", "off"]
_ROWS = 250


def show_headline(comparison: Comparison) -> None:
    """A row of numbers."""
    change = None if comparison.difference is None else change_words(comparison.difference)
    false_a, false_b = comparison.false_positives_a, comparison.false_positives_b
    more = change_words(false_b - false_a, ",")
    numbers: tuple[tuple[str, str, str | None, Color, str], ...] = (
        ("AP of A", number_words(comparison.AP_a), None, "off", comparison.a),
        ("AP of B", number_words(comparison.AP_b), change, "normal", comparison.b),
        ("Gained", f"{comparison.count(Change.GAINED):,}", "lost in A, found in B", "off", "Objects."),
        ("Lost", f"{comparison.count(Change.LOST):,}", "found in A, lost in B", "off", "Objects."),
        ("False positives", f"{false_b:,}", more, "inverse", f"Of B; A has {false_a:,}."),
    )  # fmt: skip
    for column, (label, value, beside, color, about) in zip(
        st.columns([0.9, 1, 1.15, 1.15, 1]), numbers, strict=True
    ):
        look: dict[str, Any] = {
            "delta_color": color,
            "delta_arrow": "off" if color == "off" else "auto",
            **change_style(beside),
        }
        column.metric(label, value, beside, help=literal(about), border=True, height="stretch", **look)


def show_difference(pair: ShownPair) -> None:
    """Whether the difference is more than chance, and where it comes from."""
    with st.container(border=True, height="stretch"):
        st.subheader("Is B better?", anchor=False)
        show_chart(difference_figure(pair.comparison), key=f"compare.difference.{pair.name}")
        st.markdown(f"{difference_words(pair.comparison)} {price_words(pair.comparison)}")
        table = category_table(pair.comparison)
        downloads.note_table("compare.classes", table)
        number = st.column_config.NumberColumn(format="%.3f", width=64)
        change = st.column_config.NumberColumn(format="%+.3f", width=74)
        st.dataframe(
            table, hide_index=True, height=min(_ROWS, 37 + 35 * len(table)),
            column_config={"A": number, "B": number, "B − A": change},
        )  # fmt: skip
        with st.expander("How it is computed"):
            st.markdown(difference_text(pair.comparison))


def show_exports(pair: ShownPair) -> None:
    """The comparison as files, made when they are asked for."""
    a, b = pair.a.folder, pair.b.folder
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.subheader("Take it away", anchor=False, width="content")
        for label, ending, mime, make in (
            ("Objects (CSV)", "csv", "text/csv", partial(_csv, a, b)),
            ("Numbers and changes (JSON)", "json", "application/json", partial(_json, a, b)),
        ):
            st.download_button(
                label, make, f"comparison.{ending}", mime, key=f"compare.export.{ending}", on_click="ignore",
                icon=":material/download:",
            )  # fmt: skip


def show_transitions(pair: ShownPair) -> None:
    """Rung in A against rung in B; a click shows the objects of a cell."""
    comparison = pair.comparison
    with st.container(border=True, height="stretch"):
        st.subheader("What became of each object", anchor=False)
        move = chosen_move(comparison)
        show_picker(
            transitions_figure(comparison.transitions, move),
            key=f"compare.transitions.{pair.name}.{move}",
            on_pick=lambda key: look_at(moved=key),
        )
        st.markdown(transition_words(comparison))
        st.caption(
            "Rows: the rung where A loses it, or Found. Columns: the same for B. Green: gained. Red: lost. Blue: "
            "lost at another rung. Click a cell to see exactly these objects."
        )


def transition_words(comparison: Comparison) -> str:
    """What is seen in the matrix, in one sentence."""
    gained, lost = comparison.count(Change.GAINED), comparison.count(Change.LOST)
    kept, still = comparison.count(Change.KEPT), comparison.count(Change.STILL_LOST)
    return (
        f"Of {plural(len(comparison.objects), 'object')} B finds {gained:,} that A loses, and loses {lost:,} that "
        f"A finds; {kept:,} are found by both, {still:,} by neither."
    )


def category_table(comparison: Comparison) -> pd.DataFrame:
    """AP of each category in both, the largest change first; the number of objects beside it."""
    a, b = comparison.evaluation_a.by_category, comparison.evaluation_b.by_category
    rows = [
        {
            "class": name, "objects": one.objects, "A": one.AP, "B": b[name].AP,
            "B − A": _less(b[name].AP, one.AP),
        }
        for name, one in a.items()
        if name in b and one.objects
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["class", "objects", "A", "B", "B − A"])
    return table.sort_values("B − A", key=lambda column: -column.abs(), kind="stable")


def _less(b: float | None, a: float | None) -> float | None:
    return None if a is None or b is None else b - a


# Not the comparison itself: Streamlit keeps what a button would call for minutes after its session has ended.
def _csv(a: Path, b: Path) -> bytes:
    return (
        pd.DataFrame([asdict(one) for one in resources.comparison(a, b).objects]).to_csv(index=False).encode()
    )


def _json(a: Path, b: Path) -> bytes:
    from detector.judging.evaluation_json import comparison_json

    return comparison_json(resources.comparison(a, b)).encode()
