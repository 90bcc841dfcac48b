"""A log and its keys: follow and pause, search, sections, wrap, time stamps, copy and save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.message import Message

from cockpit.text import plain
from cockpit.tui import keys
from cockpit.tui.log_canvas import LogCanvas
from cockpit.tui.log_find import Find
from cockpit.tui.log_lines import safe, stamp, telling


class LogView(LogCanvas):
    BINDINGS: ClassVar = keys.bindings(keys.Where.LOGS)
    _seeking: str | None = None  # the telling line that is waited for; "" for any

    @dataclass
    class Act(Message):
        """Something that only the application can do: "copy" or "save", with the text."""

        what: str
        text: str

    def arrived(self) -> None:
        if self._seeking is not None:
            self.seek_error(self._seeking)

    def clear(self, absent: str = "") -> None:
        self._seeking = None
        super().clear(absent)

    def action_move(self, by: int) -> None:
        self._scroll(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        self._scroll(self.scroll_offset.y + by * max(1, self.size.height - 1))

    def action_half(self, by: int) -> None:
        self._scroll(self.scroll_offset.y + by * max(1, self.size.height // 2))

    def action_sideways(self, by: int) -> None:
        self.scroll_to(x=max(0, self.scroll_offset.x + by * 16), animate=False, force=True, immediate=True)
        self.refresh()

    def action_edge(self, end: int) -> None:
        self._scroll(0) if end < 0 else self.go_live()

    def action_follow(self) -> None:
        if self.following:
            self.following = False
            self.post_message(self.Changed())
        else:
            self.go_live()

    def go_live(self) -> None:
        self.following, self.unseen, self.at = True, 0, None
        self._stick()
        self.refresh()
        self.post_message(self.Changed())

    def find(self, query: str) -> None:
        """Raises ValueError for a bad regular expression."""
        self.search = Find.of(query)
        self.rows.only = self.search.wanted if self.rows.only and query else None
        self.rows.rebuild()
        self._changed_all()
        if query:
            self.action_match(-1)

    def action_match(self, step: int) -> None:
        self._jump(self.search.wanted or telling, step)

    def action_error(self) -> None:
        self.search = Find()
        self._jump(telling, 1)

    def seek_error(self, line: str = "") -> None:
        """To that line, else to the last telling one, as soon as there are lines."""
        self._seeking = None if self.window.lines else line
        if self.window.lines:
            self.search, self.at = Find(), None
            known = line != "" and self.window.search(lambda text: line in text, self.window.end, -1) is not None
            self._jump((lambda text: line in text) if known else telling, -1)

    def action_only(self) -> None:
        self.rows.only = None if self.rows.only else (self.search.wanted or telling)
        self.rows.rebuild()
        self._changed_all()
        self._stick()

    def action_section(self, step: int) -> None:
        found = self.window.section(self._top, step)
        if found is not None:
            self._scroll(self.rows.place(found))

    def action_wrap(self) -> None:
        self.wraps = not self.rows.wrap
        self._wrap()
        self._changed_all()
        self._stick()

    def action_time(self) -> None:
        self.stamps = self.stamps.next
        self._changed_all()

    def action_mark(self) -> None:
        self.marked = None if self.marked is not None else self._here
        self._changed_all()

    def action_copy(self) -> None:
        last = self.rows.at(min(len(self.rows), self.scroll_offset.y + self.size.height) - 1)
        start, end = self._top, last[0] if last else self._top
        if self.marked is not None:
            start, end = min(self.marked, end), max(self.marked, self._here, end)
        self.post_message(self.Act("copy", self._text(start, end)))

    def action_save(self) -> None:
        self.post_message(self.Act("save", self._text(self.window.first, self.window.end)))

    def action_say(self, text: str) -> None:
        self.notify(text, markup=False)

    def _text(self, start: int, end: int) -> str:
        lines = (self.window.at(serial) for serial in range(start, end + 1))
        return "\n".join(stamp(each, self.stamps, self._now()) + plain(safe(each).text) for each in lines if each)

    def _jump(self, wanted: Callable[[str], bool], step: int) -> None:
        self.following = False
        start = self.at + step if self.at is not None else (self.window.end - 1 if step < 0 else self.window.first)
        self.at = self.window.search(wanted, start, step)
        if self.at is None:
            self.notify("nothing found", markup=False)
        else:
            self._scroll(self.rows.place(self.at) - self.size.height // 3)
        self.refresh()
        self.post_message(self.Changed())
