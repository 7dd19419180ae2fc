"""A change beneath a number: its sign, its colour, and neither where it rounds to nothing."""

import pytest

from viz_app.app_pages.changes import change_style, change_words


@pytest.mark.parametrize(
    ("change", "form", "words"),
    [
        (0.0042, ".3f", "+0.004"),
        (-0.0042, ".3f", "-0.004"),
        (-0.0004, ".3f", "±0.000"),
        (0.0, ".3f", "±0.000"),
        (0.0005001, ".3f", "+0.001"),
        (1234, ",", "+1,234"),
        (-20, ",", "-20"),
        (0, ",", "±0"),
    ],
)
def test_a_change_that_rounds_to_nothing_has_neither_direction_nor_colour(
    change: float, form: str, words: str
) -> None:
    assert change_words(change, form) == words
    assert bool(change_style(words)) == words.startswith("±")


def test_a_number_without_a_change_is_drawn_as_ever() -> None:
    assert change_style(None) == {}
