"""The half of the application that talks to the engine: it asks, listens, and keeps what is known."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from textual.worker import Worker, WorkerState

from cockpit.clock import Clock, SystemClock
from cockpit.errors import CockpitError
from cockpit.model import Operation, PlacementKey
from cockpit.protocol import (
    LOGS_CLOSE,
    LOGS_OPEN,
    PENDING,
    RELEASES,
    Call,
    Change,
    Connected,
    Event,
    For,
    Link,
    LogOpened,
    LogRequest,
    Lost,
    Subscription,
)
from cockpit.tui.output import QuietApp
from cockpit.tui.state import State, fold

P = TypeVar("P")
R = TypeVar("R")


class LinkedApp(QuietApp):
    """What it asks about is its `state`; all that it hears goes through `apply`."""

    def __init__(self, link: Link, over_ssh: bool = False, clock: Clock | None = None) -> None:
        super().__init__(over_ssh)
        self.link, self.clock = link, clock or SystemClock()
        self.state = State()

    def apply(self, change: Change) -> None:
        """One change from the engine becomes part of what is known."""
        self.state = fold(self.state, change, self.clock.now())
        if isinstance(change, Connected) or (isinstance(change, Event) and _ended(change)):
            self.look_up()

    def say(self, text: str, severity: str = "information") -> None:
        self.notify(text, markup=False, timeout=4, severity="warning" if severity == "warning" else "information")

    def listen(self) -> None:
        self.run_worker(self._listen(), group="link", exit_on_error=False)

    def look_up(self) -> None:
        if self.state.selected:
            self.run_worker(self._details(self.state.selected), exclusive=True, group="details", exit_on_error=False)

    async def ask(self, call: Call[P, R], params: P) -> R | None:
        """An answer, or None after saying why there is none."""
        try:
            answer: R = await self.link.call(call, params)
            return answer
        except CockpitError as error:
            self.say(f"{error.message}{f' · {error.hint}' if error.hint else ''}", "warning")
            return None

    def request(self, call: Call[P, R], params: P, said: str) -> None:
        self.say(said)
        asking = self.ask(call, params)
        self.run_worker(asking, exit_on_error=False)

    async def open_log(self, request: LogRequest) -> LogOpened | None:
        return await self.ask(LOGS_OPEN, request)

    async def close_log(self, subscription: int) -> None:
        if self.state.lost is None:
            await self.ask(LOGS_CLOSE, Subscription(subscription))

    def started(self, operation: Operation) -> None:
        """The engine took it on; its events tell the rest."""
        self.apply(Event(operation=operation))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A fault of ours in the background is said and does not take the screen away."""
        if event.state is WorkerState.ERROR:
            self.say(f"a fault in cockpit itself: {event.worker.error!r}"[:300], "warning")
            if event.worker.group == "link":  # what is on the screen is no longer kept true
                self.apply(Lost("the cockpit's own link failed: start it again"))

    async def _listen(self) -> None:
        async for change in self.link.changes():
            self.apply(change)

    async def _details(self, key: PlacementKey) -> None:
        asked = self.ask(PENDING, For(key)), self.ask(RELEASES, For(key))
        pending, releases = await asyncio.gather(*asked)
        self.apply(Event(pending=pending, releases=releases))


def _ended(event: Event) -> bool:
    """An operation ended: what is live and what waits may have changed."""
    return event.operation is not None and event.operation.state.ended
