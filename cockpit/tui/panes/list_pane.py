"""A framed list with a cursor that stays on its item, and a filter. Services, Pending and Releases are such lists."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual.content import Content
from textual.message import Message

from cockpit.tui import keys
from cockpit.tui.lines_view import LinesView
from cockpit.tui.present.listing import Draw, Shown

T = TypeVar("T")
SHOWN = 500  # items at most; the filter reaches the others


class ListPane(LinesView, Generic[T], can_focus=True):
    DEFAULT_CSS = """
    ListPane { border: round $line; border-title-color: $muted; border-title-background: $surface;
               border-subtitle-color: $accent; }
    ListPane:focus { border: round $line-focus; border-title-color: $foreground; border-title-style: bold; }
    """
    BINDINGS: ClassVar = keys.bindings(keys.Where.LISTS)

    @dataclass
    class Moved(Message):
        """The cursor stands on another item."""

        pane: ListPane[Any]

    @dataclass
    class Opened(Message):
        pane: ListPane[Any]

    faithful = False  # True: what is chosen is chosen elsewhere, so a filter that hides it leaves no cursor
    items: tuple[T, ...] = ()
    chosen: Hashable = None
    filter = ""

    def __init__(
        self, identity: Callable[[T], Hashable], matches: Callable[[T, str], bool], id: str | None = None
    ) -> None:
        """`identity` is what stays of an item when it changes; `matches` whether a filter's text leaves it."""
        super().__init__(id=id)
        self.identity, self.matches = identity, matches
        self._draw: Draw[T] = lambda _shown: ([], None)

    def put(self, items: tuple[T, ...], draw: Draw[T]) -> None:
        self.items, self._draw = items, draw
        self.redraw()

    @property
    def listed(self) -> tuple[T, ...]:
        found = self.items if not self.filter else tuple(each for each in self.items if self.matches(each, self.filter))
        return found[:SHOWN]

    @property
    def current(self) -> T | None:
        place = self.place
        return None if place is None else self.listed[place]

    @property
    def place(self) -> int | None:
        shown = self.listed
        found = (place for place, each in enumerate(shown) if self.identity(each) == self.chosen)
        return next(found, 0 if shown and not self.faithful else None)

    def redraw(self) -> None:
        lines, cursor = self._draw(Shown(self.listed, self.place, self.size.width, self.has_focus))
        self.border_subtitle = Content(f"/{self.filter}" if self.filter else "")
        self.show(lines, cursor)

    def find(self, text: str) -> None:
        self.filter = text
        self.redraw()

    def settle(self) -> None:
        """The filter was entered: the cursor goes to the first match when its own item is hidden."""
        if self.place is None or self.current is None or self.identity(self.current) != self.chosen:
            self._go(0)

    def on_resize(self) -> None:
        self.redraw()

    def action_move(self, by: int) -> None:
        self._go(0 if self.place is None else self.place + by)

    def action_page(self, by: int) -> None:
        self._go((self.place or 0) + by * max(1, self.size.height - 1))

    def action_edge(self, end: int) -> None:
        self._go(0 if end < 0 else len(self.listed) - 1)

    def action_open(self) -> None:
        self.post_message(self.Opened(self))

    def _go(self, place: int) -> None:
        shown = self.listed
        if not shown:
            return
        chosen = self.identity(shown[max(0, min(place, len(shown) - 1))])
        if chosen != self.chosen:
            self.chosen = chosen
            self.redraw()
            self.post_message(self.Moved(self))
