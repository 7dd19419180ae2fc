"""The two diagnoses that the Compare page shows, and which of their objects are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.judging.comparison_records import Change
from viz_app.app_pages.dataset_choice import look_at, survey
from viz_app.survey import numbers_of

if TYPE_CHECKING:
    from detector.judging.comparison_records import ComparedObject, Comparison
    from viz_app.app_pages.dataset_shown import ShownRun


@dataclass(frozen=True, slots=True, eq=False)
class ShownPair:
    """Two finished diagnoses of one data set.

    Args:
        a, b: the first and the second.
        comparison: of the two.
    """

    a: ShownRun
    b: ShownRun
    comparison: Comparison

    @property
    def name(self) -> str:
        """Tells this pair from others, for the keys of widgets."""
        return f"{self.a.name}.{self.b.name}"

    def of_image(self, index: int) -> tuple[ComparedObject, ...]:
        """The objects of one image."""
        return tuple(one for one in self.comparison.objects if one.image_index == index)


def chosen_move(comparison: Comparison) -> str:
    """Which objects are looked at: what the link says, else what was gained, or lost, or never found."""
    asked = survey().moved
    if asked is not None:
        return asked
    order = (Change.GAINED, Change.LOST, Change.STILL_LOST)
    return next((change for change in order if comparison.count(change)), Change.KEPT).value


def moved_objects(
    comparison: Comparison, move: str, category: str | None = None
) -> tuple[ComparedObject, ...]:
    """Objects of one move: a value of `Change`, or two rungs such as `BOX_NMS.FOUND`.

    Args:
        comparison: of two runs.
        move: what became of them.
        category: only objects of it.
    """
    return tuple(
        one
        for one in comparison.objects
        if move in (one.change.value, f"{one.rung_a}.{one.rung_b}") and category in (None, one.category)
    )


def chosen_object(comparison: Comparison) -> ComparedObject | None:
    """The one object that is looked at; None where none is, or there is no such object."""
    asked = survey().pair
    if asked is None:
        return None
    place = numbers_of(asked)
    return next((one for one in comparison.objects if (one.image_index, one.object) == place), None)


def choose_object(image: int, number: int) -> None:
    """Look at one object in both runs."""
    look_at(pair=f"{image}.{number}")
