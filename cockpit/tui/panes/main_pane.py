"""Pane 0: the tabs. It chooses by what matters: failing → Health, deploying → Steps, else the last one used."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from cockpit.model import Health, Operation, OperationState, PlacementKey
from cockpit.protocol import LogChunk, LogKind, LogRequest
from cockpit.tui.line import Line, fit
from cockpit.tui.lines_view import LinesView
from cockpit.tui.panes.log_pane import Close, LogPane, Open
from cockpit.tui.present import absent, health, steps, truth
from cockpit.tui.present.words import NAME, clock
from cockpit.tui.state import State

TABS = {"health": "Health", "steps": "Steps", "build": "Build log", "service": "Service log", "truth": "Truth"}
NUMBER = {name: number for number, name in enumerate(TABS, 4)}
EXPLAINS = 600.0  # seconds for which the end of an operation stays on the screen
TEXTS = {"health": health.lines, "steps": steps.lines, "truth": truth.lines}


class MainPane(Vertical):
    DEFAULT_CSS = """
    MainPane { border: round $line; border-title-color: $muted; border-title-background: $surface;
               background: $surface; height: 1fr; }
    MainPane:focus-within { border: round $line-focus; border-title-color: $foreground;
                            border-title-style: bold; }
    MainPane > #tabs { height: 1; margin-bottom: 1; }
    """

    def __init__(self, open_log: Open, close_log: Close, now: Callable[[], float]) -> None:
        super().__init__(id="main")
        self.tab = "health"
        self.last_used = "health"
        self.state = State()
        self.asked_for: Operation | None = None  # an older one, whose log somebody opened
        self._now = now
        self._matters: tuple[PlacementKey | None, str] = (None, "")
        self.tabs = LinesView(id="tabs")
        self.tabs.can_focus = False
        self.text = LinesView(id="text")
        self.logs = {
            "build": LogPane(open_log, close_log, now=now, id="build"),
            "service": LogPane(open_log, close_log, now=now, id="service"),
        }

    def compose(self) -> ComposeResult:
        yield self.tabs
        yield self.text
        yield from self.logs.values()

    def on_mount(self) -> None:
        self.text.can_focus = True
        self._reveal()

    def on_resize(self) -> None:
        self.redraw()

    @property
    def content(self) -> Widget:
        """What takes the focus."""
        return self.logs[self.tab].view if self.tab in self.logs else self.text

    @property
    def operation(self) -> Operation | None:
        """Whose log the Build log is."""
        return self.asked_for or self.state.operation_of(self.state.selected)

    def update(self, state: State) -> None:
        self.state = state
        matters = _what_matters(state)
        if matters != self._matters:
            reading = matters[0] != self._matters[0] and self.tab in self.logs and _is_calm(state)
            self._matters, self.asked_for = matters, None
            self._turn(self.tab if reading else matters[1] or self.last_used)
        key = state.selected
        self.border_title = Content(f"{key.service} · {key.environment}" if key else "cockpit")
        self._subscribe()
        self.redraw()

    def choose(self, tab: str) -> None:
        """The operator's own choice is remembered."""
        self.last_used = tab
        self._turn(tab)
        self._subscribe()
        self.redraw()

    def show_log(self, operation: Operation) -> None:
        """Of an older one, until the selection changes or something happens to it."""
        self.asked_for = operation
        self.choose("build")

    def step_tab(self, by: int) -> None:
        names = list(TABS)
        self.choose(names[(names.index(self.tab) + by) % len(names)])

    def feed(self, chunk: LogChunk) -> None:
        for pane in self.logs.values():
            pane.feed(chunk)

    def lost(self) -> None:
        for pane in self.logs.values():
            pane.forget()

    def redraw(self) -> None:
        room = self.size.width
        self.tabs.show([fit(_tab_line(self.tab), room)])
        if self.tab in TEXTS:
            self.text.show(self._text())

    def _text(self) -> list[Line]:
        """A text that is longer than its pane leaves room for the scrollbar."""
        width, height = self.text.size
        found = TEXTS[self.tab](self.state, self._now(), max(10, width))
        if len(found) <= height or self.text.show_vertical_scrollbar:
            return found
        return TEXTS[self.tab](self.state, self._now(), max(10, width - 1))

    def _turn(self, tab: str) -> None:
        focused = self.content.has_focus
        self.tab = tab
        self._reveal()
        if focused:
            self.content.focus()

    def _reveal(self) -> None:
        self.text.display = self.tab in TEXTS
        for name, pane in self.logs.items():
            pane.display = name == self.tab

    def _subscribe(self) -> None:
        """Only the log on the screen is followed; without an engine the last lines stay as they are."""
        if self.state.lost is not None:
            return
        key, placement, operation = self.state.selected, self.state.placement, self.operation
        build = LogRequest(LogKind.OPERATION, operation=operation.id) if operation else None
        service = LogRequest(LogKind.SERVICE, key=key) if key else None
        self.logs["build"].about = _about(operation) if operation else ""
        self.logs["build"].want(build if self.tab == "build" else None, absent.operation(placement, operation))
        self.logs["service"].want(service if self.tab == "service" else None, absent.service(placement))


def _what_matters(state: State) -> tuple[PlacementKey | None, str]:
    """What runs, else the newer news: that it is not well, or how an operation ended."""
    placement = state.placement
    if placement is None:
        return None, ""
    if state.running_of(placement.key) or _recovers(state):
        return placement.key, "steps"
    ended = _just_ended(state)
    ill = placement.health in (Health.FAILING, Health.DEGRADED)
    if ill and (ended is None or (placement.since or 0.0) > ended):
        return placement.key, "health"
    return placement.key, "" if ended is None else "steps"


def _is_calm(state: State) -> bool:
    """Who reads logs goes on reading them in the next service, unless there is trouble or a deploy."""
    placement = state.placement
    ill = placement is None or placement.health in (Health.FAILING, Health.DEGRADED)
    return not ill and state.running_of(state.selected) is None and not _recovers(state)


def _recovers(state: State) -> bool:
    operation = state.left_of(state.selected)
    return operation is not None and operation.state is OperationState.RECOVERING


def _just_ended(state: State) -> float | None:
    """When; an operation explains its end for a while, unless another one begins."""
    operation = state.operation_of(state.selected)
    if operation is None or not (operation.failure or operation.summary) or operation.ended_at is None:
        return None
    seen = state.placement.seen_at if state.placement else None
    return operation.ended_at if seen is not None and seen - operation.ended_at < EXPLAINS else None


def _about(operation: Operation) -> str:
    release = f" r{operation.to_release}" if operation.to_release else ""
    return f"{NAME[operation.kind].lower()}{release}, {clock(operation.started_at)}"


def _tab_line(chosen: str) -> Line:
    parts: list[tuple[str, str]] = [(" ", "")]
    for name, title in TABS.items():
        if name == chosen:
            parts += [(f"{NUMBER[name]}", "accent strong"), (f"[{title}]", "accent strong"), ("  ", "")]
        else:
            parts += [(f"{NUMBER[name]} ", "muted"), (title, "muted"), ("  ", "")]
    return tuple(parts)
