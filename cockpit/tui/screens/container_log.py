"""The log of a container that is not the cockpit's, over everything else; Esc goes back to the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen

from cockpit.model import OtherContainer
from cockpit.protocol import LogChunk, LogKind, LogRequest
from cockpit.text import clean
from cockpit.tui.log import LogView
from cockpit.tui.paced import PacedScreen
from cockpit.tui.panes.log_pane import LogPane

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class ContainerLogScreen(PacedScreen, ModalScreen[Any]):
    BINDINGS: ClassVar = [("escape,q", "close", "close")]
    AUTO_FOCUS: ClassVar = "LogView"
    DEFAULT_CSS = """
    ContainerLogScreen LogPane { border: round $accent; border-title-color: $foreground; border-title-style: bold;
                                 background: $surface; }
    """

    def __init__(self, app: CockpitApp, container: OtherContainer) -> None:
        super().__init__()
        self.cockpit, self.container = app, container
        self.pane = LogPane(app.open_log, app.close_log, now=app.clock.now, id="container")

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        each = self.container
        self.pane.border_title = Content(f" {clean(each.name)} · {clean(each.status or each.state)} ")
        self.pane.border_subtitle = Content(" Esc goes back ")
        self.joined()

    def feed(self, chunk: LogChunk) -> None:
        self.pane.feed(chunk)

    def lost(self) -> None:
        self.pane.forget()

    def joined(self) -> None:
        each = self.container
        request = LogRequest(LogKind.CONTAINER, host=each.host, container=each.id)
        self.pane.want(request, f"{clean(each.name)} has written nothing that Docker keeps.")

    def on_log_view_act(self, event: LogView.Act) -> None:
        self.cockpit.copy(event.text) if event.what == "copy" else self.cockpit.save_log(event.text)

    def action_close(self) -> None:
        if self.pane.subscription is not None:
            self.cockpit.run_worker(self.cockpit.close_log(self.pane.subscription), exit_on_error=False)
        self.dismiss(None)
