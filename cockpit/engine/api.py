"""The waist between engine and wire: what the server asks of an engine, and what an engine sees of a client.

The server itself answers HELLO (who are you, do we speak the same protocol) and STOP_ENGINE (refused unless `idle()`);
every other call of `protocol.CALLS` is the engine's, by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from cockpit.engine.known import Known
from cockpit.model import Actor, PlacementKey, Role
from cockpit.protocol import Call, Event, LogChunk

Note: TypeAlias = Event | LogChunk


class Peer:
    """One connected client. Compared by identity, so that it can stand in a set.

    `on_close` is called once each, in order, when the client is gone for whatever reason: that ends its subscriptions.
    """

    def __init__(
        self,
        actor: Actor,
        client: str,
        deliver: Callable[[Note], None] = lambda note: None,
        *,
        groups: frozenset[str] = frozenset(),
        read_only: bool = False,
    ) -> None:
        self.actor = actor
        self.client = client  # "tui" or "cli"
        self.groups = groups  # Unix groups, by name and by number
        self.read_only = read_only  # it asked to be a viewer, whoever it is
        self.closed = False
        self.on_close: list[Callable[[], None]] = []
        self._deliver = deliver

    def send(self, note: Note) -> None:
        """Never blocks and never raises: a client that stops reading is closed, not waited for."""
        if not self.closed:
            self._deliver(note)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for callback in self.on_close:
            callback()


Handler: TypeAlias = Callable[[Peer, Any], Awaitable[Any]]
"""Takes the params dataclass of its call and answers with the result dataclass, or raises a CockpitError.

Each request runs in a task of its own. It runs to its end also when its client hangs up meanwhile; only the end of the
engine cancels it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client may: `role` is the most anywhere, `only` a deployer's placements, None for all of them."""

    role: Role
    only: tuple[PlacementKey, ...] | None = None


class Engine(Protocol):
    known: Known  # what must not be in errors, nor in the engine's own log

    def handlers(self) -> Mapping[str, Handler]:
        """Keyed by `Call.name`."""

    def standing(self, peer: Peer) -> Standing:
        """Asked once, before it joins. Raises Refused when it may not even look."""

    async def permit(self, peer: Peer, call: Call[Any, Any], params: Any) -> None:
        """Asked before each call but hello, the server's own too. Raises Refused, and says who may."""

    async def start(self) -> None:
        """Before the socket opens. A CockpitError raised here is what the client that started the engine shows."""

    async def lasts(self) -> None:
        """Raises what ended a part of it that should go on for as long as the engine does; else never returns. What it
        shows and does would be less than it says from then on, so the process ends."""

    async def close(self) -> None:
        """Leaves running operations as they are, for recovery."""

    def idle(self) -> bool:
        """No operation runs, so that this process may be stopped or replaced."""

    def joined(self, peer: Peer) -> None:
        """Said hello; its first request comes after."""

    def left(self, peer: Peer) -> None:
        """Called once for each that joined, after its `on_close`."""
