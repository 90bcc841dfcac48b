"""A log with its badge, and the engine's subscription behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual.app import ComposeResult
from textual.containers import Vertical

from cockpit.protocol import LogChunk, LogOpened, LogRequest
from cockpit.tui.lines_view import LinesView
from cockpit.tui.log import LogView
from cockpit.tui.present import log

Open = Callable[[LogRequest], Awaitable[LogOpened | None]]
Close = Callable[[int], Awaitable[None]]
EARLY = 50  # chunks kept that came before the engine's answer told their number


class LogPane(Vertical):
    DEFAULT_CSS = "LogPane { height: 1fr; } LogPane > LinesView { height: 1; }"

    def __init__(self, open_log: Open, close_log: Close, *, now: Callable[[], float], id: str) -> None:
        super().__init__(id=id)
        self.view = LogView(now=now)
        self.foot = LinesView()
        self.foot.can_focus = False
        self.request: LogRequest | None = None
        self.path = ""
        self.about = ""  # which log it is, where that is not plain
        self._open, self._close = open_log, close_log
        self.subscription: int | None = None
        self._early: list[LogChunk] = []

    def compose(self) -> ComposeResult:
        yield self.view
        yield self.foot

    def want(self, request: LogRequest | None, absent: str = "") -> None:
        """Follow this log, or none; `absent` stands where no lines are. The same one again changes nothing else."""
        if request == self.request:
            if absent != self.view.absent:
                self.view.absent = absent
                self.view.refresh()
            return
        self.request = request
        self.view.clear(absent)
        self.run_worker(self._switch(request), exclusive=True, group="log", exit_on_error=False)

    def forget(self) -> None:
        """The engine went away, and with it the subscription; the lines stay."""
        self.request, self.subscription = None, None

    def feed(self, chunk: LogChunk) -> None:
        if chunk.subscription == self.subscription:
            self.view.feed(chunk)
        elif self.subscription is None and self.request is not None:
            self._early = [*self._early, chunk][-EARLY:]

    def on_log_canvas_changed(self) -> None:
        view = self.view
        self.foot.show(
            [
                log.badge(
                    about=self.about,
                    following=view.following,
                    unseen=view.unseen,
                    kept=len(view.window.lines),
                    dropped=view.window.dropped,
                    forgotten=view.window.forgotten,
                    query=view.search.query,
                    only=view.rows.only is not None,
                    note=view.note,
                    marked=view.marked is not None,
                    room=self.size.width,
                )
            ]
        )

    async def _switch(self, request: LogRequest | None) -> None:
        old, self.subscription, self._early = self.subscription, None, []
        if old is not None:
            await self._close(old)
        opened = await self._open(request) if request else None
        if opened is None or self.request != request:
            return
        self.subscription, self.path = opened.subscription, opened.path
        for chunk in self._early:
            if chunk.subscription == opened.subscription:
                self.view.feed(chunk)
        self._early = []
