"""The main screen: where the panes stand, and how a state reaches them. What keys do is in `actions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from cockpit.protocol import LogChunk
from cockpit.tui import keys
from cockpit.tui.lines_view import LinesView
from cockpit.tui.log import LogView
from cockpit.tui.panes.bars import HeaderBar, HintBar, NoteBar
from cockpit.tui.panes.find_bar import FindBar
from cockpit.tui.panes.fold_bar import FoldBar
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.panes.main_pane import MainPane
from cockpit.tui.panes.pending import PendingPane
from cockpit.tui.panes.releases import ReleasesPane
from cockpit.tui.panes.services import ServicesPane, TinyPane
from cockpit.tui.screens.actions import Actions
from cockpit.tui.state import State

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

FIRST_FRAME = 0.5  # seconds that it waits for an engine's snapshot


class MainScreen(Actions):
    BINDINGS: ClassVar = keys.bindings(keys.Where.ALL)
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide"), (160, "-huge")]  # noqa: RUF012  (Textual has it per instance)
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-short"), (30, "-tall")]  # noqa: RUF012
    AUTO_FOCUS = ""
    _painting = False

    def __init__(self, app: CockpitApp) -> None:
        super().__init__()
        self.cockpit = app
        self.header = HeaderBar(id="header")
        self.notes = NoteBar(id="notes")
        self.services = ServicesPane(id="services")
        self.pending = PendingPane(id="pending")
        self.releases = ReleasesPane(id="releases")
        self.main = MainPane(app.open_log, app.close_log, app.clock.now)
        self.tiny = TinyPane(id="tiny")
        self.fold = FoldBar(id="fold")
        self.find_bar = FindBar(id="find")
        self.card = LinesView(id="card")
        self.card.can_focus = False
        self.hints = HintBar(id="hints")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.notes
        yield self.card
        with Horizontal(id="body"):
            with Vertical(id="lists"):
                yield self.services
                yield self.pending
                yield self.releases
            yield self.main
        yield self.fold
        yield self.tiny
        yield self.find_bar
        yield self.hints

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
        if self.has_class("-tiny") or self.has_class("-flat"):
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

    def pane(self, name: str) -> Widget:
        small = self.has_class("-tiny") or self.has_class("-flat")
        if small:
            return self.tiny
        return self.main.content if name == "main" else cast(Widget, getattr(self, name))

    def focus_pane(self, name: str) -> None:
        """On a narrow screen a folded list opens while it has the focus."""
        for each in ("pending", "releases"):
            self.set_class(each == name, f"-unfold-{each}")
        self.pane(name).focus(scroll_visible=False)

    @property
    def focused_pane(self) -> str:
        if self.focused in (self.services, self.pending, self.releases):
            return cast(str, self.focused.id) if self.focused else "services"
        return (
            "main" if isinstance(self.focused, (LogView, LinesView)) and self.focused is not self.tiny else "services"
        )

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
