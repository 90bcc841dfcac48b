"""What all sheets share, and the rules that keep a slip of the hand from changing production.

`y` goes on; `n`, `q`, Esc close; Enter presses the focused button, which is Cancel. Keys that arrive before the
sheet's content has been on the screen for 300 ms are dropped, and each dropped one starts that time again, so that a
key held down never fires. A name is typed after `y`, in a field of its own."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from cockpit.errors import CockpitError
from cockpit.model import Operation, Role
from cockpit.protocol import Call
from cockpit.tui import keys
from cockpit.tui.line import BLANK, Line, line, paragraph
from cockpit.tui.lines_view import LinesView
from cockpit.tui.paced import PacedScreen
from cockpit.tui.present.reasons import not_yours
from cockpit.tui.present.words import remark

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

P = TypeVar("P")
R = TypeVar("R")
QUIET = 0.3  # seconds
WIDTH = 84  # of the frame, at most: as in its style, like the next
HEIGHTS = [(0, "-small"), (20, "-roomy")]  # lines of the screen from which a class holds
LINES = 24  # of its text on the screen, at most


class Sheet(PacedScreen, ModalScreen[Any]):
    BINDINGS: ClassVar = keys.bindings(keys.Where.SHEETS, keys.Where.DEPLOY)
    AUTO_FOCUS: ClassVar = "#no"
    DEFAULT_CSS = """
    Sheet { align: center middle; background: $background 60%; }
    Sheet #frame { width: 84; max-width: 100%; height: auto; max-height: 100%; border: round $accent;
                   border-title-color: $foreground; border-title-style: bold; background: $surface;
                   padding: 1 2 0 2; }
    Sheet #text { height: auto; max-height: 24; }
    Sheet #says { height: auto; max-height: 6; }
    Sheet #name { display: none; height: 1; border: none; background: $panel; margin: 1 0 0 0; }
    Sheet #name.-open { display: block; }
    Sheet #no { height: 1; min-width: 12; width: auto; border: none; background: $surface; color: $foreground;
                margin: 1 0 0 0; text-style: none; }
    Sheet.-small #frame { padding: 0 1; }
    Sheet.-small #no, Sheet.-small #name { margin: 0; }
    Sheet #no:focus { background: $cursor; color: $foreground; text-style: bold; }
    """
    VERTICAL_BREAKPOINTS = HEIGHTS
    changes = True  # False: it only shows, so that there is nothing to call off
    needs = Role.DEPLOYER  # for what it changes
    typed_name = ""  # what must be typed after y; "" for nothing
    busy = ""  # what it waits for; y does nothing meanwhile

    def __init__(self, app: CockpitApp, title: str) -> None:
        super().__init__()
        self.cockpit = app
        self.title_text = title
        self.text = LinesView(id="text")
        self.text.can_focus = False
        self.says = LinesView(id="says")
        self.says.can_focus = False
        self.name_field = Input(id="name", compact=True)
        self.name_field.cursor_blink = False
        self._quiet_since = time.monotonic()
        self._said = 0  # lines that the answer to the last key takes

    def compose(self) -> ComposeResult:
        with Vertical(id="frame"):
            yield self.text
            yield self.says
            yield self.name_field
            yield Button(Content("Cancel"), id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#frame").border_title = Content(f" {self.title_text} ")
        self._offer()
        self.begin()

    def on_resize(self) -> None:
        self.call_after_refresh(self.redraw)

    def begin(self) -> None:
        """What it shows is known already, unless the sheet has to ask the engine for it first."""
        self.arrived()

    def lines(self, room: int) -> list[Line]:
        """Its text, `room` cells wide; none before there is something to show."""
        return []

    def go(self) -> None:
        """Everything was asked and answered: do it. Where nothing is left to do, it closes."""
        self.dismiss(None)

    def look_up(self, busy: str, asking: Coroutine[Any, Any, None]) -> None:
        """Ask for what the sheet shows; the newest question is the one that counts."""
        self.busy = busy
        self.run_worker(asking, exclusive=True, group="ask", exit_on_error=False)

    def act(self, busy: str, doing: Coroutine[Any, Any, None]) -> None:
        self.busy = busy
        self.say(busy, "muted")
        self.run_worker(doing, exclusive=True, group="do", exit_on_error=False)

    async def ask(self, call: Call[P, R], params: P) -> R | None:
        """The engine's answer, or None after the sheet said why there is none."""
        try:
            answer: R = await self.cockpit.link.call(call, params)
            return answer
        except CockpitError as error:
            self.refused(error)
            return None

    async def start(self, call: Call[P, Operation], params: P) -> None:
        """Once the engine took it on, the main screen tells the rest."""
        if operation := await self.ask(call, params):
            self.cockpit.started(operation)
            self.dismiss(None)

    def may_go(self) -> str:
        """Why `y` cannot go on now; "" when it can."""
        return ""

    def not_now(self) -> str:
        return self.busy or self._only_looks or self.may_go()

    @property
    def _only_looks(self) -> str:
        """Why `y` is not for this client, whatever the sheet says."""
        return not_yours(self.cockpit.state, self.needs) if self.changes else ""

    @property
    def works(self) -> tuple[str, ...]:
        """The keys that do something now, beside Esc: "y roll back", "v diff"."""
        return ("y go on",)

    def redraw(self) -> None:
        room = self._room
        most = self.size.height - (2 if self.small else 6) - self._said - 2
        shown = self._shown(room)
        if len(shown) > min(most, LINES):  # there will be a scrollbar
            shown = self._shown(room - 1)
        self.text.styles.height = max(1, min(len(shown), most))
        self.text.show(shown)
        self._offer()

    @property
    def _room(self) -> int:
        """Cells for its text, also before it was laid out."""
        laid_out = self.query_one("#frame").content_size.width
        return max(20, laid_out or min(WIDTH, self.size.width or WIDTH) - (4 if self.small else 6))

    def _shown(self, room: int) -> list[Line]:
        if self.busy and not self.ready:
            return [line((self.busy, "muted"))]
        barred = self._only_looks
        return [*self.lines(room), *([BLANK, *remark("–", "warn", f"y is off: {barred}", room)] if barred else [])]

    def _offer(self) -> None:
        """Only what works is on the frame; where nothing can be called off, one closes."""
        works = self.works if self.ready else ()
        works = tuple(each for each in works if not (self._only_looks and each.startswith("y ")))
        way_out = "cancel" if self.changes and works and works[0].startswith("y ") else "close"
        self.query_one("#frame").border_subtitle = Content(f" {' · '.join((*works, f'Esc {way_out}'))} ")
        self.query_one("#no", Button).label = Content(way_out.capitalize())

    @property
    def small(self) -> bool:
        return self.size.height < 20

    @property
    def ready(self) -> bool:
        return True

    def arrived(self) -> None:
        """New content: the time in which keys are dropped starts once it has been painted."""
        self.busy = ""
        self._quiet_since = time.monotonic()
        self.redraw()
        self.call_after_refresh(self._painted)

    def say(self, text: str, tone: str = "warn") -> None:
        found = [BLANK, *paragraph(text, self._room, tone)] if text else []
        found = found[1:] if self.small else found
        self._said = len(found)
        self.says.styles.height = self._said
        self.says.show(found)
        self.redraw()

    def refused(self, error: CockpitError) -> None:
        self.busy = ""
        self.say(f"✖ {error.message}{f' · {error.hint}' if error.hint else ''}", "bad")
        self.redraw()

    def action_sheet(self, what: str) -> None:
        if not self.too_early("y" if what == "go" else "it"):
            self.say("")
            getattr(self, f"do_{what}")()

    def too_early(self, key: str = "it") -> bool:
        """Says so, and lets the time in which keys are dropped start again."""
        if time.monotonic() - self._quiet_since >= QUIET:
            return False
        self._quiet_since = time.monotonic()
        self.say(f"too early: press {key} again")
        return True

    def do_no(self) -> None:
        self.dismiss(None)

    def do_go(self) -> None:
        if reason := self.not_now():
            self.say(reason)
        elif self.typed_name:
            self.name_field.placeholder = f"type {self.typed_name} and Enter"
            self.name_field.add_class("-open")
            self.name_field.focus()
        else:
            self.go()

    def do_down(self) -> None: ...

    def do_up(self) -> None: ...

    def do_diff(self) -> None: ...

    def do_split(self) -> None:
        self.say(f"s: {keys.BY_ID['sheet.split'].later}")

    @on(Input.Submitted, "#name")
    def named(self, event: Input.Submitted) -> None:
        event.stop()
        if reason := self.not_now():
            self.say(reason)
        else:
            self.typed(event.value)

    def typed(self, text: str) -> None:
        if text.strip() == self.typed_name:
            self.go()
        else:
            self.say(f"that is not {self.typed_name}")

    @on(Button.Pressed, "#no")
    def cancelled(self) -> None:
        if time.monotonic() - self._quiet_since >= QUIET:
            self.dismiss(None)

    def _painted(self) -> None:
        self._quiet_since = time.monotonic()
