"""`v`: what a commit, a release or a sheet changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen

from cockpit.errors import CockpitError
from cockpit.model import LogLine
from cockpit.protocol import DIFF, RANGE, CommitRequest, Diff, LogChunk, RangeRequest
from cockpit.text import clean, clean_block
from cockpit.tui.log import LogView
from cockpit.tui.paced import PacedScreen

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

COLOURS = {"+": "32", "-": "31", "@": "36"}  # SGR


class DiffScreen(PacedScreen, ModalScreen[Any]):
    """A log pane without a log: the same keys scroll, search, copy and save it."""

    BINDINGS: ClassVar = [("escape,q,v", "close", "close")]
    AUTO_FOCUS: ClassVar = "LogView"
    DEFAULT_CSS = """
    DiffScreen LogView { border: round $accent; border-title-color: $foreground; border-title-style: bold; }
    """

    def __init__(self, app: CockpitApp, request: CommitRequest | RangeRequest) -> None:
        super().__init__()
        self.cockpit, self.request = app, request
        self.view = LogView(now=app.clock.now)

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.border_title = Content(" asking git … ")
        self.view.border_subtitle = Content(" Esc closes ")
        self.run_worker(self._ask(), exclusive=True, exit_on_error=False)

    def on_log_view_act(self, event: LogView.Act) -> None:
        self.cockpit.copy(event.text) if event.what == "copy" else self.cockpit.save_log(event.text)

    def action_close(self) -> None:
        self.dismiss(None)

    async def _ask(self) -> None:
        try:
            if isinstance(self.request, CommitRequest):
                diff = await self.cockpit.link.call(DIFF, self.request)
            else:
                diff = await self.cockpit.link.call(RANGE, self.request)
        except CockpitError as error:
            self.view.border_title = Content(f" {clean(error.message)} ")
            return
        self._show(diff)

    def _show(self, diff: Diff) -> None:
        cut = " (cut)" if diff.cut else ""
        self.view.border_title = Content(
            f" {diff.commit.short} {clean(diff.commit.subject)} · {diff.commit.author}{cut} "
        )
        lines = clean_block(diff.text).split("\n")
        self.view.window.limit = len(lines) + 1
        self.view.feed(LogChunk(0, tuple(LogLine(n, 0.0, _coloured(each)) for n, each in enumerate(lines))))
        self.view.flush()
        self.view.action_edge(-1)


def _coloured(text: str) -> str:
    colour = COLOURS.get(text[:1])
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and not text.startswith(("+++", "---")) else text
