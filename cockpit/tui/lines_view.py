"""A widget that shows lines and repaints only the cells that changed: most of the cockpit's quietness is here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cockpit.text import width
from cockpit.tui.line import Line, bounded, cells
from cockpit.tui.theme import Tones


class LinesView(ScrollView):
    DEFAULT_CSS = """
    LinesView { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; background: $surface; }
    """
    lines: tuple[Line, ...] = ()
    cursor: int | None = None  # the line with the cursor's background

    def on_mount(self) -> None:
        self._restyle()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._restyle())

    def show(self, lines: Sequence[Line], cursor: int | None = None) -> None:
        """Repaints the cells in which the lines differ from those on the screen, and nothing else."""
        old, old_cursor = self.lines, self.cursor
        self.lines, self.cursor = tuple(map(bounded, lines)), cursor
        if len(old) != len(self.lines):
            self.virtual_size = Size(self.content_size.width, len(self.lines))
        if cursor is not None and cursor != old_cursor:
            self.scroll_to_region(Region(0, cursor, 1, 1), animate=False, force=True)
        if len(old) != len(self.lines):
            self.refresh()
            return
        moved = {old_cursor, cursor} - {None} if old_cursor != cursor else set()
        dirty = [
            self._span(place, *((0, self.size.width) if place in moved else _difference(was, now)))
            for place, (was, now) in enumerate(zip(old, self.lines, strict=True))
            if was != now or place in moved
        ]
        if dirty:
            self.refresh(*dirty)

    def render_line(self, y: int) -> Strip:
        place = y + self.scroll_offset.y
        room = self.size.width
        base = self.rich_style
        if place >= len(self.lines):
            return Strip.blank(room, base)
        if place == self.cursor:
            base += self._cursor_style
        segments = [Segment(text, base + self.tones.style(tone)) for text, tone in self.lines[place]]
        return Strip(segments, cells(self.lines[place])).adjust_cell_length(room, base).simplify()

    def _restyle(self) -> None:
        variables = self.app.theme_variables
        self.tones = Tones(variables)
        self._cursor_style = Style.parse(f"on {variables.get('cursor', 'default')[:7]}")
        self.refresh()

    def _span(self, place: int, start: int, size: int) -> Region:
        return Region(start, place - self.scroll_offset.y, size, 1)


def _difference(was: Line, now: Line) -> tuple[int, int]:
    """First differing cell and how many cells from there may differ."""
    first, again = _styled(was), _styled(now)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, again, strict=False)))
    start = sum(width(char) for char, _ in again[:same])
    length = max(cells(was), cells(now)) - start
    if cells(was) != cells(now):
        return start, max(1, length)
    ends = zip(reversed(first[same:]), reversed(again[same:]), strict=False)
    tail = [pair[1] for pair in takewhile(lambda pair: pair[0] == pair[1], ends)]
    return start, max(1, length - sum(width(char) for char, _ in tail))


def _styled(each: Line) -> list[tuple[str, str]]:
    return [(char, tone) for text, tone in each for char in text]
