"""Where the panes of the main screen stand, and which of them the keys go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from cockpit.tui.lines_view import LinesView
from cockpit.tui.log import LogView
from cockpit.tui.paced import PacedScreen
from cockpit.tui.panes.bars import HeaderBar, HintBar, NoteBar
from cockpit.tui.panes.find_bar import FindBar
from cockpit.tui.panes.fold_bar import FoldBar
from cockpit.tui.panes.main_pane import MainPane
from cockpit.tui.panes.pending import PendingPane
from cockpit.tui.panes.releases import ReleasesPane
from cockpit.tui.panes.services import ServicesPane, TinyPane

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

WIDTHS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide"), (160, "-huge")]  # cells from which a class holds
HEIGHTS = [(0, "-flat"), (16, "-short"), (30, "-tall")]
PANES = ("services", "pending", "releases", "main")


class Layout(PacedScreen):
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

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

    @property
    def small(self) -> bool:
        """Too small for more than one list."""
        return self.has_class("-tiny") or self.has_class("-flat")

    def pane(self, name: str) -> Widget:
        if self.small:
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
