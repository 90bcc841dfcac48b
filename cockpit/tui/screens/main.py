"""The main screen: how a state reaches its panes. Where they stand is in `layout`, what keys do in `actions`."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.content import Content
from textual.widgets import Input

from cockpit.protocol import LogChunk
from cockpit.tui import keys
from cockpit.tui.log import LogView
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.panes.pending import PendingPane
from cockpit.tui.panes.releases import ReleasesPane
from cockpit.tui.panes.services import ServicesPane, TinyPane
from cockpit.tui.screens.actions import Actions
from cockpit.tui.state import State

FIRST_FRAME = 0.5  # seconds that it waits for an engine's snapshot


class MainScreen(Actions):
    BINDINGS: ClassVar = keys.bindings(keys.Where.ALL)
    AUTO_FOCUS = ""
    _painting = False

    def on_mount(self) -> None:
        self.show_card()
        self.set_timer(FIRST_FRAME, self._paint_at_last)
        self.call_after_refresh(self.focus_pane, "services")

    def on_resize(self) -> None:
        self.cockpit.frame.forget()
        if self._painting:
            self.call_after_refresh(self._settle)
        else:
            self.call_next(self._begin)

    def show_state(self, state: State) -> None:
        """Every pane compares with what it shows already, so this is cheap to call."""
        now = self.cockpit.clock.now()
        self.header.update(state, now, self.cockpit.load)
        self.notes.update(state, now)
        self.hints.update(state)
        if self.small:
            self.tiny.update(state, now)
        else:
            self.services.update(state, now)
            self.pending.update(state, now)
            self.releases.update(state, now)
            self.fold.update(state, now)
            self.main.update(state)
        if self.header.size and (state.engine or state.lost):
            self._paint_at_last()

    def feed(self, chunk: LogChunk) -> None:
        self.main.feed(chunk)

    def lost(self) -> None:
        self.main.lost()

    def show_card(self) -> None:
        text = self.cockpit.card
        self.card.display = text is not None
        lines = (text or "").splitlines()
        self.card.styles.height = len(lines) + 2
        self.card.show([((f" {each}", ""),) for each in lines])
        self.card.border_title = Content("Try this · any key puts it away, : card brings it back")

    @on(ListPane.Moved)
    def moved(self, event: ListPane.Moved) -> None:
        pane = event.pane
        if isinstance(pane, (ServicesPane, TinyPane)) and pane.current is not None:
            self.cockpit.choose(pane.current.key)

    @on(ListPane.Opened)
    def opened(self, event: ListPane.Opened) -> None:
        release = event.pane.current if isinstance(event.pane, ReleasesPane) else None
        if release is not None:
            self.run_worker(self.open_log_of(release), exclusive=True, group="open", exit_on_error=False)
        elif isinstance(event.pane, (PendingPane, ReleasesPane)):
            self.action_diff()
        elif not isinstance(event.pane, TinyPane):
            self.focus_pane("main")

    @on(Input.Changed, "#find")
    def finding(self, event: Input.Changed) -> None:
        """Lists filter while one types; a log is searched on Enter."""
        if isinstance(self.find_bar.target, ListPane):
            self.find_bar.target.find(event.value)

    @on(Input.Submitted, "#find")
    def found(self, event: Input.Submitted) -> None:
        target = self.find_bar.put_away()
        if isinstance(target, ListPane):
            target.settle()
        if isinstance(target, LogView):
            try:
                target.find(event.value)
            except ValueError as error:
                self.notify(str(error), severity="warning", markup=False)

    @on(LogView.Act)
    def act(self, event: LogView.Act) -> None:
        if event.what == "copy":
            self.cockpit.copy(event.text)
        else:
            self.cockpit.save_log(event.text)

    def on_descendant_focus(self) -> None:
        for pane in (self.pending, self.releases):
            pane.redraw()

    def on_descendant_blur(self) -> None:
        self.call_after_refresh(self.on_descendant_focus)

    def _compositor_refresh(self) -> None:
        """The first frame waits until there is something to show: an empty one would cost as much as a full one."""
        if self._painting:
            super()._compositor_refresh()

    def _paint_at_last(self) -> None:
        if not self._painting:
            self._painting = True
            self._refresh_layout()

    def _begin(self) -> None:
        """The first frame does not wait for Textual's next tick."""
        self._refresh_layout()
        self._settle()

    def _settle(self) -> None:
        self.show_state(self.cockpit.state)
        if self.focused is None or not self.focused.display or not self.focused.region:
            self.focus_pane("services")
