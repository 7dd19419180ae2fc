"""When a backbone rests and when it learns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Freeze:
    """When the backbone is trained.

    Args:
        until: the first epoch, from 0, that trains it; None for never.
    """

    until: int | None

    def holds(self, epoch: int) -> bool:
        """Whether the backbone is frozen in this epoch."""
        return self.until is None or epoch < self.until

    @property
    def thaws(self) -> bool:
        """Whether it is frozen first and trained later."""
        return self.until is not None and self.until > 0
