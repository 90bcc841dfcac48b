"""Which row of a log pane shows which line: all of them, only the matching ones, or wrapped to the pane's width."""

from __future__ import annotations

from collections import deque
from itertools import islice

from cockpit.text import plain, width
from cockpit.tui.log_lines import LogWindow, Wanted


class Rows:
    """Plain mode keeps nothing; `only` and `wrap` keep one (serial, first cell) a row, extended as lines come."""

    def __init__(self, window: LogWindow) -> None:
        self._window = window
        self._kept: deque[tuple[int, int]] | None = None
        self.only: Wanted | None = None
        self.wrap = 0  # cells of a wrapped row; 0 is off

    def __len__(self) -> int:
        return len(self._window.lines) if self._kept is None else len(self._kept)

    def at(self, row: int) -> tuple[int, int] | None:
        """Serial of the line on that row, and the cell of it that the row starts with."""
        if not 0 <= row < len(self):
            return None
        return (self._window.first + row, 0) if self._kept is None else self._kept[row]

    def place(self, serial: int) -> int:
        """The row that shows a line, or where it would be."""
        if self._kept is None:
            return serial - self._window.first
        return next((row for row, (each, _) in enumerate(self._kept) if each >= serial), len(self._kept))

    def append(self, count: int) -> int:
        """After `count` lines came; how many rows fell out at the top."""
        before = self._window.end - count
        if self._kept is None:
            lost = self._window.first - self._first
            self._first = self._window.first
            return lost
        lost = 0
        while self._kept and self._kept[0][0] < self._window.first:
            self._kept.popleft()
            lost += 1
        self._extend(max(before, self._window.first))
        return lost

    def wrap_at(self, cells: int) -> None:
        self.wrap = cells
        self.rebuild()

    def rebuild(self) -> None:
        self._first = self._window.first
        self._kept = deque() if self.only or self.wrap else None
        self._extend(self._window.first)

    _first = 0

    def _extend(self, serial: int) -> None:
        if self._kept is None:
            return
        for number, each in enumerate(islice(self._window.lines, serial - self._window.first, None), serial):
            text = plain(each.text)
            if self.only is None or self.only(text):
                self._kept.extend((number, start) for start in self._starts(text))

    def _starts(self, text: str) -> range:
        return range(0, max(1, width(text)), self.wrap) if self.wrap else range(1)
