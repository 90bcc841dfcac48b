"""How a verb reaches the engine, and how it asks a person."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cockpit.cli import names
from cockpit.client import Client, connect
from cockpit.errors import Refused, UsageError
from cockpit.model import Health, PlacementKey
from cockpit.paths import Paths, find
from cockpit.protocol import STATUS, Call, Nothing, P, R, Snapshot

T = TypeVar("T")

FIRST_LOOK = 3.0  # seconds that an engine needs at most to have seen everything; without Docker it never does
LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Session:
    """What the options before the verb chose."""

    config: Path | None = None
    state: Path | None = None
    read_only: bool = False

    @property
    def paths(self) -> Paths:
        return find(self.config, self.state)

    @property
    def own_paths(self) -> Paths:
        """Without the system engine's."""
        return find(self.config, self.state, shared=False)

    def run(self, work: Callable[[Client], Awaitable[T]], *, start: bool = True) -> T:
        async def connected() -> T:
            client = await connect(self.paths, client="cli", start=start, read_only=self.read_only)
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(connected())

    def ask(self, call: Call[P, R], params: P) -> R:
        return self.run(lambda client: client.call(call, params))

    def snapshot(self) -> Snapshot:
        return self.ask(STATUS, Nothing())

    def seen(self) -> Snapshot:
        """A snapshot that says what is there: an engine that was only just started is given a moment to look."""
        return self.run(_seen)

    def placement(self, service: str, environment: str | None) -> PlacementKey:
        return names.placement(service, environment, [each.key for each in self.snapshot().placements])


async def _seen(client: Client) -> Snapshot:
    while True:
        snapshot = await client.call(STATUS, Nothing())
        unseen = any(each.health is Health.UNKNOWN for each in snapshot.placements)
        if not unseen or time.time() - snapshot.engine.started_at > FIRST_LOOK:
            return snapshot
        await asyncio.sleep(LOOK)


@dataclass(frozen=True, slots=True)
class Consent:
    """`yes` and `confirm` are what a script gives instead of a person."""

    yes: bool
    confirm: str

    def require(self, question: str, name: str, because: str) -> None:
        """`name`, when not "", has to be given as well, for the reason in `because`. Raises Refused or UsageError."""
        person = sys.stdin.isatty() and sys.stdout.isatty()
        if not self.yes:
            if not person:
                raise UsageError("Nobody is here to say yes", "Say it beforehand: --yes")
            if _answer(f"{question} [y/N] ").lower() not in ("y", "yes"):
                raise Refused("Nothing was changed")
        if name and not self.confirm and person:
            if _answer(f"{because}. Type {name} to go on: ") != name:
                raise Refused("That is another name. Nothing was changed")
        elif name and self.confirm != name:
            raise Refused(f"{because}, so its name is needed", f"--confirm {name}")


def _answer(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""
