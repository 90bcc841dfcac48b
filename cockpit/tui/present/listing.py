"""A list as whoever draws it sees it, and what comes of drawing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cockpit.tui.line import Line

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """What of a list is on the screen."""

    items: tuple[T, ...]  # those that the filter leaves
    cursor: int | None  # the place of the chosen one among them
    room: int  # cells
    focused: bool

    @property
    def lit(self) -> int | None:
        """The cursor, where it is only to be seen while the keys go to this list."""
        return self.cursor if self.focused else None


Drawn = tuple[list[Line], int | None]  # all lines, headings included, and which of them has the cursor
Draw = Callable[[Shown[T]], Drawn]
