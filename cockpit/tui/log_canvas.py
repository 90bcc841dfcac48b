"""How a log is drawn: bounded memory, ten repaints a second at most whatever the rate, colours from a cache."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from cockpit.model import LogLine
from cockpit.protocol import LogChunk
from cockpit.tui.line import paragraph, plain
from cockpit.tui.log_find import Find
from cockpit.tui.log_lines import LogWindow, Stamp, bounded, coloured, safe, stamp
from cockpit.tui.log_rows import Rows

FLUSH = 0.1  # seconds between repaints
FLOOD = 150  # lines in one flush above which nobody can read along: then less often
FLOODED = 0.25  # seconds between repaints in a flood
BADGES = 3  # flushes in a flood for one new badge, which is a repaint of its own
NARROW = 100  # columns of the terminal below which long lines are wrapped unless somebody chose
STRIPS = 1000  # rendered lines kept


class LogCanvas(ScrollView, can_focus=True):
    DEFAULT_CSS = """
    LogCanvas { height: 1fr; background: $surface; scrollbar-size: 1 1; overflow-x: hidden;
              overflow-y: scroll; }
    """

    class Changed(Message):
        """The badge under the log has something else to say."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogCanvas.Changed)

    def __init__(self, *, now: Callable[[], float] = time.time, id: str | None = None) -> None:
        super().__init__(id=id)
        self.window = LogWindow()
        self.rows = Rows(self.window)
        self.search = Find()
        self.following = True
        self.unseen = 0  # lines that came while paused
        self.stamps = Stamp.OFF
        self.wraps: bool | None = None  # the operator's choice
        self.marked: int | None = None  # serial of the first line of a range
        self.at: int | None = None  # serial of the line that a search or `e` went to
        self.note = ""
        self.absent = ""  # said in place of lines while there are none
        self._now = now
        self._waiting: list[LogLine] = []
        self._flushing = False
        self._flushes = 0
        self._widest = 0
        self._strips: LRUCache[tuple[int, int], Strip] = LRUCache(STRIPS)
        self._generation = 0  # of everything that changes how a line looks

    def on_mount(self) -> None:
        self._restyle()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._restyle())

    def on_resize(self) -> None:
        self._wrap()
        self._changed_all()
        self._stick()

    def clear(self, absent: str = "") -> None:
        self.window.clear()
        self._waiting.clear()
        self.unseen, self.marked, self.at, self.note, self._widest = 0, None, None, "", 0
        self.absent = absent
        self.following = True
        self.rows.rebuild()
        self._changed_all()
        self.scroll_to(0, 0, animate=False, force=True, immediate=True)

    def feed(self, chunk: LogChunk) -> None:
        """Costs next to nothing: the lines wait for the next flush, and no more of them than the window keeps."""
        self.window.dropped += chunk.dropped
        self.note = chunk.note or ("the log ended" if chunk.ended else self.note)
        self._waiting.extend(chunk.lines)
        over = len(self._waiting) - self.window.limit
        if over > 0:
            del self._waiting[:over]
            self.window.forgotten += over
        if not self._flushing:
            self._flushing = True
            self.set_timer(FLOODED if len(self._waiting) > FLOOD else FLUSH, self.flush)

    def flush(self) -> None:
        self._flushing = False
        new, self._waiting = [bounded(each) for each in self._waiting], []
        flood = len(new) > FLOOD and self.is_attached
        if flood:
            self._flushing = True
            self.set_timer(FLOODED, self.flush)
        before = len(self.rows)
        self.window.append(new)
        lost = self.rows.append(len(new))
        self._widest = max([self._widest, *(len(each.text) for each in new)])
        self._resize(lost)
        if not self.following:
            self.unseen += len(new)
        if self.following or before < self.scroll_offset.y + self.size.height or lost:
            self.refresh()
        self._flushes += 1
        if not flood or self._flushes % BADGES == 0:
            self.post_message(self.Changed())
        if new:
            self.arrived()

    def arrived(self) -> None:
        """New lines are in the window."""

    def render_line(self, y: int) -> Strip:
        base, room = self.rich_style, self.size.width
        row = self.rows.at(y + self.scroll_offset.y)
        each = self.window.at(row[0]) if row else None
        if row is None or each is None:
            return self._empty(y, room, base)
        serial, offset = row
        strip = self._strips.get((serial, self._generation))
        if strip is None:
            strip = self._strip(each, base)
            self._strips[(serial, self._generation)] = strip
        start = offset if self.rows.wrap else self.scroll_offset.x
        shown, behind = strip.crop_extend(start, start + room, base), self._background(serial)
        return Strip(Segment.apply_style(shown, post_style=behind), room) if behind else shown

    def _empty(self, y: int, room: int, base: Style) -> Strip:
        said = paragraph(self.absent, max(10, room - 3)) if self.absent and not self.window.lines else ()
        if not 1 <= y <= len(said):
            return Strip.blank(room, base)
        return Strip([Segment(f"  {plain(said[y - 1])}", base + self._muted)]).adjust_cell_length(room, base)

    @property
    def _room(self) -> int:
        return max(1, self.size.width)

    @property
    def _top(self) -> int:
        row = self.rows.at(self.scroll_offset.y)
        return row[0] if row else self.window.first

    @property
    def _here(self) -> int:
        return self.at if self.at is not None else self._top

    def _wrap(self) -> None:
        wraps = self.app.size.width < NARROW if self.wraps is None else self.wraps
        wanted = self._room if wraps else 0
        if wanted != self.rows.wrap:
            self.rows.wrap_at(wanted)

    def _scroll(self, y: int) -> None:
        self.scroll_to(y=max(0, y), animate=False, force=True, immediate=True)
        self.following = self.scroll_offset.y >= self.max_scroll_y and self.at is None
        self.unseen = 0 if self.following else self.unseen
        self.refresh()
        self.post_message(self.Changed())

    def _stick(self) -> None:
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)

    def _extent(self) -> None:
        """Set past the reactive, which would lay out the whole screen at each flush: the scrollbar is always there."""
        size = Size(0 if self.rows.wrap else self._widest, len(self.rows))
        if size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)

    def _resize(self, lost: int) -> None:
        """Follow mode sticks to the end; a paused view stays on its lines while old ones fall out above."""
        self._extent()
        if self.following:
            self._stick()
        elif lost:
            self.scroll_to(y=max(0, self.scroll_offset.y - lost), animate=False, force=True, immediate=True)

    def _strip(self, each: LogLine, base: Style) -> Strip:
        text = coloured(safe(each))
        self.search.highlight(text, self._match)
        before = stamp(each, self.stamps, self._now())
        segments = [Segment(before, self._muted)] if before else []
        segments += [Segment(part, style) for part, style, _ in text.render(self.app.console)]
        return Strip(segments).apply_style(base)

    def _background(self, serial: int) -> Style:
        if self.marked is not None and min(self.marked, self._here) <= serial <= max(self.marked, self._here):
            return self._mark
        return self._current if serial == self.at else Style()

    def _restyle(self) -> None:
        variables = self.app.theme_variables
        self._mark, self._current, self._match = (
            Style.parse(f"on {variables[name][:7]}") for name in ("mark", "cursor", "match")
        )
        self._muted = Style.parse(variables["muted"][:7])
        self._changed_all()

    def _changed_all(self) -> None:
        self._generation += 1
        self._extent()
        self.refresh()
        self.post_message(self.Changed())
